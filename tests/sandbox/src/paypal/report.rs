//! The transaction search (Transaction Search API v1): what moved the account's balance in a time of at most 31 days, in
//! pages.
//!
//! Of the documented filters it takes `balance_affecting_records_only` alone, and refuses the others rather than
//! answering something else than was asked. Only what the reports have come to is told: they may be behind by some hours,
//! and an answer says until when it is complete.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use super::account::App;
use super::amount::Amount;
use super::clock;
use super::failure::Failure;
use super::operation::{Answer, Call};
use super::order::{Capture, Order, Refund, Settlement};
use super::platform::Platform;
use super::status::{CaptureStatus, RefundStatus};
use super::token;

/// The longest time that one search is about.
const LONGEST: Duration = Duration::days(31);

/// How many a page has, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 500;

/// The documented parameters.
const PARAMETERS: [&str; 14] = [
    "transaction_id",
    "transaction_type",
    "transaction_status",
    "transaction_amount",
    "transaction_currency",
    "start_date",
    "end_date",
    "payment_instrument_type",
    "store_id",
    "terminal_id",
    "fields",
    "balance_affecting_records_only",
    "page_size",
    "page",
];

/// Those that are looked at here.
const TAKEN: [&str; 6] = [
    "start_date",
    "end_date",
    "fields",
    "balance_affecting_records_only",
    "page_size",
    "page",
];

/// Parts of a transaction that can be asked for.
const PARTS: [&str; 7] = [
    "transaction_info",
    "payer_info",
    "shipping_info",
    "auction_info",
    "cart_info",
    "incentive_info",
    "store_info",
];

/// What is searched for.
struct Search {
    from: OffsetDateTime,
    until: OffsetDateTime,
    parts: Vec<String>,
    balance_only: bool,
    page: usize,
    page_size: usize,
}

/// `GET /v1/reporting/transactions`.
pub(super) fn transactions(platform: &Platform, app: &App, call: &Call) -> Result<Answer, Failure> {
    let book = platform.book();
    token::may_report(&book, &call.headers)?;
    let search = Search::read(&call.query)?;
    let refreshed = second(clock::now() - book.reports.lag);
    if search.from > refreshed {
        let early = Failure::invalid("Data for the given start date is not available.");
        return Err(early.in_query("start_date"));
    }
    let until = search.until.min(refreshed);
    let mut found: Vec<(OffsetDateTime, Value)> = book
        .orders
        .values()
        .filter(|order| order.app.client_id == app.client_id)
        .flat_map(|order| of_order(order, &platform.payer_id))
        .filter(|line| (search.from..=until).contains(&line.at))
        .filter(|line| line.moved || !search.balance_only)
        .map(|line| (line.at, line.info))
        .collect();
    if found.len() > book.reports.most {
        return Err(Failure::too_many(found.len(), book.reports.most));
    }
    found.sort_by_key(|(at, _)| *at);
    let pages = found.len().div_ceil(search.page_size);
    let total = found.len();
    let details: Vec<Value> = found
        .into_iter()
        .skip((search.page - 1).saturating_mul(search.page_size))
        .take(search.page_size)
        .map(|(_, info)| search.parted(info, &platform.payer_id))
        .collect();
    let own = format!(
        "{}/v1/reporting/transactions?{}",
        platform.base_url, call.query
    );
    Ok(Answer::json(
        200,
        json!({
            "transaction_details": details,
            "account_number": app.merchant_id,
            "start_date": clock::reported(search.from),
            "end_date": clock::reported(until),
            "last_refreshed_datetime": clock::reported(refreshed),
            "page": search.page,
            "total_items": total,
            "total_pages": pages,
            "links": [{"href": own, "rel": "self", "method": "GET"}],
        }),
    ))
}

impl Search {
    fn read(query: &str) -> Result<Search, Failure> {
        let mut given: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !PARAMETERS.contains(&name.as_ref()) {
                return Err(Failure::invalid("INVALID_PARAMETER").in_query(&name));
            }
            if !TAKEN.contains(&name.as_ref()) {
                return Err(Failure::invalid("NOT_SUPPORTED").in_query(&name));
            }
            if given.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Failure::invalid("INVALID_PARAMETER").in_query(&name));
            }
        }
        let text = |name: &str| given.get(name).map(String::as_str);
        let time = |name: &str| {
            let missing = || Failure::invalid("MISSING_REQUIRED_PARAMETER").in_query(name);
            let wrong = || Failure::invalid("INVALID_PARAMETER_SYNTAX").in_query(name);
            clock::parse(text(name).ok_or_else(missing)?).ok_or_else(wrong)
        };
        let (from, until) = (time("start_date")?, time("end_date")?);
        if until < from {
            return Err(Failure::invalid("End date is before the start date").in_query("end_date"));
        }
        if until - from > LONGEST {
            let long = Failure::invalid("Date range is greater than 31 days");
            return Err(long.in_query("end_date"));
        }
        let number = |name: &str, otherwise: usize, most: usize| match text(name) {
            None => Ok(otherwise),
            Some(text) => {
                let number = text.parse().ok();
                number
                    .filter(|number| (1..=most).contains(number))
                    .ok_or_else(|| Failure::invalid("INVALID_PARAMETER_VALUE").in_query(name))
            }
        };
        Ok(Search {
            from,
            until,
            parts: parts(text("fields").unwrap_or("transaction_info"))?,
            balance_only: match text("balance_affecting_records_only") {
                None | Some("Y") => true,
                Some("N") => false,
                Some(_) => {
                    let wrong = Failure::invalid("INVALID_PARAMETER_VALUE");
                    return Err(wrong.in_query("balance_affecting_records_only"));
                }
            },
            page: number("page", 1, usize::MAX)?,
            page_size: number("page_size", PAGE, LARGEST_PAGE)?,
        })
    }

    /// A transaction in the parts that are asked for; of most of them nothing is known here.
    fn parted(&self, info: Value, payer_id: &str) -> Value {
        let mut info = Some(info);
        let part = |part: &String| {
            let value = match part.as_str() {
                "transaction_info" => info.take().unwrap_or_default(),
                "payer_info" => json!({"account_id": payer_id, "country_code": "US"}),
                _ => json!({}),
            };
            (part.clone(), value)
        };
        Value::Object(self.parts.iter().map(part).collect::<Map<_, _>>())
    }
}

fn parts(fields: &str) -> Result<Vec<String>, Failure> {
    if fields == "all" {
        return Ok(PARTS.map(str::to_owned).to_vec());
    }
    let asked: Vec<String> = fields.split(',').map(str::to_owned).collect();
    match asked.iter().all(|part| PARTS.contains(&part.as_str())) {
        true => Ok(asked),
        false => Err(Failure::invalid("INVALID_PARAMETER_VALUE").in_query("fields")),
    }
}

/// One transaction.
struct Line {
    at: OffsetDateTime,
    /// It changed the account's balance.
    moved: bool,
    info: Value,
}

fn of_order(order: &Order, payer_id: &str) -> Vec<Line> {
    let Some(capture) = &order.capture else {
        return Vec::new();
    };
    let mut lines = vec![payment(order, capture, payer_id)];
    let refunds = order.refunds.iter();
    lines.extend(refunds.map(|refund| given_back(capture, refund, payer_id)));
    lines
}

/// Money that came by an order: `T0006`, "PayPal Checkout APIs".
fn payment(order: &Order, capture: &Capture, payer_id: &str) -> Line {
    let status = match capture.settlement {
        Settlement::Pending(_) => "P",
        Settlement::Declined => "D",
        Settlement::Completed if order.capture_status() == Some(CaptureStatus::Refunded) => "V",
        Settlement::Completed => "S",
    };
    let content = &order.content;
    let mut info = json!({
        "paypal_account_id": payer_id,
        "transaction_id": capture.id,
        "paypal_reference_id": order.id,
        "paypal_reference_id_type": "ODR",
        "transaction_event_code": "T0006",
        "transaction_initiation_date": clock::reported(capture.created),
        "transaction_updated_date": clock::reported(capture.updated),
        "transaction_amount": content.amount.json(),
        "transaction_status": status,
        "protection_eligibility": "01",
    });
    put(&mut info, "invoice_id", content.invoice_id.as_ref());
    put(&mut info, "custom_field", content.custom_id.as_ref());
    Line {
        at: second(capture.created),
        moved: matches!(status, "S" | "V"),
        info,
    }
}

/// Money that the merchant gave back: `T1107`, of the capture that it refers to.
fn given_back(capture: &Capture, refund: &Refund, payer_id: &str) -> Line {
    let status = match refund.status {
        RefundStatus::Completed => "S",
        RefundStatus::Pending => "P",
        _ => "D",
    };
    let own = &refund.content;
    let mut info = json!({
        "paypal_account_id": payer_id,
        "transaction_id": refund.id,
        "paypal_reference_id": capture.id,
        "paypal_reference_id_type": "TXN",
        "transaction_event_code": "T1107",
        "transaction_initiation_date": clock::reported(refund.created),
        "transaction_updated_date": clock::reported(refund.updated),
        "transaction_amount": negative(refund.amount),
        "transaction_status": status,
        "protection_eligibility": "02",
    });
    put(&mut info, "invoice_id", own.invoice_id.as_ref());
    put(&mut info, "custom_field", own.custom_id.as_ref());
    put(&mut info, "transaction_note", own.note_to_payer.as_ref());
    Line {
        at: second(refund.created),
        moved: status == "S",
        info,
    }
}

/// The second in which it happened: the search knows no parts of one, so that a day ends with 23:59:59.
fn second(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).unwrap_or(at)
}

/// Money that went out has its sign before it.
fn negative(amount: Amount) -> Value {
    json!({
        "currency_code": amount.currency().code(),
        "value": format!("-{}", amount.value()),
    })
}

fn put(info: &mut Value, name: &str, value: Option<&String>) {
    if let (Some(value), Some(info)) = (value, info.as_object_mut()) {
        info.insert(name.to_owned(), Value::from(value.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: &str = "start_date=2026-11-25T00:00:00Z&end_date=2026-11-25T23:59:59Z";

    fn refused(query: &str) -> String {
        let failure = Search::read(query).map(drop).unwrap_err();
        assert_eq!(failure.status, 400, "{query}");
        let detail = failure.body("1")["details"][0].clone();
        assert_eq!(detail["location"], "query");
        detail["field"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_search_has_its_two_times_and_what_is_documented() {
        let search = Search::read(DAY).unwrap();
        assert_eq!((search.page, search.page_size), (1, 100));
        assert!(search.balance_only);
        assert_eq!(search.parts, ["transaction_info"]);
        let offset = "start_date=2026-11-25T00%3A00%3A00-0700&end_date=2026-11-26T00:00:00%2B08:00";
        assert!(Search::read(offset).is_ok());
        let most =
            format!("{DAY}&page_size=500&page=3&fields=all&balance_affecting_records_only=N");
        let most = Search::read(&most).unwrap();
        assert_eq!((most.page, most.page_size, most.parts.len()), (3, 500, 7));
        for (query, field) in [
            ("", "start_date"),
            ("start_date=2026-11-25T00:00:00Z", "end_date"),
            ("start_date=2026-11-25&end_date=2026-11-26", "start_date"),
            (
                "start_date=2026-11-25T00:00:00Z&end_date=2026-11-24T23:59:59Z",
                "end_date",
            ),
            (
                "start_date=2026-10-25T00:00:00Z&end_date=2026-11-25T00:00:01Z",
                "end_date",
            ),
            (&*format!("{DAY}&page_size=501"), "page_size"),
            (&*format!("{DAY}&page_size=0"), "page_size"),
            (&*format!("{DAY}&page=0"), "page"),
            (&*format!("{DAY}&page=1&page=2"), "page"),
            (&*format!("{DAY}&fields=transaction_info,all"), "fields"),
            (
                &*format!("{DAY}&balance_affecting_records_only=yes"),
                "balance_affecting_records_only",
            ),
            (&*format!("{DAY}&transaction_id=1"), "transaction_id"),
            (&*format!("{DAY}&day=1"), "day"),
        ] {
            assert_eq!(refused(query), field, "{query}");
        }
    }
}
