//! Everything that the platform remembers, behind one lock that is never held over a wait.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;

use super::account::App;
use super::certificate::SigningCertificate;
use super::clock;
use super::failure::Failure;
use super::misbehaviour::{AnswerFault, Fault, Misbehaviour, NotificationFault};
use super::operation::Operation;
use super::order::{Order, Settlement};
use super::reports::Reports;
use super::resource::Writer;
use super::token::Tokens;
use super::view::{CaptureView, NotificationView, OrderView, RefundView, Replay, RequestView};

/// How many requests and how many notifications are remembered; older ones are forgotten, so
/// that a demo may run for days.
const REMEMBERED: usize = 10_000;

/// A `PayPal-Request-Id` in its room: the client and the kind of request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RequestKey {
    pub(super) client_id: String,
    pub(super) operation: &'static str,
    pub(super) request_id: String,
}

/// What a request with such an id was about, said, and made.
pub(super) struct Remembered {
    pub(super) about: String,
    pub(super) body: Value,
    pub(super) made: String,
}

/// The platform's memory.
pub(super) struct Book {
    pub(super) apps: HashMap<String, Arc<App>>,
    pub(super) tokens: Tokens,
    /// Where each client's webhook goes.
    pub(super) webhooks: HashMap<String, String>,
    /// By PayPal's number.
    pub(super) orders: BTreeMap<String, Order>,
    pub(super) request_ids: HashMap<RequestKey, Remembered>,
    pub(super) misbehaviours: Vec<Misbehaviour>,
    pub(super) reports: Reports,
    /// Whose key signs webhooks.
    pub(super) signer: Arc<SigningCertificate>,
    /// Every certificate that PayPal issued, by its number.
    pub(super) certificates: HashMap<String, Arc<SigningCertificate>>,
    requests: VecDeque<RequestView>,
    notifications: VecDeque<NotificationView>,
}

impl Book {
    /// An empty memory, but for the certificate that signs.
    pub(super) fn new(signer: SigningCertificate) -> Book {
        let signer = Arc::new(signer);
        Book {
            apps: HashMap::new(),
            tokens: Tokens::default(),
            webhooks: HashMap::new(),
            orders: BTreeMap::new(),
            request_ids: HashMap::new(),
            misbehaviours: Vec::new(),
            reports: Reports::default(),
            certificates: HashMap::from([(signer.id.clone(), Arc::clone(&signer))]),
            signer,
            requests: VecDeque::new(),
            notifications: VecDeque::new(),
        }
    }

    /// The caller's order, as long as it is known.
    pub(super) fn own_order(
        &mut self,
        app: &App,
        id: &str,
        now: OffsetDateTime,
    ) -> Result<&mut Order, Failure> {
        let own = |order: &&mut Order| order.app.client_id == app.client_id && !order.is_gone(now);
        let order = self.orders.get_mut(id).filter(own);
        order.ok_or_else(Failure::not_found)
    }

    /// The caller's order with this capture.
    pub(super) fn own_capture(&mut self, app: &App, id: &str) -> Result<&mut Order, Failure> {
        let has = |order: &&mut Order| {
            let capture = order.capture.as_ref();
            order.app.client_id == app.client_id && capture.is_some_and(|known| known.id == id)
        };
        let order = self.orders.values_mut().find(has);
        order.ok_or_else(Failure::not_found)
    }

    /// The caller's order with this refund.
    pub(super) fn own_refund(&mut self, app: &App, id: &str) -> Result<&mut Order, Failure> {
        let has = |order: &&mut Order| {
            order.app.client_id == app.client_id && order.refund_of(id).is_some()
        };
        let order = self.orders.values_mut().find(has);
        order.ok_or_else(Failure::not_found)
    }

    /// The order of a name, whichever client's it is; the newest, should several be called so.
    pub(super) fn named(&self, name: &str) -> Option<&Order> {
        let mut found: Vec<&Order> = self
            .orders
            .values()
            .filter(|order| order.names().any(|known| known == name))
            .collect();
        found.sort_by_key(|order| order.created);
        found.pop()
    }

    /// The same, to change it.
    pub(super) fn named_mut(&mut self, name: &str) -> Option<&mut Order> {
        let id = self.named(name)?.id.clone();
        self.orders.get_mut(&id)
    }

    /// Whether a merchant has this number or address.
    pub(super) fn has_merchant(&self, name: &str) -> bool {
        let mut apps = self.apps.values();
        apps.any(|app| app.merchant_id == name || app.email == name)
    }

    /// Whether the client was paid, or is about to be, under this number already.
    pub(super) fn has_invoice(&self, app: &App, invoice_id: &str) -> bool {
        self.orders.values().any(|order| {
            let capture = order.capture.as_ref();
            order.app.client_id == app.client_id
                && order.content.invoice_id.as_deref() == Some(invoice_id)
                && capture.is_some_and(|known| known.settlement != Settlement::Declined)
        })
    }

    /// Whether the client gave money back under this number already.
    pub(super) fn has_refund_invoice(&self, app: &App, invoice_id: &str) -> bool {
        let own = self.orders.values();
        own.filter(|order| order.app.client_id == app.client_id)
            .flat_map(|order| &order.refunds)
            .any(|refund| refund.content.invoice_id.as_deref() == Some(invoice_id))
    }

    /// What came of an earlier request with the same id.
    pub(super) fn replay(
        &self,
        key: Option<&RequestKey>,
        about: &str,
        body: &Value,
    ) -> Option<(Replay, String)> {
        let known = self.request_ids.get(key?)?;
        let replay = match (known.about == about, known.body == *body) {
            (true, true) => Replay::Same,
            (true, false) => Replay::OtherBody,
            (false, _) => Replay::OtherResource,
        };
        Some((replay, known.made.clone()))
    }

    /// What a request's order is called, to match misbehaviours by: an order that is still to be
    /// made is called as its body says.
    pub(super) fn names(&self, operation: &Operation, body: &[u8]) -> Vec<String> {
        let Some(id) = operation.resource() else {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let numbers = ["reference_id", "custom_id", "invoice_id"];
            let told = numbers.map(|number| body.pointer(&format!("/purchase_units/0/{number}")));
            let told = told.into_iter().flatten().filter_map(Value::as_str);
            return told.map(str::to_owned).collect();
        };
        let order = self.named(id);
        let names = order.map(|order| order.names().map(str::to_owned).collect());
        names.unwrap_or_else(|| vec![id.to_owned()])
    }

    /// The misbehaviour that the next answer shows; counts it.
    pub(super) fn take_answer_fault(
        &mut self,
        operation: &str,
        names: &[String],
    ) -> Option<AnswerFault> {
        let is_answer = |fault: &Fault| matches!(fault, Fault::Answer(_));
        match self.take(is_answer, operation, names)? {
            Fault::Answer(fault) => Some(fault),
            Fault::Notification(_) => None,
        }
    }

    /// The misbehaviour that the next send of a notification shows; counts it.
    pub(super) fn take_notification_fault(
        &mut self,
        event: &str,
        names: &[String],
    ) -> Option<NotificationFault> {
        let is_notification = |fault: &Fault| matches!(fault, Fault::Notification(_));
        match self.take(is_notification, event, names)? {
            Fault::Notification(fault) => Some(fault),
            Fault::Answer(_) => None,
        }
    }

    fn take(
        &mut self,
        kind: impl Fn(&Fault) -> bool,
        operation: &str,
        names: &[String],
    ) -> Option<Fault> {
        self.misbehaviours.retain(|entry| entry.times != Some(0));
        let fits = |entry: &&mut Misbehaviour| {
            let (order, wanted) = (entry.order.as_ref(), entry.operation.as_deref());
            kind(&entry.what)
                && order.is_none_or(|order| names.contains(order))
                && wanted.is_none_or(|wanted| wanted == operation)
        };
        let entry = self.misbehaviours.iter_mut().find(fits)?;
        if let Some(times) = entry.times.as_mut() {
            *times -= 1;
        }
        Some(entry.what.clone())
    }

    /// Remembers a request.
    pub(super) fn record_request(&mut self, view: RequestView) {
        remember(&mut self.requests, view);
    }

    /// Remembers a notification.
    pub(super) fn record_notification(&mut self, view: NotificationView) {
        remember(&mut self.notifications, view);
    }

    /// The requests, oldest first.
    pub(super) fn requests(&self) -> Vec<RequestView> {
        self.requests.iter().cloned().collect()
    }

    /// The notifications, oldest first.
    pub(super) fn notifications(&self) -> Vec<NotificationView> {
        self.notifications.iter().cloned().collect()
    }

    /// The first notification of an order.
    pub(super) fn first_notification(&self, order_id: &str) -> Option<&NotificationView> {
        self.notifications
            .iter()
            .find(|view| view.order_id == order_id)
    }
}

fn remember<T>(recent: &mut VecDeque<T>, view: T) {
    if recent.len() >= REMEMBERED {
        recent.pop_front();
    }
    recent.push_back(view);
}

impl Order {
    /// A copy for whoever looks.
    pub(super) fn view(&self, writer: &Writer<'_>) -> OrderView {
        let content = &self.content;
        let capture = self.capture.as_ref().zip(self.capture_status());
        let refunds = self.refunds.iter();
        OrderView {
            client_id: self.app.client_id.clone(),
            id: self.id.clone(),
            status: self.status,
            amount: content.amount,
            reference_id: content.reference_id.clone(),
            custom_id: content.custom_id.clone(),
            invoice_id: content.invoice_id.clone(),
            approve_url: writer.approve_url(&self.id),
            return_url: content.context.return_url.clone(),
            cancel_url: content.context.cancel_url.clone(),
            created_ms: clock::ms(self.created),
            approved_ms: self.approved.map(clock::ms),
            gone: self.is_gone(clock::now()),
            capture: capture.map(|(capture, status)| CaptureView {
                id: capture.id.clone(),
                status,
                created_ms: clock::ms(capture.created),
            }),
            refunds: refunds
                .map(|refund| RefundView {
                    id: refund.id.clone(),
                    status: refund.status,
                    amount: refund.amount,
                    created_ms: clock::ms(refund.created),
                })
                .collect(),
        }
    }
}
