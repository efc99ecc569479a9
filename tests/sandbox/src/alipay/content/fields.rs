//! The fields of an order, and which operation has which.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use url::Url;

use super::super::failure::Failure;
use super::OrderKind;

/// Every field that one of the operations has, as it comes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    pub(super) out_trade_no: Option<String>,
    pub(super) total_amount: Option<Box<RawValue>>,
    pub(super) subject: Option<String>,
    pub(super) product_code: Option<String>,
    pub(super) seller_id: Option<String>,
    pub(super) body: Option<String>,
    pub(super) goods_detail: Option<Vec<Map<String, Value>>>,
    pub(super) extend_params: Option<Map<String, Value>>,
    pub(super) time_expire: Option<String>,
    pub(super) timeout_express: Option<String>,
    pub(super) passback_params: Option<String>,
    pub(super) store_id: Option<String>,
    pub(super) merchant_order_no: Option<String>,
    pub(super) discountable_amount: Option<Box<RawValue>>,
    pub(super) undiscountable_amount: Option<Box<RawValue>>,
    pub(super) operator_id: Option<String>,
    pub(super) terminal_id: Option<String>,
    pub(super) qr_code_timeout_express: Option<String>,
    pub(super) auth_code: Option<String>,
    pub(super) scene: Option<String>,
    pub(super) query_options: Option<Vec<String>>,
    pub(super) goods_type: Option<String>,
    pub(super) integration_type: Option<String>,
    pub(super) request_from_url: Option<String>,
    pub(super) qr_pay_mode: Option<String>,
    pub(super) qrcode_width: Option<u32>,
    pub(super) quit_url: Option<String>,
}

impl Fields {
    /// Refuses a field that another operation has.
    pub(super) fn belong_to(&self, kind: OrderKind) -> Result<(), Failure> {
        let face_to_face = matches!(kind, OrderKind::QrCode | OrderKind::Till);
        let (till, page) = (kind == OrderKind::Till, kind == OrderKind::Page);
        let wap = kind == OrderKind::Wap;
        let table = [
            (
                "discountable_amount",
                self.discountable_amount.is_some(),
                face_to_face,
            ),
            (
                "undiscountable_amount",
                self.undiscountable_amount.is_some(),
                face_to_face,
            ),
            ("operator_id", self.operator_id.is_some(), face_to_face),
            ("terminal_id", self.terminal_id.is_some(), face_to_face),
            (
                "qr_code_timeout_express",
                self.code_timeout().is_some(),
                kind == OrderKind::QrCode,
            ),
            ("auth_code", self.auth_code.is_some(), till),
            ("scene", self.scene.is_some(), till),
            ("query_options", self.query_options.is_some(), till),
            ("goods_type", self.goods_type.is_some(), page || wap),
            ("integration_type", self.integration_type.is_some(), page),
            ("request_from_url", self.request_from_url.is_some(), page),
            ("qr_pay_mode", self.qr_pay_mode.is_some(), page),
            ("qrcode_width", self.qrcode_width.is_some(), page),
            ("quit_url", self.quit_url.is_some(), wap),
        ];
        match table.into_iter().find(|(_, given, fits)| *given && !fits) {
            Some((name, ..)) => Err(Failure::parameter(name)),
            None => Ok(()),
        }
    }

    fn code_timeout(&self) -> Option<&String> {
        self.qr_code_timeout_express.as_ref()
    }

    /// Refuses a value that the operation does not take.
    pub(super) fn check(&self, kind: OrderKind, seller_id: &str) -> Result<(), Failure> {
        let product = self.product_code.as_deref();
        let fits = match kind {
            OrderKind::QrCode => matches!(
                product,
                None | Some("FACE_TO_FACE_PAYMENT" | "QR_CODE_OFFLINE")
            ),
            OrderKind::Till => matches!(product, None | Some("FACE_TO_FACE_PAYMENT")),
            OrderKind::Page => product == Some("FAST_INSTANT_TRADE_PAY"),
            OrderKind::Wap => product == Some("QUICK_WAP_WAY"),
        };
        let modes = ["0", "1", "2", "3", "4"];
        let fits_mode = |mode: &str| modes.contains(&mode);
        let types = ["ALIAPP", "PCWEB"];
        let table = [
            ("product_code", fits),
            (
                "seller_id",
                self.seller_id
                    .as_deref()
                    .is_none_or(|id| id.is_empty() || id == seller_id),
            ),
            (
                "qr_pay_mode",
                self.qr_pay_mode.as_deref().is_none_or(fits_mode),
            ),
            (
                "qrcode_width",
                self.qrcode_width.is_none_or(|width| width > 0),
            ),
            (
                "goods_type",
                self.goods_type
                    .as_deref()
                    .is_none_or(|kind| matches!(kind, "0" | "1")),
            ),
            (
                "integration_type",
                self.integration_type
                    .as_deref()
                    .is_none_or(|kind| types.contains(&kind)),
            ),
            (
                "request_from_url",
                self.request_from_url.as_deref().is_none_or(is_web_address),
            ),
            (
                "quit_url",
                self.quit_url.as_deref().is_none_or(is_web_address),
            ),
        ];
        match table.into_iter().find(|(_, fits)| !fits) {
            Some((name, _)) => Err(Failure::field(name)),
            None => Ok(()),
        }
    }
}

fn is_web_address(text: &str) -> bool {
    text.len() <= 400
        && Url::parse(text)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
