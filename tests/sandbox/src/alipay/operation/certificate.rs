//! `alipay.open.app.alipaycert.download`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::account::App;
use super::super::answer::Answer;
use super::super::content;
use super::super::failure::Failure;
use super::super::parameters::Call;
use super::super::platform::Platform;

/// Gives the certificate of a key of Alipay's with its intermediate: base64 of PEM. The answer is
/// signed by the present key, whose certificate the merchant may not have yet: what makes the
/// certificate good is the way to the root alone.
pub(super) fn download(
    _: &Arc<Platform>,
    app: &Arc<App>,
    call: &Call,
    answer: Answer,
) -> Result<Answer, Failure> {
    let sn = content::certificate_sn(&call.biz_content)?;
    let pem = app
        .certificate(&sn)
        .ok_or_else(|| Failure::invalid("isv.alipay-cert-not-exist", "支付宝公钥证书不存在"))?;
    Ok(answer
        .success()
        .with("alipay_cert_content", STANDARD.encode(pem)))
}
