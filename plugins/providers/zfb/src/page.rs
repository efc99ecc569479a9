//! `zfb.page` and `zfb.wap`: the address of Alipay's page for the buyer's browser, signed by the host.
//!
//! Nothing is sent to Alipay: the trade begins when the buyer has come to the page. What the address says comes from
//! the attempt and the settings alone, the time too, so that a resend gives the same one and leads to the same trade.

use serde::Serialize;
use walnut_sdk::{Attempt, Fault, Presentation, settings, time, trust};

use crate::gateway;
use crate::order::Order;

/// The longest address to return to, in bytes.
const MAX_RETURN_URL: usize = 256;

/// The code alone, for a frame in a page of the shop's (嵌入式二维码).
const FRAMED: &str = "4";

/// `biz_content` of `alipay.trade.page.pay` and `alipay.trade.wap.pay`.
#[derive(Serialize)]
struct PageOrder {
    out_trade_no: String,
    total_amount: String,
    subject: String,
    product_code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seller_id: Option<String>,
    time_expire: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_pay_mode: Option<&'static str>,
    /// Where a buyer goes who leaves the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    quit_url: Option<String>,
}

impl PageOrder {
    fn of(attempt: &Attempt, product_code: &'static str) -> Result<PageOrder, Fault> {
        let order = Order::of(attempt)?;
        Ok(PageOrder {
            out_trade_no: order.out_trade_no,
            total_amount: order.total_amount,
            subject: order.subject,
            product_code,
            seller_id: order.seller_id,
            time_expire: order.time_expire,
            qr_pay_mode: None,
            quit_url: None,
        })
    }
}

/// The page in a browser: in a window of its own, or in a frame where the caller asks for it.
pub(crate) fn page(attempt: &Attempt, args: &[String]) -> Result<Presentation, Fault> {
    let framed = match args {
        [] => false,
        [way] if way == "iframe" => true,
        _ => {
            return Err(Fault::Invalid(
                "zfb.page takes no argument, or \"iframe\" for a code in a frame of the shop's page"
                    .to_owned(),
            ));
        }
    };
    let mut order = PageOrder::of(attempt, "FAST_INSTANT_TRADE_PAY")?;
    order.qr_pay_mode = framed.then_some(FRAMED);
    let address = signed("page", attempt, &order, return_url(attempt)?)?;
    Ok(if framed {
        Presentation::Iframe(address)
    } else {
        Presentation::Link(address)
    })
}

/// The page in a phone's browser, which calls Alipay's app up where there is one.
pub(crate) fn wap(attempt: &Attempt, args: &[String]) -> Result<Presentation, Fault> {
    if !args.is_empty() {
        return Err(Fault::Invalid("zfb.wap takes no argument".to_owned()));
    }
    let back = return_url(attempt)?;
    let mut order = PageOrder::of(attempt, "QUICK_WAP_WAY")?;
    order.quit_url = back.clone();
    signed("wap", attempt, &order, back).map(Presentation::Link)
}

/// The gateway's address with the order as a query, signed by a template of the manifest.
fn signed(
    template: &str,
    attempt: &Attempt,
    order: &PageOrder,
    return_url: Option<String>,
) -> Result<String, Fault> {
    let values = [
        ("timestamp", time::china(attempt.created_ms)),
        ("notify_url", attempt.notify_url.clone()),
        ("return_url", return_url.unwrap_or_default()),
        ("biz_content", gateway::written(order)?),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), value));
    // Without an address nobody can have begun the trade.
    let query = trust::sign(template, values.to_vec())
        .map_err(|failure| Fault::Misconfigured(failure.to_string()))?;
    Ok(format!("{}?{query}", gateway::address()))
}

/// Where the buyer's browser goes afterwards: `return_url` of the payment, or of the settings. Alipay adds to it what
/// it says of the trade; that proves nothing, and the page there has to ask the shop.
fn return_url(attempt: &Attempt) -> Result<Option<String>, Fault> {
    let of_payment = attempt.meta().get("return_url").cloned();
    let own = of_payment.and_then(|address| address.as_str().map(str::to_owned));
    let Some(address) = own.or_else(|| settings::get("return_url")) else {
        return Ok(None);
    };
    let plain = address.bytes().all(|b| b.is_ascii_graphic()) && !address.contains('#');
    let web = ["https://", "http://"]
        .iter()
        .any(|scheme| address.len() > scheme.len() && address.starts_with(scheme));
    let written = unmistakable(&address).filter(|written| written.len() <= MAX_RETURN_URL);
    match written {
        Some(written) if plain && web => Ok(Some(written)),
        _ => Err(Fault::Invalid(format!(
            "return_url must be an address of at most {MAX_RETURN_URL} plain characters, such as \
             https://shop.example/paid?order=7 (each parameter after the first counts two more), and each parameter \
             must have a name"
        ))),
    }
}

/// The same address, written so that none of its parameters can be taken for a field of Alipay's: the text that is
/// signed joins fields by `&` as it is, and a signature over `…&total_amount=0.01` would be one for that field too.
/// From the second parameter on, the first letter of the name is spelled as a percent code, which stands for the same
/// letter (RFC 3986 §2.3), and which no field of Alipay's begins with; the host signs no other `&name=`. None where a
/// parameter has no name to spell.
fn unmistakable(address: &str) -> Option<String> {
    let mut pieces = address.split('&');
    let mut written = pieces.next()?.to_owned();
    for piece in pieces {
        written.push('&');
        if !piece.contains('=') || piece.starts_with('%') {
            written.push_str(piece);
            continue;
        }
        let mut letters = piece.chars();
        match letters.next()? {
            '=' => return None,
            // In a query it stands for a space.
            '+' => written.push_str("%20"),
            letter => {
                let byte = u8::try_from(letter).ok()?;
                written.push_str(&format!("%{byte:02X}"));
            }
        }
        written.push_str(letters.as_str());
    }
    Some(written)
}
