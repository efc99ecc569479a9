//! Lists as the original prints them: a table of chosen columns, or JSON.
//!
//! ```text
//! # | id   | fee  | brief
//! --+------+------+---------
//! 0 | 0197 | 2300 | 一杯咖啡
//! --+------+------+---------
//! total 1 items
//! ```

use clap::Args;
use jiff::tz::TimeZone;
use regex::Regex;
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use super::error::CliError;
use super::show::{self, Style};
use super::times::{DEFAULT_PATTERN, Pattern};

/// How a list is printed: the flags of `obj`, which `pay query` has too.
#[derive(Args, Clone, Default, Debug)]
pub(super) struct ListFlags {
    /// Columns of a table, such as id,fee,st,ct:time,lm:time:yyyy-MM-dd. Without it: JSON
    #[arg(short = 't', long = "table", value_name = "COLUMNS")]
    pub(super) table: Option<String>,
    /// Table: lines between the columns
    #[arg(short = 'b', long)]
    pub(super) border: bool,
    /// Table: number the rows in a column #
    #[arg(short = 'i', long)]
    pub(super) index: bool,
    /// Table: say below how many there are
    #[arg(short = 's', long)]
    pub(super) summary: bool,
    /// Table: name the columns
    #[arg(short = 'h', long)]
    pub(super) header: bool,
    /// Table: the number of the first row
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) ibase: i64,
    /// JSON: in one line
    #[arg(short = 'c', long)]
    pub(super) compact: bool,
    /// JSON: keys in quotes, as other programs need them
    #[arg(short = 'q', long)]
    pub(super) quote: bool,
    /// JSON: fields that are null too
    #[arg(short = 'n', long)]
    pub(super) nulls: bool,
    /// JSON: a list even when there is one item
    #[arg(short = 'l', long)]
    pub(super) list: bool,
    /// Only fields whose name matches; a leading ! turns it round
    #[arg(short = 'e', long = "keys", value_name = "REGEX")]
    pub(super) keys: Option<String>,
}

/// Where in the whole result a list stands, as the host tells it with `-pager`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pager {
    /// How many there are in all, where that was counted.
    pub(super) total: Option<u64>,
    /// How many stand before the list.
    pub(super) skip: u64,
    /// How many a page has.
    pub(super) limit: u64,
}

/// Prints `items` by the flags; `pager` where the host was asked for it.
pub(super) fn list(
    flags: &ListFlags,
    items: Vec<Map<String, Value>>,
    pager: Option<(Pager, Value)>,
    zone: &TimeZone,
) -> Result<String, CliError> {
    let items = match &flags.keys {
        Some(keys) => pick(items, keys)?,
        None => items,
    };
    if let Some(columns) = &flags.table {
        let columns = Column::parse_all(columns)?;
        return Ok(table(
            flags,
            &columns,
            &items,
            pager.map(|(pager, _)| pager),
            zone,
        ));
    }
    let style = Style {
        compact: flags.compact,
        quote: flags.quote,
        nulls: flags.nulls,
    };
    let mut items: Vec<Value> = items.into_iter().map(Value::Object).collect();
    let value = match pager {
        Some((_, pager)) => serde_json::json!({ "list": items, "pager": pager }),
        None if items.len() == 1 && !flags.list => items.pop().unwrap_or_default(),
        None => Value::Array(items),
    };
    Ok(show::json(&value, style))
}

fn pick(items: Vec<Map<String, Value>>, keys: &str) -> Result<Vec<Map<String, Value>>, CliError> {
    let (pattern, wanted) = match keys.strip_prefix('!') {
        Some(pattern) => (pattern.trim(), false),
        None => (keys, true),
    };
    let regex = Regex::new(pattern).map_err(|error| {
        CliError::usage(format!("-e {keys:?} is no regular expression: {error}"))
    })?;
    let pick_one = |mut item: Map<String, Value>| {
        item.retain(|key, _| regex.is_match(key) == wanted);
        item
    };
    Ok(items.into_iter().map(pick_one).collect())
}

/// One column: a key, or keys joined by dots, and how its values are shown.
pub(super) struct Column {
    pub(super) key: String,
    time: Option<Pattern>,
}

impl Column {
    pub(super) fn parse_all(text: &str) -> Result<Vec<Column>, CliError> {
        let columns: Vec<Column> = text
            .split(',')
            .map(str::trim)
            .filter(|column| !column.is_empty())
            .map(Column::parse)
            .collect::<Result<_, _>>()?;
        if columns.is_empty() {
            return Err(CliError::usage(
                "-t names no column, such as -t id,fee,st,ct:time",
            ));
        }
        Ok(columns)
    }

    fn parse(text: &str) -> Result<Column, CliError> {
        let (key, format) = match text.split_once(':') {
            Some((key, format)) => (key, Some(format)),
            None => (text, None),
        };
        let time = match format {
            None => None,
            Some("time") => Some(Pattern::parse(DEFAULT_PATTERN)?),
            Some(format) => match format.strip_prefix("time:") {
                Some(pattern) => Some(Pattern::parse(pattern)?),
                None => {
                    return Err(CliError::usage(format!(
                        "the column {text:?} has an unknown format: use {key}:time or \
                         {key}:time:{DEFAULT_PATTERN}"
                    )));
                }
            },
        };
        Ok(Column {
            key: key.to_owned(),
            time,
        })
    }

    fn cell(&self, item: &Map<String, Value>, zone: &TimeZone) -> String {
        show::on_one_line(&self.text(item, zone))
    }

    /// The item's value in it, as it is.
    pub(super) fn text(&self, item: &Map<String, Value>, zone: &TimeZone) -> String {
        let value = item.get(&self.key).or_else(|| {
            let (first, rest) = self.key.split_once('.')?;
            rest.split('.')
                .try_fold(item.get(first)?, |value, key| value.get(key))
        });
        match (value, &self.time) {
            (None | Some(Value::Null), _) => String::new(),
            // 0 is "has not happened", not 1970.
            (Some(value), Some(_)) if value.as_i64() == Some(0) => "-".to_owned(),
            (Some(value), Some(pattern)) => value
                .as_i64()
                .and_then(|ams| pattern.format(ams, zone))
                .unwrap_or_else(|| value.to_string()),
            (Some(Value::String(text)), None) => text.clone(),
            (Some(value), None) => value.to_string(),
        }
    }
}

fn table(
    flags: &ListFlags,
    columns: &[Column],
    items: &[Map<String, Value>],
    pager: Option<Pager>,
    zone: &TimeZone,
) -> String {
    let mut rows: Vec<Vec<String>> = Vec::with_capacity(items.len() + 1);
    if flags.header {
        let names = columns.iter().map(|column| column.key.clone());
        rows.push(
            flags
                .index
                .then(|| "#".to_owned())
                .into_iter()
                .chain(names)
                .collect(),
        );
    }
    for (number, item) in (flags.ibase..).zip(items) {
        let cells = columns.iter().map(|column| column.cell(item, zone));
        rows.push(
            flags
                .index
                .then(|| number.to_string())
                .into_iter()
                .chain(cells)
                .collect(),
        );
    }

    let mut widths = vec![0; columns.len() + usize::from(flags.index)];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    let (between_cells, between_rules) = if flags.border {
        (" | ", "-+-")
    } else {
        ("  ", "--")
    };
    let rule = widths
        .iter()
        .map(|width| "-".repeat(*width))
        .collect::<Vec<_>>()
        .join(between_rules);

    let mut lines = Vec::with_capacity(rows.len() + 3);
    for (number, row) in rows.iter().enumerate() {
        lines.push(line(row, &widths, between_cells));
        if number == 0 && flags.header {
            lines.push(rule.clone());
        }
    }
    if flags.summary {
        lines.push(rule);
        lines.push(summary(items.len() as u64, pager));
    }
    lines.join("\n")
}

/// Left-aligned, with nothing behind the last cell.
fn line(row: &[String], widths: &[usize], between: &str) -> String {
    let mut out = String::new();
    for (number, (cell, width)) in row.iter().zip(widths).enumerate() {
        if number > 0 {
            out.push_str(between);
        }
        out.push_str(cell);
        if number + 1 < row.len() {
            out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
        }
    }
    out
}

fn summary(shown: u64, pager: Option<Pager>) -> String {
    let Some(Pager {
        total: Some(total),
        skip,
        limit,
    }) = pager
    else {
        return format!("total {shown} items");
    };
    let page_size = limit.max(1);
    let page = skip / page_size + 1;
    let pages = total.div_ceil(page_size).max(1);
    format!("total {shown}/{total} items, skip {skip} page {page}/{pages}, {limit} per page")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn items() -> Vec<Map<String, Value>> {
        let rows = json!([
            {"id": "0197", "buyer_nm": "xiaobai", "fee": 2300, "st": "OK", "re_tp": null,
             "ct": 1_550_072_052_007_i64, "send_at": 0, "brief": "一杯咖啡", "zfb": {"trade_no": "1"}},
            {"id": "0198aa", "buyer_nm": "小白", "fee": 0, "st": "NEW", "re_tp": "QRCODE",
             "ct": 1_550_072_052_007_i64, "send_at": 1_550_072_052_007_i64, "brief": "tea\nx"},
        ]);
        serde_json::from_value(rows).unwrap()
    }

    fn flags(text: &str) -> ListFlags {
        ListFlags {
            table: Some("id,buyer_nm,fee,st,brief".to_owned()),
            border: text.contains('b'),
            index: text.contains('i'),
            summary: text.contains('s'),
            header: text.contains('h'),
            ..ListFlags::default()
        }
    }

    fn printed(flags: &ListFlags) -> String {
        list(flags, items(), None, &TimeZone::fixed(jiff::tz::offset(8))).unwrap()
    }

    #[test]
    fn bish_is_the_whole_table() {
        assert_eq!(
            printed(&flags("bish")),
            "\
# | id     | buyer_nm | fee  | st  | brief
--+--------+----------+------+-----+---------
0 | 0197   | xiaobai  | 2300 | OK  | 一杯咖啡
1 | 0198aa | 小白     | 0    | NEW | tea\\nx
--+--------+----------+------+-----+---------
total 2 items"
        );
    }

    #[test]
    fn each_flag_does_its_own_part() {
        assert_eq!(
            printed(&flags("")),
            "\
0197    xiaobai  2300  OK   一杯咖啡
0198aa  小白     0     NEW  tea\\nx"
        );
        let five = ListFlags {
            ibase: 5,
            ..flags("hi")
        };
        assert_eq!(
            printed(&five),
            "\
#  id      buyer_nm  fee   st   brief
----------------------------------------
5  0197    xiaobai   2300  OK   一杯咖啡
6  0198aa  小白      0     NEW  tea\\nx"
        );
    }

    #[test]
    fn nothing_found_is_an_empty_table() {
        let zone = TimeZone::UTC;
        assert_eq!(
            list(&flags("bish"), Vec::new(), None, &zone).unwrap(),
            "\
# | id | buyer_nm | fee | st | brief
--+----+----------+-----+----+------
--+----+----------+-----+----+------
total 0 items"
        );
        assert_eq!(
            list(&ListFlags::default(), Vec::new(), None, &zone).unwrap(),
            "[]"
        );
    }

    #[test]
    fn times_missing_fields_and_paths() {
        let columns = "id,ct:time,ct:time:yyyy-MM-dd,ct,send_at:time:HH:mm,re_tp,zfb.trade_no,nope";
        let flags = ListFlags {
            table: Some(columns.to_owned()),
            border: true,
            ..flags("")
        };
        assert_eq!(
            printed(&flags),
            "\
0197   | 2019-02-13 23:34:12 | 2019-02-13 | 1550072052007 | -     |        | 1 | \n\
0198aa | 2019-02-13 23:34:12 | 2019-02-13 | 1550072052007 | 23:34 | QRCODE |   | "
        );
        for wrong in ["", " , ", "ct:date", "ct:time:yyyy-ww"] {
            let flags = ListFlags {
                table: Some(wrong.to_owned()),
                ..flags.clone()
            };
            assert!(
                list(&flags, items(), None, &TimeZone::UTC).is_err(),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn the_pager_says_where_the_list_stands() {
        let pager = Pager {
            total: Some(57),
            skip: 0,
            limit: 10,
        };
        assert_eq!(
            summary(3, Some(pager)),
            "total 3/57 items, skip 0 page 1/6, 10 per page"
        );
        assert_eq!(
            summary(7, Some(Pager { skip: 50, ..pager })),
            "total 7/57 items, skip 50 page 6/6, 10 per page"
        );
        let flags = ListFlags {
            compact: true,
            keys: Some("^id$".to_owned()),
            ..Default::default()
        };
        let told = json!({"total": 57, "skip": 0, "limit": 10});
        assert_eq!(
            list(&flags, items(), Some((pager, told)), &TimeZone::UTC).unwrap(),
            r#"{list:[{id:"0197"},{id:"0198aa"}],pager:{total:57,skip:0,limit:10}}"#
        );
    }

    #[test]
    fn json_is_an_object_for_one_and_a_list_for_more() {
        let one = || vec![items().remove(0)];
        let flags = ListFlags {
            compact: true,
            keys: Some("!^(ct|zfb|brief|.*_.*)$".to_owned()),
            ..Default::default()
        };
        let print = |flags: &ListFlags, items| list(flags, items, None, &TimeZone::UTC).unwrap();
        assert_eq!(print(&flags, one()), r#"{id:"0197",fee:2300,st:"OK"}"#);
        let listed = ListFlags {
            list: true,
            quote: true,
            ..flags.clone()
        };
        assert_eq!(
            print(&listed, one()),
            r#"[{"id":"0197","fee":2300,"st":"OK"}]"#
        );
        assert!(print(&flags, items()).starts_with("[{"));
        let wrong = ListFlags {
            keys: Some("(".to_owned()),
            ..Default::default()
        };
        assert!(list(&wrong, one(), None, &TimeZone::UTC).is_err());
    }
}
