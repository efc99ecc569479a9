//! `alipay.data.dataservice.bill.downloadurl.query`.

use std::sync::Arc;

use super::super::account::App;
use super::super::answer::Answer;
use super::super::bill;
use super::super::clock;
use super::super::content::BillContent;
use super::super::failure::Failure;
use super::super::parameters::Call;
use super::super::platform::Platform;

/// Gives the address of a bill's file. Bills of the day and the month that still run are not
/// given out, and a period in which nothing happened has none. Neither has the account's money
/// (`signcustomer`), which the simulation does not keep.
pub(super) fn address(
    platform: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    answer: Answer,
) -> Result<Answer, Failure> {
    let wanted = BillContent::read(&call.biz_content)?;
    let now = clock::now();
    let mut book = platform.book();
    if wanted.period.until > now && !book.bills.published {
        return Err(Failure::business("isv.invalid_arguments"));
    }
    let lines = bill::lines(&mut book, app, wanted.period);
    if wanted.kind != "trade" || lines.is_empty() {
        return Err(Failure::business("isp.bill_not_exist"));
    }
    let address = book
        .bills
        .issue(app, &wanted, &lines, platform.numbers.token(), now);
    Ok(answer.success().with(
        "bill_download_url",
        format!("{}{address}", platform.base_url),
    ))
}
