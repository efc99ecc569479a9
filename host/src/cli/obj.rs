//! `walnut obj /var/payment …`: payments as the original's object command shows them.

mod csv;

use clap::{ArgAction, Args};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::client::{Call, Client};
use super::error::CliError;
use super::input;
use super::output::Output;
use super::table::{self, ListFlags, Pager};

/// Where the payments stand (系统所有的支付单都存在 `/var/payment` 目录下).
const PAYMENTS: &str = "/var/payment";

/// `walnut obj`
#[derive(Args)]
pub(super) struct Obj {
    /// /var/payment, or /var/payment/<id>
    path: String,
    /// Only payments that are like this: {st:'OK'}, {st:[OK,WAIT]}, {fee:'[100,200]'}, {brief:'^tea'}, {ct:'today'},
    /// {'or.id':'A1'}
    #[arg(long = "match", value_name = "JSON")]
    matching: Option<String>,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    list: ListFlags,
    /// Explain the command
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// Which part of the result, and in which order.
#[derive(Args, Default)]
pub(super) struct Page {
    /// Order: key:1 upwards, key:-1 downwards, several by comma
    #[arg(long, value_name = "KEY:±1")]
    sort: Option<String>,
    /// Leave out so many at the start
    #[arg(long, value_name = "N")]
    skip: Option<u64>,
    /// At most so many; the host's own limit is 10
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Count all that match, and say where this part stands
    #[arg(long)]
    pager: bool,
    /// Go on behind an earlier part: its `next`, or '' to begin a way of many parts
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
    /// All that match as CSV, however many: the columns of -t, or the usual ones
    #[arg(long, conflicts_with_all = ["pager", "after"])]
    csv: bool,
}

impl Obj {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        match payment_id(&self.path)? {
            Some(id) => {
                let payment = client.call(get(id)).await?;
                print_list(&self.list, vec![payment], None)
            }
            None => {
                let matching = match &self.matching {
                    Some(text) => input::relaxed_object("-match", text)?,
                    None => Map::new(),
                };
                query(client, matching, &self.page, &self.list).await
            }
        }
    }
}

/// The id in `/var/payment/<id>`, or `None` for all payments.
pub(super) fn payment_id(path: &str) -> Result<Option<&str>, CliError> {
    let below = path
        .strip_prefix(PAYMENTS)
        .and_then(|rest| match rest.strip_prefix('/') {
            Some(id) => Some(id.trim_end_matches('/')),
            None => rest.is_empty().then_some(""),
        });
    match below {
        Some("") => Ok(None),
        Some(id) if !id.contains('/') => Ok(Some(id)),
        _ => Err(CliError::usage(format!(
            "{path:?} is not here: walnut keeps payments, as {PAYMENTS} and {PAYMENTS}/<id>"
        ))),
    }
}

/// Asks for one payment.
pub(super) fn get(id: &str) -> Call {
    Call::get(&["pay", "ajax", "get"]).query("id", id)
}

/// Asks for the payments that match and prints them.
pub(super) async fn query(
    client: &Client,
    matching: Map<String, Value>,
    page: &Page,
    flags: &ListFlags,
) -> Result<Output, CliError> {
    if page.csv {
        return csv::export(client, &matching, page, flags.table.as_deref()).await;
    }
    let (items, pager) = part(client, &matching, page).await?;
    print_list(flags, items, pager)
}

/// Asks for a part of the payments that match, and where it stands.
async fn part(
    client: &Client,
    matching: &Map<String, Value>,
    page: &Page,
) -> Result<(Vec<Value>, Option<Value>), CliError> {
    match client.call(query_call(matching, page)?).await? {
        Value::Array(items) => Ok((items, None)),
        Value::Object(mut paged) => match paged.remove("list") {
            Some(Value::Array(items)) => Ok((items, paged.remove("pager"))),
            _ => Err(odd_list()),
        },
        _ => Err(odd_list()),
    }
}

fn query_call(matching: &Map<String, Value>, page: &Page) -> Result<Call, CliError> {
    let sort = page.sort.as_deref().map(order).transpose()?;
    Ok(Call::get(&["pay", "ajax", "query"])
        .query("match", serde_json::to_string(matching).unwrap_or_default())
        .query_opt("sort", sort)
        .query_opt("skip", page.skip)
        .query_opt("limit", page.limit)
        .query_opt("pager", page.pager.then_some(true))
        .query_opt("after", page.after.as_deref())
        // Where the person is, a day begins by the clock on the wall.
        .query_opt("tz", TimeZone::system().iana_name()))
}

/// `lm:-1`, `{lm:-1,id:1}` and the like as `lm:-1,id:1`, in the order in which they stand.
fn order(text: &str) -> Result<String, CliError> {
    let wrong = || {
        CliError::usage(format!(
            "-sort {text:?} is no order: give key:1 or key:-1, several by comma, such as lm:-1"
        ))
    };
    let inner = text.trim();
    let inner = match inner.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}').ok_or_else(wrong)?,
        None => inner,
    };
    let mut parts = Vec::new();
    for part in inner.split(',') {
        let (key, direction) = part.split_once(':').ok_or_else(wrong)?;
        let key = key.trim().trim_matches(['"', '\'']);
        let direction = direction.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if key.is_empty() || !key.chars().all(plain) || !matches!(direction, "1" | "-1") {
            return Err(wrong());
        }
        parts.push(format!("{key}:{direction}"));
    }
    Ok(parts.join(","))
}

fn print_list(
    flags: &ListFlags,
    items: Vec<Value>,
    pager: Option<Value>,
) -> Result<Output, CliError> {
    let items = items
        .into_iter()
        .map(|item| match item {
            Value::Object(item) => Ok(item),
            _ => Err(odd_list()),
        })
        .collect::<Result<_, _>>()?;
    let pager = pager
        .map(|told| {
            let number = |name: &str| told.get(name).and_then(Value::as_u64).ok_or_else(odd_list);
            let (skip, limit) = (number("skip")?, number("limit")?);
            // Counted only where that was asked.
            let total = told.get("total").map(|_| number("total")).transpose()?;
            Ok((Pager { total, skip, limit }, told))
        })
        .transpose()?;
    table::list(flags, items, pager, &TimeZone::system()).map(Output::text)
}

fn odd_list() -> CliError {
    CliError::NotWalnut {
        url: "the host".to_owned(),
        why: "its list is no list".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payments_are_the_only_objects() {
        assert_eq!(payment_id("/var/payment").unwrap(), None);
        assert_eq!(payment_id("/var/payment/").unwrap(), None);
        assert_eq!(payment_id("/var/payment/0197").unwrap(), Some("0197"));
        for elsewhere in [
            "",
            "/",
            "~",
            "/var",
            "/var/paymentx",
            "/var/payment/a/b",
            "0197",
        ] {
            assert!(payment_id(elsewhere).is_err(), "{elsewhere}");
        }
    }

    #[test]
    fn orders_keep_their_order() {
        assert_eq!(order("lm:-1").unwrap(), "lm:-1");
        assert_eq!(order("st:1, lm:-1").unwrap(), "st:1,lm:-1");
        assert_eq!(order("{'st':1,\"lm\":-1}").unwrap(), "st:1,lm:-1");
        for wrong in ["", "lm", "lm:", "lm:2", ":1", "lm:-1,", "{lm:-1", "l m:1"] {
            assert!(order(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_query_carries_strict_json() {
        let matching = input::relaxed_object("-match", "{tp:'wn_payment',st:[OK,WAIT]}").unwrap();
        let page = Page {
            sort: Some("lm:-1".to_owned()),
            limit: Some(10),
            ..Page::default()
        };
        let call = query_call(&matching, &page).unwrap();
        let asked = call.query.iter().filter(|(name, _)| *name != "tz").cloned();
        assert_eq!(
            asked.collect::<Vec<_>>(),
            [
                (
                    "match",
                    r#"{"tp":"wn_payment","st":["OK","WAIT"]}"#.to_owned()
                ),
                ("sort", "lm:-1".to_owned()),
                ("limit", "10".to_owned()),
            ]
        );
    }
}
