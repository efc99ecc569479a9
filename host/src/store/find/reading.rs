//! Questions as callers write them: a JSON object of names and what their values have to be like. After the original's
//! language: <https://github.com/zozoh/walnut>, `core/indexer`.
//!
//! | written | means |
//! |---|---|
//! | `'tea'`, `100`, `true` | equal |
//! | `[…]` | any of these, each written like a single one |
//! | `null`, `''` | there is no value; there is one |
//! | `'^…'` | a text that the regular expression takes, from its beginning |
//! | `'20*7'` | the same, where `*` stands for any text |
//! | `'[100,200]'`, `'(100,]'`, `'[,now-1h)'` | a number or a time in between; round brackets leave the end out |
//! | `'2026-11-23'`, `'today'` of a time | that day |
//! | `'!…'`, or `!` before the name | the contrary |
//! | `{'%gt':…}`, `%gte %lt %lte %ne %in %nin %exists` | each of these; `$` does as well as `%` |
//! | `'%or': [{…},{…}]`, `'%and'` | any, or each, of these objects |

use std::ops::Bound;

use serde_json::{Map, Value};

use super::Find;
use super::column::{Absent, Column, Kind, Operand};
use super::condition::{Condition, Interval, Subject, Test};
use super::error::{FindError, shown};
use super::moments::Clock;
use super::pattern::Pattern;

/// Objects within objects.
const MAX_DEPTH: usize = 8;

/// The longest name, in bytes.
const MAX_NAME: usize = 200;

/// Reads an object of conditions, all of which have to hold.
pub(super) fn object(matching: &Map<String, Value>, clock: &Clock) -> Result<Condition, FindError> {
    Reader { clock }.all(matching, 0)
}

struct Reader<'a> {
    clock: &'a Clock,
}

impl Reader<'_> {
    fn all(&self, matching: &Map<String, Value>, depth: usize) -> Result<Condition, FindError> {
        let parts = matching
            .iter()
            .map(|(name, value)| self.named(name, value, depth));
        Ok(Condition::All(parts.collect::<Result<_, _>>()?))
    }

    fn named(&self, name: &str, value: &Value, depth: usize) -> Result<Condition, FindError> {
        if let Some(rest) = name.strip_prefix('!') {
            return Ok(self.named(rest.trim(), value, depth)?.negated());
        }
        if let Some(joined) = operator(name) {
            return self.joined(name, joined, value, depth);
        }
        if name.is_empty() || name.len() > MAX_NAME {
            let problem = format!("a name has 1 to {MAX_NAME} bytes");
            return Err(unreadable(&shown(&name), &value.to_string(), problem));
        }
        let subject = match Column::named(name) {
            Some(column) => Subject::Column(column),
            None => Subject::Field(name.to_owned()),
        };
        self.of(&Named { name, subject }, value, depth)
    }

    /// `%or`, `%and`
    fn joined(
        &self,
        name: &str,
        joined: &str,
        value: &Value,
        depth: usize,
    ) -> Result<Condition, FindError> {
        let wrong = |expected| FindError::WrongType {
            column: name.to_owned(),
            expected,
            found: shown(value),
        };
        let (Value::Array(items), "or" | "and") = (value, joined) else {
            return Err(match joined {
                "or" | "and" => wrong("a list of objects"),
                _ => unreadable(
                    name,
                    &value.to_string(),
                    "only %or and %and stand at the top".to_owned(),
                ),
            });
        };
        deep(name, depth)?;
        let parts = items.iter().map(|item| match item {
            Value::Object(matching) => self.all(matching, depth + 1),
            _ => Err(wrong("a list of objects")),
        });
        let parts = parts.collect::<Result<_, _>>()?;
        Ok(match joined {
            "or" => Condition::Any(parts),
            _ => Condition::All(parts),
        })
    }

    fn of(&self, named: &Named<'_>, value: &Value, depth: usize) -> Result<Condition, FindError> {
        match value {
            Value::Null => Ok(named.is(Test::Given).negated()),
            Value::Array(values) => self.any(named, values, depth),
            Value::Object(operators) => self.operators(named, operators, depth),
            Value::String(text) => self.text(named, text),
            plain => named.equal(plain),
        }
    }

    fn any(
        &self,
        named: &Named<'_>,
        values: &[Value],
        depth: usize,
    ) -> Result<Condition, FindError> {
        if values.len() > Find::MAX_VALUES {
            return Err(FindError::TooManyValues {
                column: named.name.to_owned(),
                given: values.len(),
            });
        }
        deep(named.name, depth)?;
        let parts = values.iter().map(|value| match value {
            // In a list a text without letters is just that.
            Value::String(text) if text.is_empty() => named.equal(value),
            value => self.of(named, value, depth + 1),
        });
        Ok(Condition::Any(parts.collect::<Result<_, _>>()?))
    }

    /// `{'%gte': 100, '%lt': 200}`
    fn operators(
        &self,
        named: &Named<'_>,
        operators: &Map<String, Value>,
        depth: usize,
    ) -> Result<Condition, FindError> {
        deep(named.name, depth)?;
        let mut parts = Vec::new();
        for (name, value) in operators {
            let Some(operator) = operator(name) else {
                // A nested object, as it stands in what callers added.
                if matches!(named.subject, Subject::Field(_)) {
                    let path = format!("{}.{name}", named.name);
                    parts.push(self.named(&path, value, depth + 1)?);
                    continue;
                }
                return Err(FindError::WrongType {
                    column: named.name.to_owned(),
                    expected: "a value, or operators such as %gt",
                    found: shown(name),
                });
            };
            let end = || self.end(named, value);
            let within = |low, high| named.is(Test::Within(Interval { low, high }));
            parts.push(match operator {
                "gt" => within(Bound::Excluded(end()?), Bound::Unbounded),
                "gte" => within(Bound::Included(end()?), Bound::Unbounded),
                "lt" => within(Bound::Unbounded, Bound::Excluded(end()?)),
                "lte" => within(Bound::Unbounded, Bound::Included(end()?)),
                "ne" => self.of(named, value, depth + 1)?.negated(),
                "in" | "nin" => {
                    let Value::Array(values) = value else {
                        return Err(
                            named.unreadable(&value.to_string(), format!("{name} takes a list"))
                        );
                    };
                    let any = self.any(named, values, depth)?;
                    if operator == "in" { any } else { any.negated() }
                }
                "exists" => match value {
                    Value::Bool(true) => named.is(Test::Given),
                    Value::Bool(false) => named.is(Test::Given).negated(),
                    _ => {
                        return Err(named
                            .unreadable(&value.to_string(), format!("{name} is true or false")));
                    }
                },
                _ => {
                    let problem =
                        format!("{name} is none of %gt %gte %lt %lte %ne %in %nin %exists");
                    return Err(named.unreadable(&value.to_string(), problem));
                }
            });
        }
        Ok(Condition::All(parts))
    }

    fn text(&self, named: &Named<'_>, text: &str) -> Result<Condition, FindError> {
        if let Some(rest) = text.strip_prefix('!') {
            let rest = rest.trim();
            return Ok(match rest {
                // Anything but nothing.
                "" => named.is(Test::Given),
                rest => self.text(named, rest)?.negated(),
            });
        }
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(named.is(Test::Given));
        }
        if trimmed.starts_with('^') {
            let pattern =
                Pattern::parse(trimmed).map_err(|problem| named.unreadable(trimmed, problem))?;
            return named.like(pattern, trimmed);
        }
        if let Some(interval) = self.interval(named, trimmed)? {
            return Ok(interval);
        }
        if named.kind() == Some(Kind::Time) {
            return self.time(named, trimmed);
        }
        if let Some(date) = trimmed.strip_prefix("%date:") {
            let date = self
                .clock
                .dated(date)
                .map_err(|problem| named.unreadable(trimmed, problem))?;
            return named.equal(&Value::String(date));
        }
        if trimmed.starts_with("%ms:") {
            let ms = self.moment(named, trimmed)?.ms;
            return named.equal(&Value::from(ms));
        }
        if trimmed.contains('*') && named.holds_texts() {
            let pattern = Pattern::of_wildcard(trimmed)
                .map_err(|problem| named.unreadable(trimmed, problem))?;
            return named.like(pattern, trimmed);
        }
        named.equal(&Value::String(text.to_owned()))
    }

    /// A time alone: the moment, or the day.
    fn time(&self, named: &Named<'_>, text: &str) -> Result<Condition, FindError> {
        let moment = self.moment(named, text)?;
        Ok(named.is(match moment.day_ends_ms {
            Some(end) => Test::Within(Interval {
                low: Bound::Included(moment.ms),
                high: Bound::Excluded(end),
            }),
            None => Test::Equal(Operand::Integer(moment.ms)),
        }))
    }

    fn moment(&self, named: &Named<'_>, text: &str) -> Result<super::moments::Moment, FindError> {
        self.clock
            .moment(text)
            .map_err(|problem| named.unreadable(text, problem))
    }

    /// `[100,200]`, `(100,]`, `[,now-1h)`, and `[100]` and `(100)` for a number and for all but it. `None` for what is no
    /// interval, or could be a text.
    fn interval(&self, named: &Named<'_>, text: &str) -> Result<Option<Condition>, FindError> {
        // `Ms[…]` says in the original what is known here from the column.
        let ends = text
            .strip_prefix("Ms")
            .or_else(|| text.strip_prefix("ms"))
            .unwrap_or(text);
        let (open, close) = match (ends.chars().next(), ends.chars().last()) {
            (Some(open @ ('[' | '(')), Some(close @ (']' | ')'))) if ends.len() > 2 => {
                (open, close)
            }
            _ => return Ok(None),
        };
        let inner = ends.get(1..ends.len() - 1).unwrap_or_default();
        let parts: Vec<&str> = inner.split(',').map(str::trim).collect();
        let numeric = named
            .kind()
            .is_none_or(|kind| matches!(kind, Kind::Integer | Kind::Time));
        let read = |text: &str| match text {
            "" => Ok(None),
            text => self.end(named, &Value::String(text.to_owned())).map(Some),
        };
        let ends: Result<Vec<Option<i64>>, FindError> = match numeric {
            true => parts.iter().map(|part| read(part)).collect(),
            false => return Ok(None),
        };
        let ends = match ends {
            Ok(ends) => ends,
            // What callers added may be a text in brackets.
            Err(_) if named.kind().is_none() => return Ok(None),
            Err(error) => return Err(error),
        };
        let (low, high) = match ends.as_slice() {
            [Some(only)] => {
                let equal = named.is(Test::Equal(Operand::Integer(*only)));
                return Ok(Some(if (open, close) == ('(', ')') {
                    equal.negated()
                } else {
                    equal
                }));
            }
            [low, high] => (*low, *high),
            _ => {
                return Err(named.unreadable(
                    text,
                    "an interval has two ends, such as [100,200]".to_owned(),
                ));
            }
        };
        let bound = |end: Option<i64>, closed| match end {
            None => Bound::Unbounded,
            Some(end) if closed => Bound::Included(end),
            Some(end) => Bound::Excluded(end),
        };
        if let (Some(low), Some(high)) = (low, high)
            && low > high
        {
            return Err(named.unreadable(
                text,
                format!("{low} is more than {high}: the lower end stands first"),
            ));
        }
        Ok(Some(named.is(Test::Within(Interval {
            low: bound(low, open == '['),
            high: bound(high, close == ']'),
        }))))
    }

    /// A number, or a moment where times stand.
    fn end(&self, named: &Named<'_>, value: &Value) -> Result<i64, FindError> {
        match value {
            Value::Number(number) => number.as_i64().ok_or_else(|| {
                named.unreadable(&value.to_string(), "a whole number is expected".to_owned())
            }),
            Value::String(text) => {
                if let Ok(number) = text.parse() {
                    return Ok(number);
                }
                if named.kind() == Some(Kind::Integer) {
                    return Err(named.unreadable(text, "a whole number is expected".to_owned()));
                }
                Ok(self.moment(named, text)?.ms)
            }
            other => Err(named.unreadable(
                &other.to_string(),
                "a number or a time is expected".to_owned(),
            )),
        }
    }
}

/// A subject with the name that the caller gave it.
struct Named<'a> {
    name: &'a str,
    subject: Subject,
}

impl Named<'_> {
    /// `None` for what may hold anything.
    fn kind(&self) -> Option<Kind> {
        match &self.subject {
            Subject::Column(column) => Some(column.kind()),
            Subject::Field(_) => None,
        }
    }

    fn holds_texts(&self) -> bool {
        matches!(
            self.kind(),
            None | Some(Kind::Text | Kind::Id | Kind::Word(_))
        )
    }

    fn is(&self, test: Test) -> Condition {
        match (&self.subject, &test) {
            // What every payment has needs no look.
            (Subject::Column(column), Test::Given) if column.absent() == Absent::Never => {
                Condition::always()
            }
            _ => Condition::Is(self.subject.clone(), test),
        }
    }

    fn equal(&self, value: &Value) -> Result<Condition, FindError> {
        let operand = match (&self.subject, value) {
            (Subject::Column(column), value) => column.operand(value)?,
            (Subject::Field(_), Value::String(text)) => Operand::Text(text.clone()),
            (Subject::Field(_), value) => match value.as_i64() {
                Some(number) => Operand::Integer(number),
                None => Operand::Json(value.clone()),
            },
        };
        Ok(self.is(Test::Equal(operand)))
    }

    /// A pattern of words is the words that it takes.
    fn like(&self, pattern: Pattern, text: &str) -> Result<Condition, FindError> {
        let of_texts = |words: &mut dyn Iterator<Item = &str>| {
            let equal = |word: &str| self.is(Test::Equal(Operand::Text(word.to_owned())));
            Condition::Any(words.map(equal).collect())
        };
        match self.kind() {
            Some(Kind::Word(words)) => Ok(of_texts(
                &mut words.all.iter().copied().filter(|word| pattern.takes(word)),
            )),
            // Callers say RMB.
            Some(Kind::Currency) if pattern.words().is_some() => {
                let words = pattern.words().unwrap_or_default();
                let each = words.iter().map(|word| self.equal(&Value::from(*word)));
                Ok(Condition::Any(each.collect::<Result<_, _>>()?))
            }
            None | Some(Kind::Text | Kind::Id | Kind::Currency) => match pattern.words() {
                Some(words) if words.len() <= Find::MAX_VALUES => {
                    Ok(of_texts(&mut words.into_iter()))
                }
                _ => Ok(self.is(Test::Like(pattern))),
            },
            Some(Kind::Integer | Kind::Time | Kind::Flag) => Err(self.unreadable(
                text,
                "a pattern is for texts; a number is in an interval, such as [100,200]".to_owned(),
            )),
        }
    }

    fn unreadable(&self, found: &str, problem: String) -> FindError {
        unreadable(self.name, found, problem)
    }
}

fn unreadable(name: &str, found: &str, problem: String) -> FindError {
    FindError::Unreadable {
        column: name.to_owned(),
        found: shown(&found),
        problem,
    }
}

/// `%or` or `$or` as `or`.
fn operator(name: &str) -> Option<&str> {
    name.strip_prefix(['%', '$'])
}

fn deep(name: &str, depth: usize) -> Result<(), FindError> {
    match depth < MAX_DEPTH {
        true => Ok(()),
        false => Err(unreadable(
            name,
            "…",
            format!("more than {MAX_DEPTH} lists and objects in each other"),
        )),
    }
}
