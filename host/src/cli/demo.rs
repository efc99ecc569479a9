//! `walnut demo`: a host on a data root of its own, with the simulated Alipay and a demo domain, and
//! one payment from its creation to its callback, step by step over the same HTTP endpoints that
//! shops use.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value, json};
use walnut_sandbox::alipay::{Account, Alipay, AlipayOptions};

use super::options::DemoOptions;
use super::qr;
use super::sandbox;
use super::serve::{self, Signals};
use crate::config::Config;
use crate::home::MasterSource;
use crate::payment::keys::NewKey;
use crate::payment::retention::Retention;
use crate::running::{Host, HostOptions};

const DOMAIN: &str = "demo";
const CALLBACK: &str = "record-sale";
const TARGET: &str = "main";
/// Repeats of notifications come this many times faster than the real ones.
const TIME_SCALE: u32 = 60;
/// The whole way of the demo's payment takes a second or two; a machine under load some more.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shows one payment from its creation to its callback.
pub(super) async fn run(options: DemoOptions) -> ExitCode {
    serve::log_errors();
    match demo(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("walnut demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(options: DemoOptions) -> anyhow::Result<()> {
    // Before there is anything that would be left behind.
    let mut signals = Signals::listen()?;
    let data = tempfile::Builder::new().prefix("walnut-demo-").tempdir()?;
    println!(
        "walnut demo: a host of its own, with its data in {}",
        data.path().display()
    );
    let alipay = during(
        "starting the simulated Alipay and making its keys",
        Alipay::start(AlipayOptions {
            time_scale: TIME_SCALE,
            ..AlipayOptions::default()
        }),
    )
    .await?;
    let account = during("opening a merchant's account there", alipay.open_account()).await?;
    let preset = Config::preset()?;
    let host = during(
        "starting the host and compiling its components",
        Host::start(HostOptions {
            store: None,
            master_key: MasterSource::default(),
            data: data.path().to_owned(),
            listen: options.listen,
            handed: None,
            incoming: preset.incoming(),
            tls: None,
            proxies: preset.proxies(),
            public_url: None,
            instances: 16,
            allow_local_gateways: true,
            overlap: false,
            retention: Retention::default(),
            provider_authors: Vec::new(),
            compiler: Some(super::this_program()?),
            new_root_key: false,
        }),
    )
    .await?;
    let shown = tokio::select! {
        shown = show(&host, &alipay, &account, options.once) => shown,
        () = signals.stop() => {
            println!("\nStopping: finishing what runs.");
            Ok(())
        }
    };
    during("finishing what runs", host.stop()).await?;
    alipay.stop().await;
    shown
}

/// One payment; then, unless it is to be the only one, what to try next for as long as anybody likes.
async fn show(host: &Host, alipay: &Alipay, account: &Account, once: bool) -> anyhow::Result<()> {
    let shop = during(
        "making the demo domain and compiling its callback",
        set_up(host, alipay, account),
    )
    .await?;
    let payment = pay_once(&shop, alipay).await?;
    println!(
        "\nThe finished payment:\n{}",
        serde_json::to_string_pretty(&payment)?
    );
    if !once {
        say_what_next(&shop, alipay).await?;
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// A caller of the host: what a shop's server is.
struct Shop {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Shop {
    async fn call(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let answer: Value = request.bearer_auth(&self.key).send().await?.json().await?;
        if answer.get("ok") == Some(&json!(true)) {
            return Ok(answer.get("data").cloned().unwrap_or(Value::Null));
        }
        bail!("the host refused: {answer}")
    }

    async fn get(&self, path: &str, id: &str) -> anyhow::Result<Value> {
        let url = format!("{}{path}?id={id}", self.url);
        self.call(self.http.get(url)).await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(self.http.post(format!("{}{path}", self.url)).json(body))
            .await
    }
}

/// The demo domain: its key, its account at the simulated Alipay, its callback.
async fn set_up(host: &Host, alipay: &Alipay, account: &Account) -> anyhow::Result<Shop> {
    let payments = host.payments();
    payments
        .store()
        .add_domain(DOMAIN, crate::payment::now_ms())
        .await?;
    let key = payments
        .issue_key(NewKey::of_owner(DOMAIN, true))
        .await?
        .key;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let shop = Shop {
        http,
        url: host.url(),
        key,
    };
    let settings = json!({
        "test": true,
        "default": true,
        "settings": sandbox::zfb_settings(alipay, account),
    });
    let url = format!("{}/pay/target/zfb/{TARGET}", shop.url);
    shop.call(shop.http.put(url).json(&settings))
        .await
        .context("the demo's target")?;
    let url = format!("{}/pay/callback/{CALLBACK}", shop.url);
    let component = walnut_bundle::RECORD_SALE.to_vec();
    shop.call(shop.http.put(url).body(component))
        .await
        .context("the demo's callback")?;
    Ok(shop)
}

async fn pay_once(shop: &Shop, alipay: &Alipay) -> anyhow::Result<Value> {
    let order =
        json!({ "brief": "两杯茶 two cups of tea", "fee": "2300RMB", "callback": CALLBACK });
    let created = during("creating a payment", shop.post("/pay/ajax/create", &order)).await?;
    let id = text(&created, "id")?;
    step(
        "created",
        &format!("payment {id} over 23.00 yuan; st {}", text(&created, "st")?),
    );

    let sending = json!({ "id": id, "pay_tp": "zfb.qrcode" });
    let sent = during("sending it", shop.post("/pay/ajax/send", &sending)).await?;
    let code = text(&sent, "data")?;
    step(
        "sent",
        &format!(
            "by zfb.qrcode; st {}; the QR code is {code}",
            text(&sent, "status")?
        ),
    );
    println!("{}", qr::draw(&code)?);

    during("the simulated buyer pays", alipay.pay(&code))
        .await
        .context("the simulated buyer")?;
    step(
        "the buyer pays",
        "the simulated buyer scanned the code and paid",
    );

    let taken = during("waiting for the notification", async {
        tokio::time::timeout(
            PATIENCE,
            alipay.until(|alipay| {
                alipay
                    .notifications()
                    .into_iter()
                    .find(|n| n.out_trade_no == id && n.taken)
            }),
        )
        .await
    })
    .await?;
    let reply = taken.reply.unwrap_or_default();
    step(
        "notification",
        &format!("verified and committed; Alipay was answered {reply:?}"),
    );

    let paid = shop.get("/pay/ajax/get", &id).await?;
    ensure!(
        paid.get("st") == Some(&json!("OK")),
        "the payment is not OK: {paid}"
    );
    step("OK", "the payment is paid");

    let applied = during("waiting for the callback", applied(shop, &id)).await?;
    let answer = applied
        .get("apply_re")
        .map(Value::to_string)
        .unwrap_or_default();
    step(
        "callback applied",
        &format!("{CALLBACK} ran once and returned {answer}"),
    );
    Ok(applied)
}

/// The payment once its callback was applied.
async fn applied(shop: &Shop, id: &str) -> anyhow::Result<Value> {
    let look = async {
        loop {
            let payment = shop.get("/pay/ajax/get", id).await?;
            if payment.get("apply_at").and_then(Value::as_u64).unwrap_or(0) > 0 {
                return anyhow::Ok(payment);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look)
        .await
        .context("the callback did not run")?
}

/// The pages with a payment that waits for its buyer, and the same by commands.
async fn say_what_next(shop: &Shop, alipay: &Alipay) -> anyhow::Result<()> {
    let (url, key) = (&shop.url, &shop.key);
    let order = json!({ "brief": "一壶茶 a pot of tea", "fee": "4200RMB", "callback": CALLBACK });
    let waiting = shop.post("/pay/ajax/create", &order).await?;
    let (id, ticket) = (text(&waiting, "id")?, text(&waiting, "ticket")?);
    let walnut = std::env::current_exe()
        .map_or_else(|_| "walnut".to_owned(), |path| path.display().to_string());
    println!(
        "
The host stays up until Ctrl-C. Open in a browser, side by side:

  the buyer's page   {url}/pay/cashier/{id}?ticket={ticket}
  the buyer's phone  {alipay}/phone
  the till           {url}/pay/till   (sign in with the key below)

In another terminal:

  export WALNUT_URL={url}
  export WALNUT_KEY={key}

Create a payment and send it at once, be the buyer, and look at it:

  {walnut} pay create -br 'a pot of tea' -fee 4200RMB -callback {CALLBACK} -pt zfb.qrcode -ta {TARGET}
  curl -s {alipay}/buyer/pay -H 'Content-Type: application/json' -d '{{\"qr_code\":\"<the data above>\"}}'
  {walnut} pay get <id>
  {walnut} obj /var/payment -match \"{{tp:'wn_payment'}}\" -bish -t 'id,fee,cur,st,pay_tp,pay_target,ct,brief' -sort lm:-1 -limit 10

The same over HTTP:

  curl -s {url}/pay/ajax/create -H \"Authorization: Bearer $WALNUT_KEY\" -d '{{\"brief\":\"a pot of tea\",\"fee\":\"4200RMB\",\"pay_tp\":\"zfb.qrcode\"}}'
  curl -s \"{url}/pay/ajax/query?limit=3\" -H \"Authorization: Bearer $WALNUT_KEY\"
",
        alipay = alipay.url(),
    );
    Ok(())
}

fn step(what: &str, how: &str) {
    println!("  {what:>16} | {how}");
}

fn text(object: &Value, name: &str) -> anyhow::Result<String> {
    let found = object
        .as_object()
        .and_then(|object: &Map<String, Value>| object.get(name));
    let text = found.and_then(Value::as_str);
    Ok(text
        .with_context(|| format!("the answer has no {name}: {object}"))?
        .to_owned())
}

/// Awaits `work`, and says once a second what it waits for.
async fn during<T, E: Into<anyhow::Error>>(
    what: &str,
    work: impl Future<Output = Result<T, E>>,
) -> anyhow::Result<T> {
    tokio::pin!(work);
    let mut seconds = 0u32;
    loop {
        tokio::select! {
            done = &mut work => return done.map_err(Into::into),
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                seconds += 1;
                println!("  … {what} ({seconds} s)");
            }
        }
    }
}
