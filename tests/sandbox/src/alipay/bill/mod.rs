//! Bills (对账单): what happened to an app's trades in a day or a month, as a file that is fetched
//! from an address of its own.

mod archive;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::account::App;
use super::book::Book;
use super::clock::{self, Period};
use super::content::BillContent;
use super::fen::Fen;
use super::misbehaviour::BillFault;
use super::order::Order;
use super::trade::{Refund, RefundState};

/// How long the address of a file is good.
const ADDRESS_LIFE: Duration = Duration::seconds(30);

/// One line: a payment or a refund.
#[derive(Clone, Debug)]
pub(super) struct Line {
    trade_no: String,
    out_trade_no: String,
    subject: String,
    body: Option<String>,
    store_id: Option<String>,
    created: OffsetDateTime,
    finished: OffsetDateTime,
    amount: Fen,
    /// The number of the refund; none for a payment.
    request_no: Option<String>,
}

impl Line {
    fn of(order: &Order, finished: OffsetDateTime, refund: Option<&Refund>) -> Option<Line> {
        let trade = order.trade.as_ref()?;
        let content = &order.content;
        Some(Line {
            trade_no: trade.trade_no.clone(),
            out_trade_no: content.out_trade_no.clone(),
            subject: content.subject.clone(),
            body: content.body.clone(),
            store_id: content.store_id.clone(),
            created: trade.created,
            finished,
            amount: refund.map_or(content.total, |refund| refund.amount),
            request_no: refund.map(|refund| refund.request_no.clone()),
        })
    }
}

/// What was paid and given back in a period, oldest first, with what is done wrong in it.
pub(super) fn lines(book: &mut Book, app: &App, period: Period) -> Vec<Line> {
    let mut lines = Vec::new();
    for order in book.orders.values() {
        let Some(trade) = order
            .trade
            .as_ref()
            .filter(|_| order.app.app_id == app.app_id)
        else {
            continue;
        };
        let paid = trade.paid.filter(|at| period.holds(*at));
        lines.extend(paid.and_then(|at| Line::of(order, at, None)));
        for refund in &trade.refunds {
            if refund.state == RefundState::Done && period.holds(refund.at) {
                lines.extend(Line::of(order, refund.at, Some(refund)));
            }
        }
    }
    lines.sort_by_key(|line| line.finished);
    let spoilt = lines.into_iter().flat_map(|line| {
        let fault = book.take_bill_fault(&line.out_trade_no);
        spoil(line, fault)
    });
    spoilt.collect()
}

fn spoil(line: Line, fault: Option<BillFault>) -> Vec<Line> {
    match fault {
        None => vec![line],
        Some(BillFault::LeftOut) => Vec::new(),
        Some(BillFault::Twice) => vec![line.clone(), line],
        Some(BillFault::Amount(amount)) => vec![Line { amount, ..line }],
    }
}

/// The files that can be fetched.
#[derive(Default)]
pub(super) struct Bills {
    /// Bills of the day and the month that still run are given out too.
    pub(super) published: bool,
    files: HashMap<String, (OffsetDateTime, Vec<u8>)>,
}

impl Bills {
    /// Makes a file and gives its address, without the platform's own.
    pub(super) fn issue(
        &mut self,
        app: &Arc<App>,
        wanted: &BillContent,
        lines: &[Line],
        token: String,
        now: OffsetDateTime,
    ) -> String {
        let account = format!("{}0156", app.seller_id);
        let day = wanted.date.replace('-', "");
        let details = table::details(&account, wanted.period, lines, now);
        let summary = table::summary(&account, wanted.period, lines, now);
        let file = archive::archive(
            &[
                (format!("{account}_{day}_业务明细.csv"), details),
                (format!("{account}_{day}_业务明细(汇总).csv"), summary),
            ],
            now,
        );
        self.files.retain(|_, (ends, _)| now < *ends);
        let address = form_urlencoded::Serializer::new(String::new())
            .append_pair("bizType", &wanted.kind)
            .append_pair("userId", &account)
            .append_pair("fileType", "csv.zip")
            .append_pair("bizDates", &day)
            .append_pair("downloadFileName", &format!("{account}_{day}.csv.zip"))
            .append_pair(
                "fileId",
                &format!("/{}/{account}/{day}.csv.zip", wanted.kind),
            )
            .append_pair("timestamp", &(clock::ms(now) / 1000).to_string())
            .append_pair("token", &token)
            .finish();
        self.files.insert(token, (now + ADDRESS_LIFE, file));
        format!("/downloadBillFile.resource?{address}")
    }

    /// The file of an address, by its token; none once its time is over.
    pub(super) fn file(&self, token: &str, now: OffsetDateTime) -> Option<Vec<u8>> {
        let (ends, file) = self.files.get(token)?;
        (now < *ends).then(|| file.clone())
    }

    /// Ends every address now.
    pub(super) fn expire(&mut self) {
        self.files.clear();
    }
}
