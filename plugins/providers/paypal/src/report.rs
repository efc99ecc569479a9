//! The bill of a day, by the Transaction Search API v1: what moved the account's balance, in pages.
//!
//! One search finds 10,000 transactions at most, so that a day with more is searched in shorter times, each half of the
//! one that found too many. All that has to be known to go on stands in a page's own address. Reports are up to three hours
//! behind; an answer says until when they are complete, and a day that is not complete has no bill yet.

use serde::Deserialize;
use walnut_sdk::{Bill, BillRow, Currency, Fault, Money, form, serde_json};

use crate::api::{self, Answer};
use crate::meaning;

const SEARCH: &str = "/v1/reporting/transactions";

/// The most that a page may have.
const PAGE_SIZE: u32 = 500;

const DAY_S: u32 = 24 * 3600;

/// Requests in one call, as many as the host allows: it finds a time of at least eleven minutes.
const SEARCHES: usize = 8;

/// A search that found more than PayPal lists.
const TOO_MANY: &str = "RESULTSET_TOO_LARGE";

/// A part of a day in UTC.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Window {
    /// `2026-11-25`
    day: String,
    /// Its first and its last second, counted from the day's beginning.
    from_s: u32,
    until_s: u32,
}

impl Window {
    fn at(day: &str, from_s: u32, length_s: u32) -> Window {
        Window {
            day: day.to_owned(),
            from_s,
            until_s: (from_s + length_s.max(1) - 1).min(DAY_S - 1),
        }
    }

    fn length_s(&self) -> u32 {
        self.until_s - self.from_s + 1
    }

    fn halved(&self) -> Option<Window> {
        let half = self.length_s() / 2;
        (half > 0).then(|| Window::at(&self.day, self.from_s, half))
    }

    /// The time of the same length that follows on the same day.
    fn following(&self) -> Option<Window> {
        let from_s = self.until_s + 1;
        (from_s < DAY_S).then(|| Window::at(&self.day, from_s, self.length_s()))
    }

    fn path(&self, page: u32, page_size: u32) -> String {
        format!(
            "{SEARCH}?start_date={}&end_date={}&fields=transaction_info&balance_affecting_records_only=Y\
             &page_size={page_size}&page={page}",
            time(&self.day, self.from_s),
            time(&self.day, self.until_s),
        )
    }

    fn bill(&self, page: u32) -> Bill {
        Bill {
            url: api::address(&self.path(page, PAGE_SIZE)),
            sha1: None,
        }
    }

    /// Reads a page's address, as [`Window::path`] wrote it.
    fn of(url: &str) -> Option<(Window, u32)> {
        let (_, query) = url.split_once('?')?;
        let said = |name: &str| form::field(query.as_bytes(), name);
        let (from, until) = (said("start_date")?, said("end_date")?);
        let (day, from_s) = second(&from)?;
        let (_, until_s) = second(&until)?;
        let window = Window {
            day: day.to_owned(),
            from_s,
            until_s,
        };
        (from_s <= until_s).then_some((window, said("page")?.parse().ok()?))
    }
}

/// `2026-11-25T23:59:59Z`
fn time(day: &str, second: u32) -> String {
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    format!("{day}T{hours:02}:{minutes:02}:{seconds:02}Z")
}

/// Day and second of such a time; `+0000` stands for `Z` where PayPal writes it.
fn second(time: &str) -> Option<(&str, u32)> {
    let (day, clock) = time.split_once('T')?;
    let clock = clock.strip_suffix('Z').or(clock.strip_suffix("+0000"))?;
    let mut parts = clock.split(':').map(|part| part.parse::<u32>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    (is_day(day) && parts.next().is_none()).then_some((day, hours * 3600 + minutes * 60 + seconds))
}

fn is_day(day: &str) -> bool {
    day.len() == 10 && day.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}

/// Finds the bill of a day; none where nothing moved.
pub(crate) fn find(day: &str) -> Result<Option<Bill>, Fault> {
    if !is_day(day) {
        return Err(Fault::Invalid("a day is written 2026-11-25".to_owned()));
    }
    let (window, found) = search(Window::at(day, 0, DAY_S))?;
    if found == 0 && window.length_s() == DAY_S {
        return Ok(None);
    }
    Ok(Some(window.bill(1)))
}

/// Where the bill goes on after a page.
pub(crate) fn next(page: &Bill, end: &[u8]) -> Result<Option<Bill>, Fault> {
    #[derive(Deserialize)]
    struct Pages {
        #[serde(default)]
        total_pages: u32,
    }
    let (window, number) = Window::of(&page.url).ok_or_else(|| {
        Fault::Unknown("the page has another address than was asked for".to_owned())
    })?;
    let pages: Pages = serde_json::from_slice(end).map_err(|error| unread(&error))?;
    if number < pages.total_pages {
        return Ok(Some(window.bill(number + 1)));
    }
    let Some(following) = window.following() else {
        return Ok(None);
    };
    let (following, _) = search(following)?;
    Ok(Some(following.bill(1)))
}

/// Searches a time, or the beginning of it where it has too much; gives what was searched and how much is there.
fn search(mut window: Window) -> Result<(Window, u64), Fault> {
    for _ in 0..SEARCHES {
        let answer = api::get(&window.path(1, 1))?;
        if answer.issue != TOO_MANY {
            return found(&answer, &window).map(|found| (window, found));
        }
        let Some(half) = window.halved() else { break };
        window = half;
    }
    Err(Fault::Unknown(format!(
        "PayPal lists at most 10000 transactions at once, and there are more within {} s of {}",
        window.length_s(),
        time(&window.day, window.from_s)
    )))
}

fn found(answer: &Answer, window: &Window) -> Result<u64, Fault> {
    if !answer.is_done() {
        return Err(meaning::of_refusal(answer));
    }
    let refreshed = answer.text("/last_refreshed_datetime");
    let refreshed = refreshed.unwrap_or_default();
    let complete = second(&refreshed)
        .is_some_and(|(day, second)| (day, second) >= (window.day.as_str(), window.until_s));
    if !complete {
        return Err(Fault::Unknown(format!(
            "PayPal's reports are complete until {refreshed} only: they are up to three hours behind, ask again then"
        )));
    }
    let total = answer.body.pointer("/total_items");
    total.and_then(serde_json::Value::as_u64).ok_or_else(|| {
        Fault::Unknown("PayPal does not say how many transactions there are".to_owned())
    })
}

/// A page, as far as it is read.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    transaction_details: Vec<Details>,
}

#[derive(Deserialize)]
struct Details {
    transaction_info: Transaction,
}

#[derive(Deserialize)]
struct Transaction {
    transaction_id: String,
    transaction_event_code: String,
    #[serde(default)]
    transaction_status: String,
    transaction_amount: Amount,
    paypal_reference_id: Option<String>,
    invoice_id: Option<String>,
    custom_field: Option<String>,
}

#[derive(Deserialize)]
struct Amount {
    currency_code: String,
    value: String,
}

/// Reads a page.
pub(crate) fn rows(page: &[u8]) -> Result<Vec<BillRow>, Fault> {
    let page: Page = serde_json::from_slice(page).map_err(|error| unread(&error))?;
    let rows = page.transaction_details.iter();
    rows.filter_map(|details| row(&details.transaction_info).transpose())
        .collect()
}

/// Payments that came (`T00nn`), and money that went back: a payment's reversal (`T1106`), its refund (`T1107`), a
/// chargeback (`T1201`). What the merchant paid, fees, transfers and holds are no business of a domain's payments.
/// Source: the official page "Transaction event codes".
fn row(transaction: &Transaction) -> Result<Option<BillRow>, Fault> {
    // Pending and denied ones moved nothing; what was reversed did, and its reversal is a transaction of its own.
    if !matches!(transaction.transaction_status.as_str(), "S" | "V") {
        return Ok(None);
    }
    let code = transaction.transaction_event_code.as_str();
    let Amount {
        currency_code,
        value,
    } = &transaction.transaction_amount;
    let (out, value) = match value.strip_prefix('-') {
        Some(value) => (true, value),
        None => (false, value.as_str()),
    };
    let back = match (code, out) {
        ("T1106" | "T1107" | "T1201", true) => true,
        (code, false) if code.starts_with("T00") => false,
        _ => return Ok(None),
    };
    let odd = |error: &dyn std::fmt::Display| {
        Fault::Unknown(format!("the bill has an amount that is {error}"))
    };
    let currency = Currency::parse(currency_code).map_err(|error| odd(&error))?;
    let money = Money::from_decimal(value, currency).map_err(|error| odd(&error))?;
    let nothing = Money::from_decimal("0", currency).map_err(|error| odd(&error))?;
    let state = format!("{code} {}", transaction.transaction_status);
    Ok(Some(if back {
        refund(transaction, state, (nothing, money))
    } else {
        payment(transaction, state, (money, nothing))
    }))
}

/// An order has the attempt's number in both fields; what was not ordered here is called by PayPal's number.
fn payment(
    transaction: &Transaction,
    state: String,
    (amount, refunded): (Money, Money),
) -> BillRow {
    let own = number(&transaction.custom_field).or(number(&transaction.invoice_id));
    BillRow {
        trade_no: own.unwrap_or(&transaction.transaction_id).to_owned(),
        transaction_id: transaction.transaction_id.clone(),
        state,
        amount,
        refunded,
        refund_no: None,
    }
}

/// A refund has the attempt's number in one field and its own in the other, where it was ordered here; one that was made
/// at PayPal refers to the payment by PayPal's number, and has but PayPal's own.
fn refund(transaction: &Transaction, state: String, (amount, refunded): (Money, Money)) -> BillRow {
    let trade = number(&transaction.custom_field);
    let own =
        number(&transaction.invoice_id).filter(|own| trade.is_some_and(|trade| trade != *own));
    let refers_to = transaction.paypal_reference_id.as_deref();
    BillRow {
        trade_no: trade.unwrap_or_default().to_owned(),
        transaction_id: refers_to.unwrap_or_default().to_owned(),
        state,
        amount,
        refunded,
        refund_no: Some(own.unwrap_or(&transaction.transaction_id).to_owned()),
    }
}

fn number(field: &Option<String>) -> Option<&str> {
    field
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

fn unread(error: &serde_json::Error) -> Fault {
    Fault::Unknown(format!("PayPal's report cannot be read: {error}"))
}
