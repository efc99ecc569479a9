//! A manifest in English, for the person who approves it.

use super::Manifest;
use super::parts::{
    AccountRule, Claim, CurrencyRule, PayType, Purpose, Reach, Reply, Resend, Scheme, SetValue,
    SortedForm, Template, TemplateKind, Unit,
};
use super::settings::Setting;
use crate::trust::pointer::Pointer;

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
    if manifest.claims.is_empty() {
        lines.push("No statement of anybody settles a payment.".to_owned());
    }
    lines.extend(
        manifest
            .claims
            .iter()
            .map(|(name, claim)| claim_line(name, claim)),
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
        resend,
        valid_s,
    } = pay_type;
    let valid = match valid_s {
        0 => "is paid at once".to_owned(),
        s if s % 3600 == 0 => format!("can be paid for {} h", s / 3600),
        s => format!("can be paid for {s} s"),
    };
    format!(
        "Pay type {name} ({:?}): {valid}; the platform {}; an unpaid trade {}; an order whose fate is \
         unknown {}.",
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
    format!(
        "It may send {} to {} for live targets; to {}{own} for test targets{operation}.",
        reach.method,
        places(&reach.live),
        places(&reach.test),
    )
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

fn scheme_line(name: &str, scheme: &Scheme) -> String {
    match scheme {
        Scheme::SortedForm(rule) if rule.purpose == Purpose::Request => request_line(name, rule),
        Scheme::SortedForm(rule) => {
            let expect: String = rule
                .expect
                .iter()
                .map(|(field, value)| format!("; {field} must be {}", told(value)))
                .collect();
            format!(
                "Scheme {name}: a notification counts when its field {} signs all its fields but {} \
                 and is verified with {} (RSA, SHA-256){expect}.",
                rule.signature,
                list(&rule.omit, "and"),
                rule.key
            )
        }
        Scheme::JsonSubstring(rule) => format!(
            "Scheme {name}: an answer counts when its member {} signs the member named after the \
             operation that was asked for (with {} behind it) and is verified with {} (RSA, \
             SHA-256).",
            told(&rule.signature),
            told(&rule.content_suffix),
            rule.key
        ),
    }
}

fn request_line(name: &str, rule: &SortedForm) -> String {
    let mut set: Vec<String> = rule.set.iter().map(set_words).collect();
    set.extend(
        rule.timestamp
            .iter()
            .map(|time| format!("{} (the time)", time.field)),
    );
    let set = if set.is_empty() {
        String::new()
    } else {
        format!("; the host itself writes {}", list(&set, "and"))
    };
    format!(
        "Scheme {name}: the host signs a request with {} (RSA, SHA-256), all fields but {}, into \
         {}{set}.",
        rule.key,
        list(&rule.omit, "and"),
        rule.signature
    )
}

fn set_words((field, value): (&String, &SetValue)) -> String {
    match value {
        SetValue::Literal(text) => format!("{field} = {}", told(text)),
        SetValue::Setting {
            name,
            when_set: false,
        } => format!("{field} = setting {name}"),
        SetValue::Setting {
            name,
            when_set: true,
        } => format!("{field} = setting {name}, if any"),
    }
}

fn template_line(name: &str, template: &Template) -> String {
    let fields: Vec<String> = template
        .fields
        .iter()
        .map(|field| match template.set.get(field) {
            Some(value) => set_words((field, value)),
            None => field.clone(),
        })
        .collect();
    let shape = match template.kind {
        TemplateKind::Lines => "lines",
        TemplateKind::SortedForm => "sorted form",
    };
    format!(
        "Template {name}: for the buyer's client the host signs, with {} (RSA, SHA-256), the {shape} \
         of {}; everything but what is set here is the provider's choice.",
        template.key,
        list(&fields, "and")
    )
}

fn claim_line(name: &str, claim: &Claim) -> String {
    let source = match claim.operations.as_slice() {
        [] => "a notification".to_owned(),
        operations => format!("an answer to {}", list(&told_all(operations), "or")),
    };
    let account = match &claim.account {
        AccountRule::Request => "the one whose key signed the request".to_owned(),
        AccountRule::Stated(checks) => {
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
    };
    let unit = |unit| match unit {
        Unit::Decimal => "in major units with decimals",
        Unit::Minor => "in minor units",
    };
    let currency = match &claim.currency {
        CurrencyRule::Fixed(code) => format!("always {code}"),
        CurrencyRule::At(pointer) => format!("at {}", place(pointer)),
    };
    let state = &claim.state;
    let mut words = Vec::new();
    for (meaning, literals) in [
        ("paid", &state.paid),
        ("waiting", &state.waiting),
        ("closed", &state.closed),
        ("declined", &state.declined),
        ("refunded", &state.refunded),
    ] {
        if !literals.is_empty() {
            words.push(format!("{meaning} when it is {}", list(literals, "or")));
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
    format!(
        "Claim {name}: {source}, verified by {}, settles the trade named at {}; account: {account}; \
         amount at {} {}; currency {currency}; state at {}: {}{was_paid}{refunded}.",
        claim.scheme,
        place(&claim.trade),
        place(&claim.amount.at),
        unit(claim.amount.unit),
        place(&state.at),
        words.join(", "),
    )
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
fn list(items: &[String], last: &str) -> String {
    match items {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}
