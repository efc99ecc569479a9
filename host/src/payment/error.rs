//! Why a verb was refused, in the words of the API: a stable `errCode`, an HTTP status and an
//! English sentence that says what to do.

use std::fmt;
use std::io::ErrorKind;

use crate::home::HomeError;
use crate::plugin::{Kind, PluginError, Refusal};
use crate::store::{FindError, StoreError};

/// A refusal. What went wrong inside is logged where it happens and never shown to callers.
#[derive(Clone, Debug)]
pub struct PayError {
    code: &'static str,
    status: u16,
    message: String,
}

/// What most of this room returns.
pub type Result<T> = std::result::Result<T, PayError>;

macro_rules! refusals {
    ($($(#[doc = $says:literal])+ $name:ident = $status:literal $code:literal;)+) => {
        impl PayError {
            /// Every refusal: its code, its HTTP status, and when it is given.
            pub const ALL: &[(&str, u16, &str)] = &[$(($code, $status, concat!($($says),+))),+];

            $(
                $(#[doc = $says])+
                pub fn $name<T: Into<String>>(message: T) -> PayError {
                    PayError { code: $code, status: $status, message: message.into() }
                }
            )+
        }
    };
}

refusals! {
    /// The request is not what the endpoint takes.
    invalid = 400 "e.pay.invalid";
    /// An amount that walnut does not take.
    invalid_fee = 400 "e.pay.invalid.fee";
    /// The buyer is not written as `TYPE:ID`.
    invalid_buyer = 400 "e.pay.invalid.buyer";
    /// The buyer's type or id is missing.
    buyer_imperfect = 400 "e.pay.buyer.imperfect";
    /// A name of the payment's own fields was used for metadata.
    reserved_name = 400 "e.pay.meta.reserved";
    /// The metadata is too large or too deep.
    meta_too_large = 413 "e.pay.meta.tooLarge";
    /// The seller named is not the caller's domain.
    no_match_seller = 403 "e.pay.noMatchSeller";
    /// No key, or none that is known.
    unauthorized = 401 "e.auth.required";
    /// The key may not do this.
    no_privilege = 403 "e.pay.nopvg";
    /// No such payment (or it belongs to somebody else).
    no_payment = 404 "e.pay.noexists";
    /// No such thing besides payments.
    not_found = 404 "e.pay.notFound";
    /// No provider speaks this pay type.
    no_provider = 400 "e.pay.no3x";
    /// The pay type or target is not on this payment's offer.
    not_offered = 409 "e.pay.send.notOffered";
    /// The pay type needs a target and none, or more than one, fits.
    no_target = 409 "e.pay.send.noTarget";
    /// The payment was already sent by another pay type or target.
    switch = 409 "e.pay.send.switch";
    /// Another request is sending this payment.
    busy = 409 "e.pay.send.busy";
    /// The platform declined the buyer's payment; told beside the payment, which is final.
    declined = 409 "e.pay.declined";
    /// The deadline for paying has passed.
    expired = 409 "e.pay.expired";
    /// Only what is paid can be refunded.
    not_paid = 409 "e.pay.refund.notPaid";
    /// All that was paid went back, or nothing was paid.
    nothing_to_refund = 409 "e.pay.refund.nothingLeft";
    /// More than what is left of what was paid.
    refund_too_much = 422 "e.pay.refund.tooMuch";
    /// The payment is paid: it cannot be closed or undone any more.
    already_paid = 409 "e.pay.close.paid";
    /// Nothing of this payment can be undone.
    not_reversible = 409 "e.pay.reverse.unavailable";
    /// The payment is held for a decision by hand.
    held = 409 "e.pay.held";
    /// The payment is not held.
    not_held = 409 "e.pay.resolve.notHeld";
    /// The decision cannot be carried out.
    cannot_resolve = 409 "e.pay.resolve.unavailable";
    /// The caller's arguments do not suit the pay type; nothing was sent.
    send_invalid = 400 "e.pay.send.invalid";
    /// The target's settings do not work; nothing was sent.
    misconfigured = 409 "e.pay.target.misconfigured";
    /// The provider cannot do this.
    unsupported = 409 "e.pay.unsupported";
    /// The provider cannot run at this host any more; its operator has to look at it.
    provider_unusable = 503 "e.pay.provider.unusable";
    /// Nobody knows whether the platform took the order.
    send_unknown = 502 "e.pay.send.unknown";
    /// The platform could not be asked, or its answer does not hold.
    check_unknown = 502 "e.pay.check.unknown";
    /// The callback named at `create` is not there.
    no_callback = 404 "e.pay.callback.noexists";
    /// The uploaded content is not a callback that can run.
    bad_callback = 422 "e.pay.callback.refused";
    /// The uploaded callback failed with a sample payment.
    dry_run_failed = 422 "e.pay.callback.dryRun";
    /// The uploaded content is not a provider that can run.
    bad_provider = 422 "e.pay.provider.refused";
    /// The settings of a target do not fit the provider's schema.
    bad_target = 422 "e.pay.target.invalid";
    /// A name is already taken.
    exists = 409 "e.pay.exists";
    /// A name that walnut does not take.
    bad_name = 400 "e.pay.invalid.name";
    /// Too many payments would have to be read to answer a query.
    query_too_slow = 422 "e.pay.query.tooSlow";
    /// The payments of an answer have more bytes than walnut gives.
    query_too_large = 422 "e.pay.query.tooLarge";
    /// There are as many as walnut keeps.
    too_many = 409 "e.pay.tooMany";
    /// It has more bytes than walnut keeps.
    too_large = 413 "e.pay.tooLarge";
    /// The Idempotency-Key was used with another body.
    key_reused = 422 "e.pay.idempotency.reused";
    /// Everything is in use: try again.
    too_busy = 429 "e.pay.busy";
    /// The store cannot be written or read now.
    store_down = 503 "e.pay.store";
    /// There is no room on the host's disk.
    disk_full = 507 "e.pay.store.full";
    /// The host's disk cannot be written.
    disk_read_only = 503 "e.pay.store.readOnly";
    /// A fault of walnut's own.
    internal = 500 "e.pay.internal";
}

impl PayError {
    /// The stable code, such as `e.pay.noexists`.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The HTTP status that fits.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The sentence for the caller.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Why a component was not taken: told by `wrong` where the component is what is wrong, and not where the host
    /// has no time or cannot do its part.
    pub(super) fn of_refusal(refusal: Refusal, wrong: fn(String) -> PayError) -> PayError {
        match refusal {
            Refusal::Busy => PayError::too_busy(refusal.to_string()),
            Refusal::Host(_) => {
                tracing::error!(error = %refusal, "plugin");
                PayError::internal("the host cannot admit components now; its log says why")
            }
            other => wrong(other.to_string()),
        }
    }
}

impl fmt::Display for PayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for PayError {}

impl From<StoreError> for PayError {
    fn from(error: StoreError) -> PayError {
        match error {
            StoreError::Find(error @ FindError::TooSlow) => {
                PayError::query_too_slow(error.to_string())
            }
            StoreError::Find(error @ FindError::TooLarge) => {
                PayError::query_too_large(error.to_string())
            }
            StoreError::Unkeepable(why) => PayError::invalid(why),
            StoreError::TooMany(why) => PayError::too_many(why),
            error => PayError::of_failed(&error),
        }
    }
}

impl PayError {
    /// Why nothing can be had of the store now.
    fn of_failed(error: &StoreError) -> PayError {
        tracing::error!(%error, "store");
        match error {
            StoreError::Full(_) => disk_full(),
            StoreError::ReadOnly(_) => disk_read_only(),
            StoreError::Uncertain(_) => PayError::store_down(
                "the payment store was lost while it kept this: nobody knows whether it did. Look at the payment, or repeat \
                 the request with the same Idempotency-Key",
            ),
            StoreError::Contended(_) => PayError::store_down(
                "too much is done with the same payment at the same time; nothing was changed by this, try again",
            ),
            StoreError::Unsynced => PayError::store_down(
                "the host's disk failed: nobody knows whether this was kept. The host ends, and can be asked again when \
                 it was started again",
            ),
            _ => store_down(),
        }
    }
}

fn store_down() -> PayError {
    PayError::store_down(
        "the payment store does not answer; nothing was changed by this, try again",
    )
}

fn disk_full() -> PayError {
    PayError::disk_full(
        "the host's disk is full: this was not kept; try again when its operator has made room",
    )
}

fn disk_read_only() -> PayError {
    PayError::disk_read_only(
        "the host's disk cannot be written: this was not kept; try again when its operator has mended it",
    )
}

impl From<HomeError> for PayError {
    fn from(error: HomeError) -> PayError {
        let text = error.to_string();
        match error {
            HomeError::Name { .. } => PayError::bad_name(text),
            HomeError::TooLarge { .. } => PayError::too_large(text),
            HomeError::TooMany { .. } => PayError::too_many(text),
            HomeError::OtherKind { .. } => PayError::exists(text),
            error => {
                tracing::error!(error = text, "home");
                match error.system() {
                    Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => return disk_full(),
                    Some(ErrorKind::ReadOnlyFilesystem) => return disk_read_only(),
                    _ => {}
                }
                PayError::internal(
                    "the domain's home cannot be read or written; the host's log says why",
                )
            }
        }
    }
}

impl From<PluginError> for PayError {
    fn from(error: PluginError) -> PayError {
        match error.kind {
            Kind::Busy => return PayError::too_busy("all plugin instances are in use: try again"),
            Kind::Down => {
                tracing::error!(%error, "store");
                return store_down();
            }
            _ => {}
        }
        tracing::error!(error = %error.full(), "plugin");
        PayError::internal(format!(
            "the plugin {} failed; the host's log says why",
            error.plugin
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_no_fault_of_the_component() {
        let told = |refusal| {
            let error = PayError::of_refusal(refusal, PayError::bad_callback);
            (error.status(), error.code())
        };
        assert_eq!(told(Refusal::Busy), (429, "e.pay.busy"));
        assert_eq!(
            told(Refusal::Host("no processes".into())),
            (500, "e.pay.internal")
        );
        assert_eq!(told(Refusal::Text), (422, "e.pay.callback.refused"));
    }

    #[test]
    fn what_a_home_refuses_is_told_by_its_own_name() {
        let told = |error| {
            let error = PayError::from(error);
            (error.status(), error.code())
        };
        let what = || "callbacks of shop".to_owned();
        let disk = |kind: ErrorKind| HomeError::Io {
            doing: what(),
            source: kind.into(),
        };
        for (error, code) in [
            (
                HomeError::TooMany {
                    what: what(),
                    limit: 1,
                },
                (409, "e.pay.tooMany"),
            ),
            (
                HomeError::TooLarge {
                    what: what(),
                    limit: 1,
                },
                (413, "e.pay.tooLarge"),
            ),
            (
                HomeError::OtherKind {
                    target: "zfb/main".into(),
                    test: false,
                },
                (409, "e.pay.exists"),
            ),
            (HomeError::Random, (500, "e.pay.internal")),
            (disk(ErrorKind::StorageFull), (507, "e.pay.store.full")),
            (
                disk(ErrorKind::ReadOnlyFilesystem),
                (503, "e.pay.store.readOnly"),
            ),
            (disk(ErrorKind::Other), (500, "e.pay.internal")),
        ] {
            assert_eq!(told(error), code);
        }
    }
}
