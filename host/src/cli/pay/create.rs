//! `walnut pay create`

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Map, Value};

use super::Print;
use crate::cli::client::{Call, Client};
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::{input, times};

/// What the flags say has its own place; metadata cannot say it too.
const FROM_FLAGS: &[&str] = &[
    "brief",
    "fee",
    "cur",
    "price",
    "buyer",
    "seller",
    "callback",
    "pay_tp",
    "pay_target",
    "args",
    "expi",
    "test",
];

/// `walnut pay create`
#[derive(Args, Default)]
pub(in crate::cli) struct Create {
    /// What it is for (-br)
    #[arg(long, value_name = "TEXT")]
    brief: Option<String>,
    /// The amount in minor units, with its currency if need be: 99RMB is 0.99 yuan (-fee)
    #[arg(long, value_name = "FEE")]
    fee: String,
    /// The currency, RMB without it (-cur)
    #[arg(long, value_name = "CODE")]
    cur: Option<String>,
    /// The price before discount, in minor units (-price)
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    price: Option<i64>,
    /// Who pays: walnut:ID for a Walnut user, LIBRARY:ID for a user of the domain (-bu)
    #[arg(long, value_name = "TYPE:ID")]
    buyer: Option<String>,
    /// The domain that is paid, your own without it (-se, -sl)
    #[arg(long, value_name = "DOMAIN")]
    seller: Option<String>,
    /// The domain's callback that runs after it became OK (-callback)
    #[arg(long, value_name = "NAME")]
    callback: Option<String>,
    /// More fields, as JSON that may leave out braces and quotes; without a value, JSON from standard
    /// input (-meta)
    #[arg(long, value_name = "JSON", num_args = 0..=1, default_missing_value = "")]
    meta: Option<String>,
    /// Send it at once by this pay type, such as zfb.qrcode (-pt)
    #[arg(long, value_name = "PAY_TP")]
    pay_tp: Option<String>,
    /// Send it at once by this target of the domain (-ta)
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Until when it may be paid: absolute milliseconds, or now+30m (-expi)
    #[arg(long, value_name = "AMS")]
    expi: Option<String>,
    /// A test payment; with a test key it is one in any case (-test)
    #[arg(long)]
    test: bool,
    /// Repeating the call with the same key makes no second payment
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// What the pay type needs, such as the code that the till scanned
    args: Vec<String>,
    #[command(flatten)]
    print: Print,
}

impl Create {
    pub(super) async fn run(self, client: &Client) -> Result<Output, CliError> {
        let print = self.print;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let stdin = || input::text("-");
        let call = self.call(i64::try_from(now).unwrap_or(i64::MAX), stdin)?;
        Ok(print.sent(&client.call(call).await?))
    }

    pub(in crate::cli) fn call(
        self,
        now_ms: i64,
        stdin: impl FnOnce() -> Result<String, CliError>,
    ) -> Result<Call, CliError> {
        if self.pay_tp.is_none() && (self.target.is_some() || !self.args.is_empty()) {
            return Err(CliError::usage(
                "a target (-ta) or an ARG is of use only when the payment is sent at once: give \
                 the pay type too, such as -pt zfb.qrcode",
            ));
        }
        let mut body = match self.meta.as_deref() {
            None => Map::new(),
            Some("") => meta(&stdin()?)?,
            Some(text) => meta(text)?,
        };
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        put(
            "fee",
            Some(self.fee.parse::<i64>().map_or(self.fee.into(), Value::from)),
        );
        put("brief", self.brief.map(Value::from));
        put("cur", self.cur.map(Value::from));
        put("price", self.price.map(Value::from));
        put("buyer", self.buyer.map(Value::from));
        put("seller", self.seller.map(Value::from));
        put("callback", self.callback.map(Value::from));
        put("args", self.pay_tp.is_some().then(|| self.args.into()));
        put("pay_tp", self.pay_tp.map(Value::from));
        put("pay_target", self.target.map(Value::from));
        let expi = self
            .expi
            .map(|text| times::deadline(&text, now_ms))
            .transpose()?;
        put("expi", expi.map(Value::from));
        put("test", self.test.then_some(Value::Bool(true)));
        let mut call = Call::post(&["pay", "ajax", "create"], Value::Object(body));
        call.headers.extend(
            self.idempotency_key
                .map(|key| ("Idempotency-Key".to_owned(), key)),
        );
        Ok(call)
    }
}

fn meta(text: &str) -> Result<Map<String, Value>, CliError> {
    let meta = input::relaxed_object("-meta", text)?;
    match meta.keys().find(|key| FROM_FLAGS.contains(&key.as_str())) {
        None => Ok(meta),
        Some(key) => Err(CliError::usage(format!(
            "-meta names {key:?}, which is no metadata: give it by its own option"
        ))),
    }
}
