//! What no type says of the endpoints: a sentence for each, what it answers where that is not the envelope, and the
//! refusals that its rules have.

use serde_json::{Value, json};

/// What the whole document begins with.
pub(super) const ALL: &str = "\
Domains create payments; each is sent to the platform that the buyer picked by its `pay_tp`, and the domain's callback runs when it \
is paid.

Answers are `{\"ok\":true,\"data\":…}` or `{\"ok\":false,\"errCode\":…,\"msg\":…}`: programs read `errCode`, which is stable, people \
`msg`. Amounts are whole minor units (`fee: 2300` is 23.00 RMB), times milliseconds since 1970, 0 for what has not happened. A body \
is JSON in UTF-8. Where a request changes something, send it again with the same `Idempotency-Key` after an answer was lost.

Every endpoint says which callers it is for: `root` and `op` are the operator's keys, `owner`, `server` and `till` a domain's, a \
`ticket` is one payment's. What is own is the caller's domain's; of others' nothing can be seen, and is answered as what does not \
exist.";

/// What an endpoint answers when all is well.
pub(super) enum Gives {
    /// The envelope with data.
    Data,
    /// Bytes of one of these kinds.
    Content(&'static str, &'static [&'static str]),
    /// The same, or that nothing changed.
    Unchanged(&'static str, &'static [&'static str]),
    /// A platform's own words.
    Replies,
    /// Another protocol.
    Upgrade,
}

/// What is said of one endpoint.
pub(super) struct Words {
    method: &'static str,
    path: &'static str,
    pub(super) summary: &'static str,
    pub(super) refusals: &'static [&'static str],
    pub(super) gives: Gives,
}

const fn says(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    refusals: &'static [&'static str],
) -> Words {
    Words {
        method,
        path,
        summary,
        refusals,
        gives: Gives::Data,
    }
}

const fn gives(gives: Gives, words: Words) -> Words {
    Words { gives, ..words }
}

const NONE: Words = says("", "", "", &[]);

/// What is said of an endpoint; nothing where it is not in the list, which a test finds.
pub(super) fn of(method: &str, path: &str) -> &'static Words {
    let found = LIST
        .iter()
        .find(|words| words.method == method && words.path == path);
    found.unwrap_or(&NONE)
}

/// The methods that an address is described for where it takes all of them.
pub(in crate::http) fn methods(path: &str) -> impl Iterator<Item = &'static str> {
    let of_path = LIST.iter().filter(move |words| words.path == path);
    of_path.map(|words| words.method)
}

const BYTES: &[&str] = &["text/javascript", "application/octet-stream"];
const PAGE: Gives = Gives::Content("The page", &["text/html"]);

/// All of them, in the order of the table of callers.
const LIST: &[Words] = &[
    says(
        "POST",
        "/pay/ajax/create",
        "Make a payment, and send it at once where `pay_tp` is given",
        &[
            "e.pay.invalid.fee",
            "e.pay.invalid.buyer",
            "e.pay.buyer.imperfect",
            "e.pay.meta.reserved",
            "e.pay.meta.tooLarge",
            "e.pay.noMatchSeller",
            "e.pay.no3x",
            "e.pay.send.notOffered",
            "e.pay.send.noTarget",
            "e.pay.send.invalid",
            "e.pay.target.misconfigured",
            "e.pay.provider.unusable",
            "e.pay.callback.noexists",
            "e.pay.callback.refused",
            "e.pay.invalid.name",
            "e.pay.notFound",
            "e.pay.busy",
            "e.pay.tooMany",
            "e.pay.tooLarge",
        ],
    ),
    says(
        "POST",
        "/pay/ajax/send",
        "Send a payment to the platform that the buyer picked, and get what the buyer is shown",
        &[
            "e.pay.noexists",
            "e.pay.no3x",
            "e.pay.send.notOffered",
            "e.pay.send.noTarget",
            "e.pay.send.switch",
            "e.pay.send.busy",
            "e.pay.send.invalid",
            "e.pay.send.unknown",
            "e.pay.check.unknown",
            "e.pay.expired",
            "e.pay.held",
            "e.pay.target.misconfigured",
            "e.pay.provider.unusable",
            "e.pay.unsupported",
            "e.pay.busy",
        ],
    ),
    says(
        "GET",
        "/pay/ajax/get",
        "Look at a payment",
        &["e.pay.noexists"],
    ),
    says(
        "GET",
        "/pay/ajax/check",
        "Ask the platform about a payment, and look at it",
        ASKS,
    ),
    says(
        "POST",
        "/pay/ajax/check",
        "Ask the platform about a payment, for callers to whom a GET is only a look",
        ASKS,
    ),
    says(
        "GET",
        "/pay/ajax/query",
        "Payments that match; with `pager` or `after` as a page of them",
        &["e.pay.query.tooSlow", "e.pay.query.tooLarge"],
    ),
    says(
        "GET",
        "/pay/ajax/summary",
        "Payments of a span of time in sums",
        &["e.pay.query.tooSlow"],
    ),
    gives(
        Gives::Content("Events until the caller leaves", &["text/event-stream"]),
        says(
            "GET",
            "/pay/ajax/watch",
            "Follow one payment, or all of a domain's, as they change",
            &[
                "e.pay.noexists",
                "e.pay.notFound",
                "e.pay.tooMany",
                "e.pay.busy",
            ],
        ),
    ),
    says(
        "GET",
        "/pay/ajax/offers",
        "The ways to pay that are open to a payment, with what people read of them",
        &["e.pay.noexists"],
    ),
    gives(
        Gives::Content("The picture", &["image/svg+xml"]),
        says(
            "GET",
            "/pay/ajax/qrcode",
            "The QR code that a payment shows now, as a picture",
            &["e.pay.noexists", "e.pay.notFound"],
        ),
    ),
    says(
        "GET",
        "/pay/ajax/history",
        "All that ever changed a payment, the earliest first",
        &["e.pay.noexists"],
    ),
    says(
        "GET",
        "/pay/ajax/evidence",
        "What platforms stated of a payment, as it was verified",
        &["e.pay.noexists"],
    ),
    gives(
        Gives::Content("The callback; empty where there is none", BYTES),
        says(
            "GET",
            "/pay/ajax/content",
            "The callback that a payment was created with",
            &["e.pay.noexists", "e.pay.callback.noexists"],
        ),
    ),
    says(
        "GET",
        "/pay/ajax/deliveries",
        "What became of the runs of callbacks",
        &["e.pay.noexists", "e.pay.notFound"],
    ),
    says(
        "POST",
        "/pay/ajax/replay",
        "Run one delivery again, or all that were given up",
        &["e.pay.notFound", "e.pay.exists"],
    ),
    says(
        "POST",
        "/pay/ajax/close",
        "End a payment unpaid",
        &[
            "e.pay.noexists",
            "e.pay.close.paid",
            "e.pay.held",
            "e.pay.send.busy",
            "e.pay.check.unknown",
            "e.pay.unsupported",
            "e.pay.target.misconfigured",
            "e.pay.provider.unusable",
            "e.pay.busy",
        ],
    ),
    says(
        "POST",
        "/pay/ajax/reverse",
        "Undo a payment at the till whose end is not known",
        &[
            "e.pay.noexists",
            "e.pay.close.paid",
            "e.pay.reverse.unavailable",
            "e.pay.held",
            "e.pay.send.busy",
            "e.pay.check.unknown",
            "e.pay.unsupported",
            "e.pay.target.misconfigured",
            "e.pay.provider.unusable",
            "e.pay.busy",
        ],
    ),
    says(
        "POST",
        "/pay/ajax/refund",
        "Give money back, all that is left or a part",
        &[
            "e.pay.noexists",
            "e.pay.invalid.fee",
            "e.pay.refund.notPaid",
            "e.pay.refund.nothingLeft",
            "e.pay.refund.tooMuch",
            "e.pay.held",
            "e.pay.unsupported",
            "e.pay.target.misconfigured",
            "e.pay.provider.unusable",
            "e.pay.tooMany",
            "e.pay.busy",
        ],
    ),
    says(
        "POST",
        "/pay/ajax/resolve",
        "Decide on a held payment by hand",
        &[
            "e.pay.noexists",
            "e.pay.resolve.notHeld",
            "e.pay.resolve.unavailable",
            "e.pay.unsupported",
            "e.pay.target.misconfigured",
            "e.pay.provider.unusable",
            "e.pay.busy",
        ],
    ),
    says(
        "POST",
        "/pay/ajax/reconcile",
        "Compare the platforms' bills of a day with the store",
        &[
            "e.pay.notFound",
            "e.pay.no3x",
            "e.pay.provider.unusable",
            "e.pay.busy",
            "e.pay.invalid.name",
        ],
    ),
    says(
        "GET",
        "/pay/callback",
        "A domain's callbacks",
        &["e.pay.notFound"],
    ),
    says(
        "PUT",
        "/pay/callback/{name}",
        "Keep a callback, once it ran with a sample payment",
        KEEPS,
    ),
    gives(
        Gives::Content("The callback as it was uploaded", BYTES),
        says(
            "GET",
            "/pay/callback/{name}",
            "A callback, or an earlier version of it",
            &[
                "e.pay.callback.noexists",
                "e.pay.notFound",
                "e.pay.invalid.name",
            ],
        ),
    ),
    says(
        "DELETE",
        "/pay/callback/{name}",
        "Delete a callback; payments that are bound to it keep it",
        &[
            "e.pay.callback.noexists",
            "e.pay.notFound",
            "e.pay.invalid.name",
        ],
    ),
    says(
        "POST",
        "/pay/callback/{name}",
        "Run a callback that comes with the request, for nothing",
        &[
            "e.pay.callback.refused",
            "e.pay.invalid.name",
            "e.pay.busy",
            "e.pay.tooLarge",
        ],
    ),
    says(
        "POST",
        "/pay/callback/{name}/test",
        "Run a callback with a sample payment, for nothing",
        &[
            "e.pay.callback.noexists",
            "e.pay.callback.refused",
            "e.pay.notFound",
            "e.pay.invalid.name",
            "e.pay.busy",
        ],
    ),
    says(
        "GET",
        "/pay/callback/{name}/versions",
        "The versions of a callback that are kept, the latest first",
        &[
            "e.pay.callback.noexists",
            "e.pay.notFound",
            "e.pay.invalid.name",
        ],
    ),
    says(
        "POST",
        "/pay/callback/{name}/roll-back",
        "Put an earlier version of a callback again",
        KEEPS,
    ),
    says(
        "GET",
        "/pay/target",
        "A domain's accounts at the platforms, without their secrets",
        &["e.pay.notFound"],
    ),
    says(
        "PUT",
        "/pay/target/{platform}/{name}",
        "Set an account at a platform, with its secrets",
        &[
            "e.pay.target.invalid",
            "e.pay.target.misconfigured",
            "e.pay.provider.unusable",
            "e.pay.no3x",
            "e.pay.notFound",
            "e.pay.invalid.name",
            "e.pay.exists",
            "e.pay.tooMany",
            "e.pay.tooLarge",
            "e.pay.busy",
        ],
    ),
    says(
        "GET",
        "/pay/target/{platform}/{name}",
        "An account at a platform, without its secrets",
        &["e.pay.notFound", "e.pay.invalid.name"],
    ),
    says(
        "DELETE",
        "/pay/target/{platform}/{name}",
        "Retire an account: no new payment goes there",
        &["e.pay.notFound", "e.pay.invalid.name"],
    ),
    says(
        "POST",
        "/pay/target/{platform}/{name}/test",
        "Try whether the platform takes what an account signs",
        &[
            "e.pay.notFound",
            "e.pay.invalid.name",
            "e.pay.no3x",
            "e.pay.unsupported",
            "e.pay.target.misconfigured",
            "e.pay.provider.unusable",
            "e.pay.busy",
        ],
    ),
    says(
        "GET",
        "/pay/provider",
        "The providers, with their pay types and the settings that they take",
        &[],
    ),
    says(
        "PUT",
        "/pay/provider",
        "Approve a provider by its digest",
        &[
            "e.pay.provider.refused",
            "e.pay.busy",
            "e.pay.tooLarge",
            "e.pay.exists",
        ],
    ),
    says(
        "POST",
        "/pay/provider/inspect",
        "What a provider says of itself, before it is approved",
        &["e.pay.provider.refused", "e.pay.busy"],
    ),
    says("GET", "/pay/domain", "All domains", &[]),
    says(
        "POST",
        "/pay/domain",
        "Add a domain",
        &["e.pay.exists", "e.pay.invalid.name"],
    ),
    says(
        "GET",
        "/pay/domain/{name}",
        "One domain",
        &["e.pay.notFound"],
    ),
    says(
        "PUT",
        "/pay/domain/{name}",
        "Set which hosts a domain's callbacks may reach",
        &["e.pay.notFound", "e.pay.tooMany"],
    ),
    says(
        "POST",
        "/pay/domain/{name}/key",
        "Make a key for a domain; it is shown this once",
        &["e.pay.notFound", "e.pay.tooMany"],
    ),
    says(
        "GET",
        "/pay/domain/{name}/key",
        "A domain's keys, without their secrets",
        &["e.pay.notFound"],
    ),
    says(
        "GET",
        "/pay/key",
        "The operator's keys, without their secrets",
        &[],
    ),
    says(
        "POST",
        "/pay/key",
        "Make a key for the operator; it is shown this once",
        &["e.pay.tooMany"],
    ),
    says(
        "DELETE",
        "/pay/key/{id}",
        "End a key at once",
        &["e.pay.notFound"],
    ),
    says(
        "POST",
        "/pay/key/{id}/rotate",
        "Make a key that takes over from another; both are good for a while",
        &["e.pay.notFound", "e.pay.exists", "e.pay.tooMany"],
    ),
    says("GET", "/pay/session", "Who is signed in", &[]),
    says(
        "POST",
        "/pay/session",
        "Sign in to the pages with a key; the session is in a cookie",
        &["e.auth.required", "e.pay.nopvg", "e.pay.store"],
    ),
    says(
        "DELETE",
        "/pay/session",
        "Sign out: the session is good no more",
        &["e.pay.nopvg", "e.pay.store"],
    ),
    says(
        "GET",
        "/pay/refused",
        "The newest notifications that did not verify, the last one first",
        &[],
    ),
    says(
        "GET",
        "/pay/audit",
        "What was refused and changed, the newest first",
        &["e.pay.notFound"],
    ),
    says(
        "GET",
        "/pay/doctor",
        "What is wrong with this host",
        &["e.pay.busy"],
    ),
    gives(Gives::Replies, says("GET", "/pay/re", NOTIFIED, &[])),
    gives(Gives::Replies, says("POST", "/pay/re", NOTIFIED, &[])),
    gives(
        Gives::Replies,
        says("GET", "/pay/re/{trade_no}", NOTIFIED, &[]),
    ),
    gives(
        Gives::Replies,
        says("POST", "/pay/re/{trade_no}", NOTIFIED, &[]),
    ),
    gives(
        Gives::Replies,
        says("GET", "/pay/re/t/{token}", NOTIFIED, &[]),
    ),
    gives(
        Gives::Replies,
        says("POST", "/pay/re/t/{token}", NOTIFIED, &[]),
    ),
    gives(
        PAGE,
        says("GET", "/pay/cashier/{id}", "The buyer's page", &[]),
    ),
    gives(
        PAGE,
        says("GET", "/pay/till", "The shop assistant's page", &[]),
    ),
    gives(
        PAGE,
        says(
            "GET",
            "/pay/console",
            "The owner's and the operator's page",
            &[],
        ),
    ),
    gives(PAGE, says("GET", "/pay/api", "This document, to read", &[])),
    gives(
        Gives::Unchanged(
            "The file",
            &["text/css", "text/javascript", "image/svg+xml"],
        ),
        says(
            "GET",
            "/pay/pages/{name}",
            "What the pages load",
            &["e.pay.notFound"],
        ),
    ),
    gives(
        Gives::Upgrade,
        says(
            "GET",
            "/websocket",
            "Hear how payments end, as pages of the original do",
            &["e.pay.busy"],
        ),
    ),
    says("GET", "/healthz", "Whether the host lives", &[]),
    says(
        "GET",
        "/readyz",
        "Whether the host can work",
        &["e.pay.store", "e.pay.store.full", "e.pay.store.readOnly"],
    ),
    gives(
        Gives::Content("Metrics", &["text/plain"]),
        says(
            "GET",
            "/metrics",
            "What the host counts, for Prometheus",
            &[],
        ),
    ),
    gives(
        Gives::Unchanged("The document", &["application/json"]),
        says("GET", "/openapi.json", "This document", &[]),
    ),
];

const NOTIFIED: &str =
    "A platform's notification: verified, settled and committed before it is answered";

const ASKS: &[&str] = &[
    "e.pay.noexists",
    "e.pay.send.unknown",
    "e.pay.check.unknown",
    "e.pay.unsupported",
    "e.pay.target.misconfigured",
    "e.pay.provider.unusable",
    "e.pay.busy",
];

const KEEPS: &[&str] = &[
    "e.pay.callback.noexists",
    "e.pay.callback.refused",
    "e.pay.callback.dryRun",
    "e.pay.notFound",
    "e.pay.invalid.name",
    "e.pay.tooMany",
    "e.pay.tooLarge",
    "e.pay.busy",
];

/// The groups of endpoints: what their addresses begin with, a name, and what they are.
const GROUPS: &[(&str, &str, &str)] = &[
    (
        "/pay/ajax",
        "payments",
        "Payments: made, sent, looked at, ended, given back",
    ),
    ("/pay/re/", "notifications", "What platforms call"),
    (
        "/pay/callback",
        "callbacks",
        "What a domain runs when a payment is paid",
    ),
    (
        "/pay/target",
        "targets",
        "A domain's accounts at the platforms",
    ),
    (
        "/pay/provider",
        "providers",
        "The components that speak the platforms' languages",
    ),
    (
        "/pay/domain",
        "domains",
        "The merchants of this host, and their keys",
    ),
    ("/pay/key", "keys", "Keys: made, followed by others, ended"),
    ("/pay/session", "pages", "What people use"),
    ("/pay/cashier", "pages", ""),
    ("/pay/till", "pages", ""),
    ("/pay/console", "pages", ""),
    ("/pay/pages", "pages", ""),
    ("/pay/api", "pages", ""),
    ("/websocket", "payments", ""),
    ("", "host", "The host itself, for who looks after it"),
];

pub(super) fn tag(path: &str) -> &'static str {
    if path == "/pay/re" {
        return "notifications";
    }
    let found = GROUPS.iter().find(|(begins, ..)| path.starts_with(begins));
    found.map_or("host", |(_, name, _)| name)
}

pub(super) fn tags() -> Value {
    let named = GROUPS.iter().filter(|(.., says)| !says.is_empty());
    let tags = named.map(|(_, name, says)| json!({ "name": name, "description": says }));
    tags.collect()
}

/// What varies in an address.
pub(super) fn part_of_address(path: &str, name: &str) -> Value {
    let (says, example) = match (tag(path), name) {
        ("keys", "id") => (
            "The id of a key: the part behind its kind",
            "0123456789abcdef",
        ),
        (_, "id") => ("A payment's id", "019a5b1c2d377e4f8a9b0c1d2e3f4a5b"),
        ("callbacks", _) => ("The callback's name", "ship"),
        ("domains", _) => ("The domain's name", "teashop"),
        (_, "platform") => ("A platform, as the provider calls it", "paypal"),
        ("targets", _) => ("The account's name in the domain", "main"),
        (_, "trade_no") => (
            "The number by which the platform knows the attempt",
            "019a5b1c2d377e4f8a9b0c1d2e3f4a5b",
        ),
        (_, "token") => ("Of the account that the address was made for", "0f3c"),
        _ => ("A file's name", "style.css"),
    };
    json!({
        "name": name, "in": "path", "required": true, "description": says,
        "schema": { "type": "string" }, "example": example,
    })
}

/// The endpoints that something is said of.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str, &'static [&'static str])> {
    LIST.iter()
        .map(|words| (words.method, words.path, words.refusals))
}
