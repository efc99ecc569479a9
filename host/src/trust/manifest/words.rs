//! A manifest in English, for the person who approves it.

mod schemes;

use super::Manifest;
use super::parts::{
    AccountRule, Claim, CurrencyRule, PayType, Reach, RefundClaim, Reply, RequestTrade, Resend,
    TradeRule, Unit,
};
use super::settings::Setting;
use crate::trust::pointer::Pointer;
use schemes::{identity_line, scheme_line, template_line};

/// One line for each thing that the manifest allows.
pub(super) fn in_words(manifest: &Manifest) -> Vec<String> {
    let title = manifest.title.get("en").map_or("", String::as_str);
    let version = told(&manifest.version);
    let mut lines = vec![format!("{} {version}: {title:?}", manifest.name)];
    lines.extend(
        manifest
            .pay_types
            .iter()
            .map(|(name, pay_type)| pay_type_line(name, pay_type)),
    );
    if manifest.reach.is_empty() {
        lines.push("It may send nothing to anybody.".to_owned());
    }
    lines.extend(manifest.reach.iter().map(reach_line));
    lines.extend(
        manifest
            .settings
            .iter()
            .filter_map(|(name, setting)| secret_line(name, setting)),
    );
    lines.extend(
        manifest
            .schemes
            .iter()
            .map(|(name, scheme)| scheme_line(name, scheme)),
    );
    lines.extend(
        manifest
            .templates
            .iter()
            .map(|(name, template)| template_line(name, template)),
    );
    lines.extend(
        manifest
            .identities
            .iter()
            .map(|(name, identity)| identity_line(name, identity)),
    );
    if let Some(bill) = &manifest.bill {
        lines.push(format!(
            "A bill that the provider finds is fetched by the host, signed by {}{}.",
            bill.auth,
            if bill.whole {
                ", and read as a whole"
            } else {
                ""
            }
        ));
    }
    lines.push(match manifest.refund_days {
        Some(0) => "The platform gives nothing back.".to_owned(),
        Some(days) => format!("What was paid may be given back for {days} days."),
        None => "How long what was paid may be given back is not said, so paid payments are never removed.".to_owned(),
    });
    if manifest.claims.is_empty() {
        lines.push("No statement of anybody settles a payment.".to_owned());
    }
    lines.extend(
        manifest
            .claims
            .iter()
            .map(|(name, claim)| claim_line(name, claim)),
    );
    lines.extend(
        manifest
            .refunds
            .iter()
            .map(|(name, claim)| refund_line(name, claim)),
    );
    if manifest
        .pay_types
        .values()
        .any(|pay_type| pay_type.notifies)
    {
        lines.push(format!(
            "A notification is answered with {} when it is recorded, and with {} otherwise.",
            reply_words(&manifest.replies.taken),
            reply_words(&manifest.replies.again),
        ));
    }
    lines
}

fn pay_type_line(name: &str, pay_type: &PayType) -> String {
    let PayType {
        title,
        notifies,
        closable,
        reversible,
        resend,
        valid_s,
        args,
    } = pay_type;
    let valid = match valid_s {
        0 => "is paid at once".to_owned(),
        s if s % 3600 == 0 => format!("can be paid for {} h", s / 3600),
        s => format!("can be paid for {s} s"),
    };
    let args: String = args
        .iter()
        .map(|argument| {
            let optional = if argument.optional {
                "may give"
            } else {
                "gives"
            };
            format!("; the caller {optional} {:?}", argument.what)
        })
        .collect();
    format!(
        "Pay type {name} ({:?}): {valid}; the platform {}; an unpaid trade {}; an order whose fate is \
         unknown {}{}{args}.",
        title.get("en").map_or("", String::as_str),
        if *notifies {
            "notifies"
        } else {
            "does not notify"
        },
        if *closable {
            "can be closed"
        } else {
            "cannot be closed"
        },
        match resend {
            Resend::Same => "may be sent again unchanged",
            Resend::Never => "is never sent again",
        },
        if *reversible {
            "; a trade of unknown end is undone at its deadline"
        } else {
            ""
        }
    )
}

fn reach_line(reach: &Reach) -> String {
    let places = |hosts: &[String]| match hosts {
        [] => "nowhere".to_owned(),
        hosts => {
            let place = |host: &String| format!("https://{host}{}", reach.path);
            hosts.iter().map(place).collect::<Vec<_>>().join(" and ")
        }
    };
    let own = reach
        .test_gateway
        .as_ref()
        .map_or_else(String::new, |setting| {
            format!(", or to the address in their setting {setting}")
        });
    let parts: String = reach
        .parts
        .iter()
        .map(|(name, grammar)| format!(", with {} for {{{name}}}", grammar.in_words()))
        .collect();
    let operation = reach
        .operation
        .as_ref()
        .map_or_else(String::new, |operation| {
            format!(
                ", only with {} = {}",
                operation.field,
                list(&told_all(&operation.one_of), "or")
            )
        });
    let trade = reach.trade.as_ref().map_or_else(String::new, trade_words);
    let during: Vec<&str> = reach
        .during
        .iter()
        .map(|errand| errand.in_words())
        .collect();
    let during = match during.as_slice() {
        [] => String::new(),
        errands => format!(", and only to {}", errands.join(" or to ")),
    };
    format!(
        "It may send {} to {} for live targets; to {}{own} for test targets{operation}{parts}{trade}{during}.",
        reach.method,
        places(&reach.live),
        places(&reach.test),
    )
}

fn trade_words(trade: &RequestTrade) -> String {
    let at = match trade {
        RequestTrade::Part { part } => format!("{{{part}}}"),
        RequestTrade::Body { at } => format!("{} of the body", place(at)),
        RequestTrade::Field { field, at: None } => format!("the field {field}"),
        RequestTrade::Field {
            field,
            at: Some(at),
        } => format!("{} of the field {field}", place(at)),
    };
    format!("; the trade that it is about stands at {at}")
}

fn secret_line(name: &str, setting: &Setting) -> Option<String> {
    let kept = if setting.secret {
        "kept secret in the host"
    } else {
        "public"
    };
    match &setting.key {
        Some(rule) => {
            let usages: Vec<String> = rule
                .usages
                .iter()
                .map(|usage| usage.as_str().to_owned())
                .collect();
            Some(format!(
                "The setting {name} is a key ({}), {kept}, used for: {}.",
                rule.kind.as_str(),
                list(&usages, "and")
            ))
        }
        None if setting.secret => Some(format!("The setting {name} is {kept}.")),
        None => None,
    }
}

fn claim_line(name: &str, claim: &Claim) -> String {
    let source = source_words(&claim.operations);
    let account = account_words(&claim.account);
    let state = &claim.state;
    let mut words = Vec::new();
    for (meaning, literals) in [
        ("paid", &state.paid),
        ("approved by the buyer and to be captured", &state.approved),
        ("waiting", &state.waiting),
        ("closed", &state.closed),
        ("declined", &state.declined),
        ("refunded", &state.refunded),
    ] {
        if !literals.is_empty() {
            words.push(format!(
                "{meaning} when it is {}",
                list(&told_all(literals), "or")
            ));
        }
    }
    let was_paid = if claim.was_paid.is_empty() {
        String::new()
    } else {
        let pointers: Vec<String> = claim.was_paid.iter().map(place).collect();
        format!(
            ", but refunded when it is closed and {} is there",
            list(&pointers, "or")
        )
    };
    let refunded = claim.refunded.as_ref().map_or_else(String::new, |rule| {
        let (at, unit) = (place(&rule.at), unit(rule.unit));
        format!("; what was given back at {at} {unit}")
    });
    let trade = match &claim.trade {
        TradeRule::At(pointer) => format!("settles the trade named at {}", place(pointer)),
        TradeRule::Request => "ends the trade that the request was about".to_owned(),
    };
    let amount = claim.amount.as_ref().map_or_else(String::new, |rule| {
        format!("; amount at {} {}", place(&rule.at), unit(rule.unit))
    });
    let currency = claim.currency.as_ref().map_or_else(String::new, |rule| {
        format!("; currency {}", currency_words(rule))
    });
    format!(
        "Claim {name}: {source}, verified by {}, {trade}; account: {account}{amount}{currency}; state at {}: \
         {}{was_paid}{refunded}.",
        claim.scheme,
        place(&state.at),
        words.join(", "),
    )
}

fn refund_line(name: &str, claim: &RefundClaim) -> String {
    let state = &claim.state;
    let words: Vec<String> = [
        ("done", &state.done),
        ("waiting", &state.waiting),
        ("stuck", &state.stuck),
        ("failed", &state.failed),
    ]
    .into_iter()
    .filter(|(_, literals)| !literals.is_empty())
    .map(|(meaning, literals)| format!("{meaning} when it is {}", list(&told_all(literals), "or")))
    .collect();
    format!(
        "Claim {name}: {}, verified by {}, tells of the refund named at {} of the trade named at {}; account: {}; \
         amount at {} {}; currency {}; state at {}: {}.",
        source_words(&claim.operations),
        claim.scheme,
        place(&claim.refund),
        place(&claim.trade),
        account_words(&claim.account),
        place(&claim.amount.at),
        unit(claim.amount.unit),
        currency_words(&claim.currency),
        place(&state.at),
        words.join(", "),
    )
}

fn source_words(operations: &[String]) -> String {
    match operations {
        [] => "a notification".to_owned(),
        operations => format!("an answer to {}", list(&told_all(operations), "or")),
    }
}

fn account_words(account: &AccountRule) -> String {
    let AccountRule::Stated(checks) = account else {
        return "the one whose key signed the request".to_owned();
    };
    let checks: Vec<String> = checks
        .iter()
        .map(|check| {
            let when = if check.when_set {
                " where the target has it"
            } else {
                ""
            };
            format!("{} = setting {}{when}", place(&check.at), check.setting)
        })
        .collect();
    list(&checks, "and")
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Decimal => "in major units with decimals",
        Unit::Minor => "in minor units",
    }
}

fn currency_words(currency: &CurrencyRule) -> String {
    match currency {
        CurrencyRule::Fixed(code) => format!("always {code}"),
        CurrencyRule::At(pointer) => format!("at {}", place(pointer)),
    }
}

fn reply_words(reply: &Reply) -> String {
    format!(
        "{} {} {:?}",
        reply.status,
        told(&reply.content_type),
        reply.body
    )
}

/// A text of the manifest within a sentence: a plain word as it is, and anything else in quotes, so that no text can
/// pass for a part of the sentence.
fn told(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.:/~+-".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("{text:?}")
    }
}

fn told_all(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| told(text)).collect()
}

fn place(pointer: &Pointer) -> String {
    told(pointer.as_str())
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(items: &[String], last: &str) -> String {
    match items {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}
