//! Who may ask for what: one table of every endpoint, with the commands that use it, against every caller.
//!
//! The router is held to it. A request is let through by the row of its address and method alone; what has no row is not
//! there, whatever is routed. Whose things are touched is looked at where they are: `own` means that the caller's domain is
//! compared, `one` that the ticket's payment is.
//!
//! [`markdown`] is the table as `docs/security.md` has it, and a test of the binary asks for each of its cells.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::audit::Who;
use super::auth::By;
use super::envelope::Failure;
use super::openapi;
use super::{nothing_here, other_method};
use crate::payment::Payments;
use crate::payment::caller::{Caller, Scope};
use crate::payment::error::PayError;

/// What a caller may do at an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum May {
    /// Nothing.
    No,
    /// All of it, whosever.
    All,
    /// With what is the caller's domain's.
    Own,
    /// With the ticket's payment.
    One,
    /// As `Own`, where the key may give money back.
    Refunds,
}
use May::{All, No, One, Own, Refunds};

/// What stands for an endpoint's methods where it takes all of them.
const ANY: &str = "ANY";

/// One endpoint.
struct Row {
    method: &'static str,
    path: &'static str,
    /// The commands that use it, for whoever reads the table.
    #[cfg_attr(not(test), expect(dead_code, reason = "nothing is decided by it"))]
    commands: &'static str,
    /// For whom it is.
    callers: Callers,
    /// Whether the audit log has what is done here. What payments go through is in their own history.
    kept: bool,
    /// Whether a key of the operator's that was good a while ago is enough while the store does not answer.
    blind: bool,
}

enum Callers {
    /// Nobody is asked who it is.
    Open,
    /// For each of [`ROLES`].
    Each([May; 6]),
}
use Callers::{Each, Open};

/// The heads of the columns.
const ROLES: [&str; 6] = ["root", "op", "owner", "server", "till", "ticket"];

/// Looking at a payment.
const LOOK: Callers = Each([All, All, Own, Own, Own, One]);
/// Looking at many.
const LIST: Callers = Each([All, All, Own, Own, Own, No]);
/// Looking behind a payment.
const INSPECT: Callers = Each([All, All, Own, Own, No, No]);
/// Taking money.
const SELL: Callers = Each([All, No, Own, Own, Own, No]);
/// What a domain has besides payments, looked at.
const OWNERS: Callers = Each([All, All, Own, No, No, No]);
/// The same, changed.
const OWNERS_CHANGE: Callers = Each([All, No, Own, No, No, No]);
/// The operator's, looked at.
const HOST: Callers = Each([All, All, No, No, No, No]);
/// The operator's, changed.
const HOST_CHANGE: Callers = Each([All, No, No, No, No, No]);

const fn row(
    method: &'static str,
    path: &'static str,
    callers: Callers,
    commands: &'static str,
) -> Row {
    Row {
        method,
        path,
        commands,
        callers,
        kept: false,
        blind: false,
    }
}

/// One that changes what a payment's history does not tell, or decides about one by hand.
const fn kept(row: Row) -> Row {
    Row { kept: true, ..row }
}

/// One that looks at the host itself, also when its store does not answer.
const fn blind(row: Row) -> Row {
    Row { blind: true, ..row }
}

/// The table. The methods of one address stand together.
const TABLE: &[Row] = &[
    row("POST", "/pay/ajax/create", SELL, "pay create"),
    row(
        "POST",
        "/pay/ajax/send",
        Each([All, No, Own, Own, Own, One]),
        "pay send, pay create",
    ),
    row("GET", "/pay/ajax/get", LOOK, "pay get, obj"),
    row("GET", "/pay/ajax/check", LOOK, "pay check"),
    row("POST", "/pay/ajax/check", LOOK, ""),
    row("GET", "/pay/ajax/query", LIST, "pay query, obj"),
    row("GET", "/pay/ajax/summary", LIST, ""),
    row("GET", "/pay/ajax/watch", LOOK, ""),
    row("GET", "/pay/ajax/offers", LOOK, ""),
    row("GET", "/pay/ajax/qrcode", LOOK, ""),
    row("GET", "/pay/ajax/history", INSPECT, "pay history"),
    row("GET", "/pay/ajax/evidence", INSPECT, ""),
    row("GET", "/pay/ajax/content", INSPECT, "cat"),
    row(
        "GET",
        "/pay/ajax/deliveries",
        INSPECT,
        "callback deliveries",
    ),
    kept(row(
        "POST",
        "/pay/ajax/replay",
        OWNERS_CHANGE,
        "callback retry",
    )),
    kept(row("POST", "/pay/ajax/close", SELL, "pay close")),
    kept(row("POST", "/pay/ajax/reverse", SELL, "pay reverse")),
    kept(row(
        "POST",
        "/pay/ajax/refund",
        Each([All, No, Own, Refunds, Refunds, No]),
        "pay refund",
    )),
    kept(row(
        "POST",
        "/pay/ajax/resolve",
        OWNERS_CHANGE,
        "pay resolve",
    )),
    row("POST", "/pay/ajax/reconcile", OWNERS_CHANGE, "reconcile"),
    row("GET", "/pay/callback", OWNERS, "callback list"),
    kept(row(
        "PUT",
        "/pay/callback/{name}",
        OWNERS_CHANGE,
        "callback put",
    )),
    row("GET", "/pay/callback/{name}", OWNERS, "callback show"),
    kept(row(
        "DELETE",
        "/pay/callback/{name}",
        OWNERS_CHANGE,
        "callback delete",
    )),
    row(
        "POST",
        "/pay/callback/{name}",
        OWNERS_CHANGE,
        "callback test",
    ),
    row(
        "POST",
        "/pay/callback/{name}/test",
        OWNERS_CHANGE,
        "callback test",
    ),
    row(
        "GET",
        "/pay/callback/{name}/versions",
        OWNERS,
        "callback versions",
    ),
    kept(row(
        "POST",
        "/pay/callback/{name}/roll-back",
        OWNERS_CHANGE,
        "callback roll-back",
    )),
    row("GET", "/pay/target", OWNERS, "target list"),
    kept(row(
        "PUT",
        "/pay/target/{platform}/{name}",
        OWNERS_CHANGE,
        "target put",
    )),
    row(
        "GET",
        "/pay/target/{platform}/{name}",
        OWNERS,
        "target show",
    ),
    kept(row(
        "DELETE",
        "/pay/target/{platform}/{name}",
        OWNERS_CHANGE,
        "",
    )),
    row(
        "POST",
        "/pay/target/{platform}/{name}/test",
        OWNERS_CHANGE,
        "target test",
    ),
    row(
        "GET",
        "/pay/provider",
        Each([All, All, All, All, No, No]),
        "provider list",
    ),
    kept(row("PUT", "/pay/provider", HOST_CHANGE, "provider add")),
    row("POST", "/pay/provider/inspect", HOST_CHANGE, "provider add"),
    row("GET", "/pay/domain", HOST, "domain list"),
    kept(row("POST", "/pay/domain", HOST_CHANGE, "domain add")),
    row("GET", "/pay/domain/{name}", OWNERS, "domain show"),
    kept(row("PUT", "/pay/domain/{name}", HOST_CHANGE, "domain set")),
    kept(row(
        "POST",
        "/pay/domain/{name}/key",
        OWNERS_CHANGE,
        "key add, domain key",
    )),
    row("GET", "/pay/domain/{name}/key", OWNERS, "key list"),
    row("GET", "/pay/key", HOST, "key list"),
    kept(row("POST", "/pay/key", HOST_CHANGE, "key add")),
    kept(row("DELETE", "/pay/key/{id}", OWNERS_CHANGE, "key revoke")),
    kept(row(
        "POST",
        "/pay/key/{id}/rotate",
        OWNERS_CHANGE,
        "key rotate",
    )),
    row("GET", "/pay/session", LOOK, ""),
    row("POST", "/pay/session", Open, ""),
    row("DELETE", "/pay/session", Open, ""),
    row("GET", "/pay/refused", HOST, "pay refused"),
    row("GET", "/pay/audit", OWNERS, "audit"),
    blind(row("GET", "/pay/doctor", HOST, "doctor")),
    row(ANY, "/pay/re", Open, "pay re"),
    row(ANY, "/pay/re/{trade_no}", Open, "pay re"),
    row(ANY, "/pay/re/t/{token}", Open, ""),
    row("GET", "/pay/cashier/{id}", Open, ""),
    row("GET", "/pay/till", Open, ""),
    row("GET", "/pay/console", Open, ""),
    row("GET", "/pay/api", Open, ""),
    row("GET", "/pay/pages/{name}", Open, ""),
    row(ANY, "/websocket", Open, ""),
    row("GET", "/healthz", Open, ""),
    row("GET", "/readyz", Open, ""),
    blind(row("GET", "/metrics", HOST, "")),
    row("GET", "/openapi.json", Open, ""),
];

/// The rows of each address.
static ROWS: LazyLock<HashMap<&'static str, Vec<&'static Row>>> = LazyLock::new(|| {
    let mut rows = HashMap::<_, Vec<_>>::new();
    for row in TABLE {
        rows.entry(row.path).or_default().push(row);
    }
    rows
});

/// This address as the table has it, if it does.
pub(super) fn listed_path(path: &str) -> Option<&'static str> {
    ROWS.get_key_value(path).map(|(path, _)| *path)
}

impl Row {
    fn takes(&self, method: &Method) -> bool {
        let method = match method.as_str() {
            "HEAD" => "GET",
            other => other,
        };
        self.method == ANY || self.method == method
    }
}

/// The place of a caller in a row.
fn may(caller: &Caller, each: &[May; 6]) -> May {
    let [root, op, owner, server, till, ticket] = *each;
    match caller {
        Caller::Root => root,
        Caller::Op => op,
        Caller::Domain { scope, .. } => match scope {
            Scope::Owner => owner,
            Scope::Server => server,
            Scope::Till => till,
        },
        Caller::Ticket(_) => ticket,
    }
}

fn allowed(caller: &Caller, each: &[May; 6]) -> Result<(), PayError> {
    let refused = match (may(caller, each), caller) {
        (All | Own | One, _) | (Refunds, Caller::Domain { refunds: true, .. }) => return Ok(()),
        (Refunds, _) => "this key may not give money back",
        (No, Caller::Ticket(_)) => "a ticket is good for one payment, and not for this",
        (No, Caller::Op) => "this key may only look",
        (No, _) => {
            let keys = ROLES.iter().zip(each).take(ROLES.len() - 1);
            let others: Vec<&str> = keys
                .filter(|(_, may)| **may != No)
                .map(|(role, _)| *role)
                .collect();
            let why = format!("this key is not for that: use one of {}", others.join(", "));
            return Err(PayError::no_privilege(why));
        }
    };
    Err(PayError::no_privilege(refused))
}

/// A row, as the document of the endpoints has it.
pub(super) struct Documented {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// For whom it is, in words.
    pub(super) callers: String,
    /// Nobody is asked there who it is.
    pub(super) is_open: bool,
    /// A payment's ticket is enough.
    pub(super) takes_tickets: bool,
}

/// The rows of what is routed under a method (of all, where it is none) and an address.
pub(super) fn documented(method: Option<&str>, path: &str) -> Vec<Documented> {
    let rows = ROWS.get(path).into_iter().flatten();
    let rows = rows.filter(|row| row.method == method.unwrap_or(ANY));
    rows.flat_map(|row| {
        let methods: Vec<&'static str> = match row.method {
            ANY => openapi::methods(row.path).collect(),
            one => vec![one],
        };
        methods.into_iter().map(|method| Documented {
            method,
            path: row.path,
            callers: row.callers.in_words(),
            is_open: matches!(row.callers, Open),
            takes_tickets: matches!(row.callers, Each([.., One])),
        })
    })
    .collect()
}

impl Callers {
    fn in_words(&self) -> String {
        let Each(each) = self else {
            return "For everybody.".to_owned();
        };
        let listed = ROLES.iter().zip(each).filter_map(|(role, may)| match may {
            No => None,
            All => Some(format!("`{role}`")),
            Own => Some(format!("`{role}` (own)")),
            One => Some(format!("`{role}` (its payment)")),
            Refunds => Some(format!("`{role}` (own, with `refund`)")),
        });
        format!("For {}.", listed.collect::<Vec<_>>().join(", "))
    }
}

/// The row of a request. What has none goes no further: it is not there.
#[derive(Clone, Copy)]
pub(super) struct Listed(&'static Row);

impl Listed {
    /// Some row of an address.
    #[cfg(test)]
    pub(super) fn of_path(path: &str) -> Option<Listed> {
        let rows = ROWS.get(path)?;
        rows.first().map(|row| Listed(row))
    }

    /// The endpoint, as the table has it.
    pub(super) fn endpoint(self) -> String {
        format!("{} {}", self.0.method, self.0.path)
    }

    /// Its address, as it is routed.
    pub(super) fn path(self) -> &'static str {
        self.0.path
    }

    /// Whether nobody is asked there who it is.
    pub(super) fn is_open(self) -> bool {
        matches!(self.0.callers, Open)
    }

    /// Whether what is done there is kept in the audit log.
    pub(super) fn is_kept(self) -> bool {
        self.0.kept
    }
}

/// The row of a request; where there is none, the rows of its address, which take other methods.
fn row_of(request: &Request) -> Result<Listed, &'static [&'static Row]> {
    let path = request.extensions().get::<MatchedPath>();
    let rows = path.and_then(|path| ROWS.get(path.as_str()));
    let rows = rows.map_or(&[][..], Vec::as_slice);
    let method = request.method();
    let row = rows.iter().find(|row| row.takes(method));
    row.map(|row| Listed(row)).ok_or(rows)
}

/// Whether the audit log has what this request does.
pub(super) fn is_kept(request: &Request) -> bool {
    row_of(request).is_ok_and(Listed::is_kept)
}

/// Finds the row of each request.
pub(super) async fn listed(mut request: Request, next: Next) -> Response {
    let listed = match row_of(&request) {
        Ok(listed) => listed,
        Err([]) => return nothing_here().await.into_response(),
        Err(rows) => return not_taken(rows).await,
    };
    request.extensions_mut().insert(listed);
    if let Some(who) = request.extensions().get::<Who>() {
        who.asks(listed);
    }
    next.run(request).await
}

async fn not_taken(rows: &[&'static Row]) -> Response {
    let mut methods = Vec::new();
    for row in rows {
        methods.push(row.method);
        if row.method == "GET" {
            methods.push("HEAD");
        }
    }
    let mut response = other_method().await.into_response();
    debug_assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    if let Ok(methods) = HeaderValue::from_str(&methods.join(",")) {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

/// Lets through who may.
pub(super) async fn checked(
    State(payments): State<Payments>,
    request: Request,
    next: Next,
) -> Response {
    let Some(&Listed(row)) = request.extensions().get::<Listed>() else {
        return nothing_here().await.into_response();
    };
    let Each(each) = &row.callers else {
        return next.run(request).await;
    };
    let (mut parts, body) = request.into_parts();
    let by = match By::find(&mut parts, &payments, row.blind).await {
        Ok(by) => by,
        Err(failure) => return failure.into_response(),
    };
    if let Err(refused) = allowed(&by.0, each) {
        return Failure::from(refused).into_response();
    }
    parts.extensions.insert(by);
    next.run(Request::from_parts(parts, body)).await
}

/// The table as the page on security has it.
#[cfg(test)]
fn markdown() -> String {
    let mut text = format!(
        "| endpoint | commands | {} | without a key | audit |\n|---|---|{}---|\n",
        ROLES.join(" | "),
        "---|".repeat(ROLES.len() + 1)
    );
    for row in TABLE {
        let cells = match &row.callers {
            Open => "yes | ".repeat(ROLES.len()) + "yes",
            Each(each) => {
                let cells = each.map(|may| match may {
                    No => "–",
                    All => "yes",
                    Own => "own",
                    One => "its payment",
                    Refunds => "own, with `refund`",
                });
                format!("{} | –", cells.join(" | "))
            }
        };
        let commands: Vec<String> = row
            .commands
            .split(", ")
            .filter(|command| !command.is_empty())
            .map(|command| format!("`{command}`"))
            .collect();
        let commands = if commands.is_empty() {
            "–".to_owned()
        } else {
            commands.join(", ")
        };
        let kept = if row.kept { "kept" } else { "–" };
        text += &format!(
            "| `{} {}` | {commands} | {cells} | {kept} |\n",
            row.method, row.path
        );
    }
    text
}

/// Every command that some endpoint is for.
#[cfg(test)]
pub(crate) fn commands() -> std::collections::BTreeSet<&'static str> {
    TABLE
        .iter()
        .flat_map(|row| row.commands.split(", "))
        .filter(|command| !command.is_empty())
        .collect()
}

#[cfg(test)]
mod tests;
