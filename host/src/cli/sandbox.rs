//! `walnut sandbox`: the simulated WeChat Pay, Alipay and PayPal, each with one merchant's account, for shops that are
//! developed against a host. What is paid there is play money, and nothing outlives the program.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use walnut_sandbox::alipay::{self, Alipay, AlipayOptions};
use walnut_sandbox::paypal::{self, PayPal, PayPalOptions};
use walnut_sandbox::wechat::{Merchant, WeChat, WeChatOptions};

use super::options::SandboxOptions;
use super::serve::{self, Signals};

/// The name that the printed commands give the targets.
const TARGET: &str = "sandbox";

/// What a buyer does there, by the platforms' own control addresses: method, path and body.
type Control = (&'static str, &'static str, &'static str);

const WX_CONTROLS: &[Control] = &[
    ("POST", "/buyer/pay", r#"{"link":"<re_obj>"}"#),
    ("POST", "/buyer/code", r#"{"then":"pays"}"#),
    ("GET", "/trades", ""),
    ("GET", "/requests", ""),
    ("GET", "/notifications", ""),
];
const ZFB_CONTROLS: &[Control] = &[
    ("POST", "/buyer/pay", r#"{"qr_code":"<re_obj>"}"#),
    ("POST", "/buyer/code", r#"{"buyer":"pays"}"#),
    ("GET", "/trades", ""),
    ("GET", "/requests", ""),
    ("GET", "/notifications", ""),
];
const PAYPAL_CONTROLS: &[Control] = &[
    ("POST", "/buyer/approve", r#"{"token":"<re_obj>"}"#),
    ("GET", "/orders", ""),
    ("GET", "/requests", ""),
    ("GET", "/notifications", ""),
];

/// Runs the platforms until somebody ends it. `host` is where PayPal sends its webhooks.
pub(super) async fn run(options: SandboxOptions, host: &str) -> ExitCode {
    serve::log_errors();
    match sandbox(options, host).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("walnut sandbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn sandbox(options: SandboxOptions, host: &str) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let platforms = Platforms::start(&options).await?;
    let accounts = platforms.open_accounts(host).await?;
    let text = match options.json {
        true => format!("{}\n", in_json(&accounts)),
        false => in_words(&accounts, host),
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())?;
    drop(out);
    signals.stop().await;
    platforms.stop().await;
    Ok(())
}

struct Platforms {
    wechat: WeChat,
    alipay: Alipay,
    paypal: PayPal,
}

/// One account and where its platform is.
struct Opened {
    platform: &'static str,
    title: &'static str,
    url: String,
    settings: Value,
    controls: &'static [Control],
}

impl Platforms {
    async fn start(options: &SandboxOptions) -> anyhow::Result<Platforms> {
        let wechat = WeChat::start(WeChatOptions {
            port: options.wx_port,
            tls_port: options.wx_tls_port,
            time_scale: options.faster,
            scale_rules: false,
        });
        let alipay = Alipay::start(AlipayOptions {
            port: options.zfb_port,
            time_scale: options.faster,
        });
        let paypal = PayPal::start(PayPalOptions {
            port: options.paypal_port,
            time_scale: options.faster,
        });
        Ok(Platforms {
            wechat: wechat.await.context("the simulated WeChat Pay")?,
            alipay: alipay.await.context("the simulated Alipay")?,
            paypal: paypal.await.context("the simulated PayPal")?,
        })
    }

    async fn open_accounts(&self, host: &str) -> anyhow::Result<[Opened; 3]> {
        let merchant = self.wechat.open_merchant().await?;
        let seller = self.alipay.open_account().await?;
        let business = self.paypal.open_account();
        let webhook = format!("{}/pay/re", host.trim_end_matches('/'));
        self.paypal.listen(&business, webhook);
        Ok([
            Opened {
                platform: "wx",
                title: "WeChat Pay",
                url: self.wechat.url(),
                settings: wx_settings(&self.wechat, &merchant),
                controls: WX_CONTROLS,
            },
            Opened {
                platform: "zfb",
                title: "Alipay",
                url: self.alipay.url(),
                settings: zfb_settings(&self.alipay, &seller),
                controls: ZFB_CONTROLS,
            },
            Opened {
                platform: "paypal",
                title: "PayPal",
                url: self.paypal.url(),
                settings: paypal_settings(&self.paypal, &business),
                controls: PAYPAL_CONTROLS,
            },
        ])
    }

    async fn stop(self) {
        self.wechat.stop().await;
        self.alipay.stop().await;
        self.paypal.stop().await;
    }
}

fn wx_settings(wechat: &WeChat, merchant: &Merchant) -> Value {
    json!({
        "appid": merchant.appid(),
        "mchid": merchant.mchid(),
        "mch_serial_no": merchant.serial_no(),
        "mch_private_key": merchant.private_key_pem(),
        "mch_certificate": merchant.certificate_pem(),
        "api_v3_key": merchant.api_v3_key(),
        "api_key": merchant.api_key(),
        "gateway": wechat.url(),
        "tls_gateway": wechat.tls_url(),
        "tls_authority": merchant.tls_ca_pem(),
    })
}

/// What a target needs for an account at the simulated Alipay.
pub(super) fn zfb_settings(alipay: &Alipay, account: &alipay::Account) -> Value {
    json!({
        "app_id": account.app_id(),
        "seller_id": account.seller_id(),
        "app_private_key": account.merchant_private_key(),
        "alipay_public_key": account.alipay_public_key(),
        "gateway": alipay.gateway_url(),
    })
}

fn paypal_settings(paypal: &PayPal, account: &paypal::Account) -> Value {
    json!({
        "client_id": account.client_id(),
        "client_secret": account.secret(),
        "webhook_id": account.webhook_id(),
        "webhook_authority": account.certificate_authority(),
        "gateway": paypal.url(),
    })
}

/// By platform: its address, the target's settings, the control addresses.
fn in_json(accounts: &[Opened]) -> Value {
    let by_platform = accounts.iter().map(|account| {
        let controls = account.controls.iter();
        let controls = controls.map(|(method, path, _)| format!("{method} {}{path}", account.url));
        let told = json!({
            "url": account.url,
            "settings": account.settings,
            "controls": controls.collect::<Vec<_>>(),
        });
        (account.platform.to_owned(), told)
    });
    Value::Object(by_platform.collect::<Map<_, _>>())
}

fn in_words(accounts: &[Opened], host: &str) -> String {
    let mut text = format!(
        "walnut sandbox: three simulated platforms, until Ctrl-C. Their accounts are new at every start.\n\
         The host has to run with --allow-local-gateways; PayPal's webhooks go to {host} (--url names another).\n"
    );
    for account in accounts {
        let Opened {
            platform,
            title,
            url,
            settings,
            controls,
        } = account;
        text.push_str(&format!(
            "\n== {title}: {url}\n\nwalnut target put {platform} {TARGET} --test <<'END'\n{settings}\nEND\n\n"
        ));
        for (method, path, body) in *controls {
            let body = match *body {
                "" => String::new(),
                body => format!(" -H 'Content-Type: application/json' -d '{body}'"),
            };
            text.push_str(&format!("curl -s -X {method} {url}{path}{body}\n"));
        }
    }
    text
}
