//! Whether a manifest makes sense as a whole: every name it uses is there, every key is used for
//! what it is meant for, and no claim reads what is not signed.

mod claims;
mod names;
mod reach;
mod refunds;
mod schemes;
mod templates;
mod uses;

use std::collections::BTreeSet;

use super::Manifest;
use super::args::{Argument, MAX_ARGS, MAX_WHAT};
use super::error::{ManifestError, Problems};
use super::parts::{PayType, Reach, Replies, Reply, Resend, Titles, Written};
use super::schemes::Purpose;
use super::settings::Settings;
pub(crate) use names::is_field;

/// The pay type that costs nothing and that the host itself completes.
const FREE: &str = "free";
/// The longest time for which a trade can be paid, in seconds: 90 days.
const MAX_VALID_S: u64 = 90 * 24 * 3600;
/// The longest reply to a notification, in bytes.
const MAX_REPLY: usize = 4096;

/// Checks everything, and tells everything that is wrong.
pub(super) fn check(written: Written) -> Result<Manifest, ManifestError> {
    let mut problems = Problems::default();
    let p = &mut problems;
    if written.manifest != 1 {
        p.add("/manifest", "this host reads manifests of version 1");
    }
    if !names::is_platform(&written.name) {
        p.add(
            "/name",
            "must be 1 to 32 lower-case letters and digits, beginning with a letter",
        );
    }
    let version_ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    if written.version.is_empty()
        || written.version.len() > 32
        || !written.version.chars().all(version_ok)
    {
        p.add("/version", "must be a version such as \"0.1.0\"");
    }
    titles("/title", &written.title, p);
    pay_types(&written, p);
    let settings = Settings::compile(written.settings, p);
    // Names of settings can only be judged by settings that are sound.
    if let Some(settings) = &settings {
        for (at, reach) in written.reach.iter().enumerate() {
            reach::check_reach(&format!("/reach/{at}"), reach, settings, p);
        }
        let operations = granted(&written.reach, |_| true);
        let naming = granted(&written.reach, |reach| reach.trade.is_some());
        let around = schemes::Around {
            schemes: &written.schemes,
            operations: &operations,
            naming: &naming,
            settings,
        };
        for (name, scheme) in &written.schemes {
            schemes::check_scheme(&named("/schemes", name, p), scheme, &around, p);
        }
        for (name, claim) in &written.claims {
            let path = named("/claims", name, p);
            claims::check_claim(&path, claim, &around, p);
        }
        for (name, claim) in &written.refunds {
            let path = named("/refunds", name, p);
            refunds::check_refund(&path, claim, &around, p);
        }
        for (name, template) in &written.templates {
            templates::check_template(&named("/templates", name, p), template, settings, p);
        }
        for (name, identity) in &written.identities {
            templates::check_identity(&named("/identities", name, p), identity, settings, p);
        }
        if let Some(bill) = &written.bill {
            templates::check_bill(bill, &written.schemes, p);
        }
    }
    let notifies = written.pay_types.values().any(|pay_type| pay_type.notifies);
    let settles = |purpose| {
        written.claims.values().any(|claim| {
            let stated = claim
                .trade
                .pointer()
                .and(written.schemes.get(&claim.scheme));
            stated.is_some_and(|scheme| scheme.source(&written.schemes) == purpose)
        })
    };
    // What proves nothing makes the host ask.
    let asks = written
        .schemes
        .values()
        .any(|scheme| scheme.purpose() == Purpose::Notification && scheme.forgeable().is_some());
    if notifies && !asks && !settles(Purpose::Notification) {
        p.add(
            "/claims",
            "a pay type notifies: say in a claim how a notification is read",
        );
    }
    if !written.reach.is_empty() && !settles(Purpose::Answer) {
        p.add(
            "/claims",
            "say in a claim how the answer to asking for a trade is read",
        );
    }
    match &written.replies {
        Some(replies) => {
            reply("/replies/taken", &replies.taken, p);
            reply("/replies/again", &replies.again, p);
        }
        None if notifies => p.add(
            "/replies",
            "a pay type notifies: say what the platform is answered (\"taken\" and \"again\")",
        ),
        None => {}
    }
    problems.into_result()?;
    let settings = settings.ok_or_else(|| ManifestError::Invalid(Vec::new()))?;
    Ok(Manifest {
        source: String::new(),
        name: written.name,
        version: written.version,
        title: written.title,
        pay_types: written.pay_types,
        settings,
        reach: written.reach,
        schemes: written.schemes,
        claims: written.claims,
        refunds: written.refunds,
        templates: written.templates,
        identities: written.identities,
        bill: written.bill,
        refund_days: written.refund_days,
        replies: written.replies.unwrap_or_else(plain_replies),
    })
}

/// What is answered by platforms that send nothing: whoever asks is told in plain HTTP.
fn plain_replies() -> Replies {
    let reply = |status, body: &str| Reply {
        status,
        content_type: "text/plain".to_owned(),
        body: body.to_owned(),
    };
    Replies {
        taken: reply(200, "taken"),
        again: reply(503, "again"),
    }
}

fn titles(path: &str, titles: &Titles, p: &mut Problems) {
    if !titles.contains_key("en") {
        p.add(path, "must have an English title (\"en\")");
    }
    if titles
        .values()
        .any(|title| title.trim().is_empty() || title.len() > 128)
    {
        p.add(path, "a title must have 1 to 128 bytes");
    }
}

fn pay_types(written: &Written, p: &mut Problems) {
    if written.pay_types.is_empty() {
        p.add("/pay_types", "must name at least one pay type");
    }
    for (name, pay_type) in &written.pay_types {
        let PayType {
            title,
            valid_s,
            args,
            ..
        } = pay_type;
        let path = format!("/pay_types/{name}");
        if pay_type.reversible && pay_type.resend == Resend::Same {
            p.add(
                &format!("{path}/reversible"),
                "what is undone at its deadline is not sent again: \"resend\" must be \"never\"",
            );
        }
        let of_platform = name.split_once('.').is_some_and(|(platform, way)| {
            platform == written.name
                && !way.is_empty()
                && way
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
        let free = name == FREE && written.name == FREE;
        if !of_platform && !free {
            let problem = format!(
                "must be {:?} with lower-case letters and digits behind it",
                { format!("{}.", written.name) }
            );
            p.add(&path, problem);
        }
        titles(&format!("{path}/title"), title, p);
        arguments(&format!("{path}/args"), args, p);
        if *valid_s > MAX_VALID_S || (*valid_s == 0 && !free) {
            p.add(
                &format!("{path}/valid_s"),
                format!("must be 1 to {MAX_VALID_S} seconds"),
            );
        }
    }
}

fn arguments(path: &str, args: &[Argument], p: &mut Problems) {
    if args.len() > MAX_ARGS {
        p.add(path, format!("a caller gives at most {MAX_ARGS} arguments"));
    }
    for (at, argument) in args.iter().enumerate() {
        let what = argument.what.as_str();
        if what.trim().is_empty() || what.len() > MAX_WHAT || what.chars().any(char::is_control) {
            p.add(
                &format!("{path}/{at}/what"),
                format!("must say in 1 to {MAX_WHAT} bytes of one line what it is"),
            );
        }
        let after_optional = at > 0 && args.get(at - 1).is_some_and(|before| before.optional);
        if after_optional && !argument.optional {
            p.add(
                &format!("{path}/{at}/optional"),
                "what follows an optional argument is optional too",
            );
        }
    }
}

fn reply(path: &str, reply: &Reply, p: &mut Problems) {
    if !(200..=599).contains(&reply.status) {
        p.add(
            &format!("{path}/status"),
            "must be an HTTP status of 200 to 599",
        );
    }
    let mime = |b: u8| b.is_ascii_graphic() || b == b' ';
    if !reply.content_type.contains('/') || !reply.content_type.bytes().all(mime) {
        p.add(
            &format!("{path}/type"),
            "must be a content type such as \"text/plain\"",
        );
    }
    if reply.body.len() > MAX_REPLY {
        p.add(
            &format!("{path}/body"),
            format!("must have at most {MAX_REPLY} bytes"),
        );
    }
}

/// Every operation that can be asked for by such a reach: by its field, or by method and path.
fn granted(reach: &[Reach], such: impl Fn(&Reach) -> bool) -> BTreeSet<String> {
    reach
        .iter()
        .filter(|reach| such(reach))
        .flat_map(|reach| match &reach.operation {
            Some(operation) => operation.one_of.clone(),
            None => vec![format!("{} {}", reach.method, reach.path)],
        })
        .collect()
}

fn named(part: &str, name: &str, p: &mut Problems) -> String {
    let path = format!("{part}/{name}");
    if !names::is_word(name) {
        p.add(
            &path,
            "is named by lower-case letters, digits, dashes and underscores",
        );
    }
    path
}
