//! Trust: what a platform stated, and that it was the platform who stated it.
//!
//! A provider points at things by the names of its manifest; everything that has to be believed is
//! done here. A [`Message`] is bytes of unknown origin. [`verify`] makes a [`Statement`] of it, by a
//! scheme of the [`Manifest`] and the keys of the [`Target`], and nothing else can make one.
//! [`read_claim`] reads trade, account, state and amount out of the statement. [`prepare`] lets a
//! request out, only to where the manifest reaches, and signs it; [`sign_template`] signs for the
//! buyer's client. No secret leaves this room, and no bytes of a provider's choice are signed.
//!
//! No I/O happens here: the payment room and the plugin host call it.

mod archive;
mod certificate;
mod claim;
mod compared;
pub(crate) mod form;
mod gateway;
pub(crate) mod json;
mod key;
mod key_names;
mod keyring;
mod manifest;
mod message;
mod platform_keys;
mod pointer;
mod prepare;
mod reach;
mod refund;
mod scheme;
mod sealed;
mod set_value;
mod target;
mod template;
#[cfg(test)]
mod tests;
mod timestamp;
mod tls;
pub(crate) mod xml;

pub(crate) use json::refuse_repeated_names;

pub use claim::{ClaimError, Reading, Stated, read_claim};
pub use compared::{Due, Fact, Verdict, compare, refund_number};
pub use key_names::{certificate_names, verifying_key_names};
pub use manifest::{
    Errand, FieldError, MAX_BYTES as MAX_MANIFEST_BYTES, Manifest, ManifestError, PayType, Problem,
    Replies, Reply, Resend, Secrets, Titles,
};
pub use message::{Failure, Message, Origin, Statement};
pub use platform_keys::KeepCertificates;
pub use prepare::{
    Outgoing, Prepared, TokenRefused, forget_token, keep_token, prepare, token_request,
};
pub use reach::Denied;
pub use refund::{RefundReading, RefundStated, read_refund};
pub use scheme::aead::open;
pub use scheme::certificates::renew;
pub use scheme::{is_probe, verify};
pub use target::{CertificateEnd, Target};
pub use template::sign_template;
pub use tls::Tls;
