//! What happens to an order, or to an account, because somebody at the platform says so.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::Duration;

use super::account::Signer;
use super::authority::{Authority, Validity};
use super::clock;
use super::fen::Fen;
use super::order::Order;
use super::platform::Platform;
use super::signing::{KeyError, SigningKey};
use super::view::TradeView;
use super::{Alipay, SandboxError};

/// Something that happens to an order. Over HTTP it is JSON, such as `"run_out"` or
/// `{"refund": {"fee": "0.04"}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// The time of its codes and of its trade is over. A trade that waits for the buyer is
    /// closed, with its notification.
    RunOut,
    /// The time for refunds of a paid trade is over: `TRADE_FINISHED`, with its notification.
    Finish,
    /// The merchant gives money back by Alipay's own console, with its notification: a part
    /// leaves `TRADE_SUCCESS`, the whole makes `TRADE_CLOSED`.
    Refund {
        /// Yuan, such as `"0.04"`.
        fee: Fen,
    },
    /// The next refund by the gateway is taken, and its money does not move: `fund_change=N`, and
    /// no `refund_status`, until the next two.
    HoldRefund,
    /// The money of a held refund goes back, with its notification.
    ReleaseRefund {
        /// The merchant's number of it.
        out_request_no: String,
    },
    /// A held refund comes to nothing, without a word. The same number may be asked for again.
    DropRefund {
        /// The merchant's number of it.
        out_request_no: String,
    },
    /// Nothing can be given back: `ACQ.REASON_TRADE_BEEN_FREEZEN`.
    Freeze,
    /// Money can be given back again.
    Thaw,
    /// Everything happened so many days earlier.
    Backdate {
        /// Days.
        days: u16,
    },
}

/// Why a command is not obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CommandError {
    #[error("no order has this number")]
    NoOrder,
    #[error("the state of the order does not allow this")]
    State,
}

/// Lets it happen; gives the order after it.
pub(super) fn obey(
    platform: &Arc<Platform>,
    out_trade_no: &str,
    command: &Command,
) -> Result<TradeView, CommandError> {
    let known = platform.book().named(out_trade_no);
    let known = known.ok_or(CommandError::NoOrder)?;
    let act = |order: &mut Order| change(platform, order, command);
    let changed = platform.change(out_trade_no, act);
    let key = changed.ok_or(CommandError::State)?;
    match command {
        Command::Finish | Command::Refund { .. } | Command::ReleaseRefund { .. } => {
            platform.announce(&key);
        }
        _ => platform.changed(),
    }
    platform.lapse(&key);
    let book = platform.book();
    let order = book.orders.get(&known);
    order
        .map(|order| TradeView::of(order, &platform.base_url))
        .ok_or(CommandError::NoOrder)
}

fn change(platform: &Platform, order: &mut Order, command: &Command) -> bool {
    let now = clock::now();
    match command {
        Command::RunOut => order.run_out(now),
        Command::Finish => return order.finish(),
        Command::Refund { fee } => return order.refund_by_hand(*fee, &platform.numbers, now),
        Command::HoldRefund => order.holds_refund = true,
        Command::ReleaseRefund { out_request_no } => {
            return order.end_refund(out_request_no, true, now);
        }
        Command::DropRefund { out_request_no } => {
            return order.end_refund(out_request_no, false, now);
        }
        Command::Freeze | Command::Thaw => {
            let Some(trade) = order.trade.as_mut() else {
                return false;
            };
            trade.frozen = *command == Command::Freeze;
        }
        Command::Backdate { days } => order.backdate(Duration::days(i64::from(*days))),
    }
    true
}

/// Who certifies a new key of Alipay's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// Alipay's authority, under the roots that the merchant has.
    Alipay,
    /// Alipay's authority, and the certificate is over since yesterday.
    AlipayLongAgo,
    /// An authority of the same names under other roots.
    Stranger,
}

impl Alipay {
    /// Lets something happen to an order; gives the order after it.
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`]; [`SandboxError::State`] when its state does not allow it.
    pub fn command(
        &self,
        out_trade_no: &str,
        command: &Command,
    ) -> Result<TradeView, SandboxError> {
        obey(&self.platform, out_trade_no, command).map_err(|error| match error {
            CommandError::NoOrder => SandboxError::NoOrder(out_trade_no.to_owned()),
            CommandError::State => SandboxError::State(out_trade_no.to_owned()),
        })
    }

    /// [`Command::RunOut`].
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`].
    pub fn run_out(&self, out_trade_no: &str) -> Result<(), SandboxError> {
        self.command(out_trade_no, &Command::RunOut).map(drop)
    }

    /// [`Command::Finish`].
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`]; [`SandboxError::State`] when it is not paid.
    pub fn finish(&self, out_trade_no: &str) -> Result<(), SandboxError> {
        self.command(out_trade_no, &Command::Finish).map(drop)
    }

    /// [`Command::Refund`].
    ///
    /// # Errors
    /// [`SandboxError::NoOrder`]; [`SandboxError::State`] when it is not paid or so much is not left.
    pub fn refund(&self, out_trade_no: &str, fee: Fen) -> Result<(), SandboxError> {
        self.command(out_trade_no, &Command::Refund { fee })
            .map(drop)
    }

    /// Bills of the day and the month that still run are given out too, with what has happened
    /// until they are asked for.
    pub fn publish_bills(&self) {
        self.platform.book().bills.published = true;
    }

    /// The address of every bill's file is over, as half a minute after it was asked for.
    pub fn expire_bills(&self) {
        self.platform.book().bills.expire();
    }

    /// What a seller has for refunds; none means plenty, as in the beginning.
    ///
    /// # Errors
    /// [`SandboxError::NoAccount`].
    pub fn set_seller_balance(
        &self,
        app_id: &str,
        balance: Option<Fen>,
    ) -> Result<(), SandboxError> {
        self.app(app_id)?.set_balance(balance);
        Ok(())
    }

    /// Alipay signs for this account by a new key from now on. Gives the new certificate in PEM,
    /// which merchants get by `alipay.open.app.alipaycert.download`. Takes some tenths of a second.
    ///
    /// # Errors
    /// [`SandboxError::NoAccount`] when there is none or it is in key mode; [`SandboxError::Keys`].
    pub async fn renew_certificate(
        &self,
        app_id: &str,
        issuer: Issuer,
    ) -> Result<String, SandboxError> {
        let app = self.app(app_id)?;
        if app.certified.is_none() {
            return Err(SandboxError::NoAccount(app_id.to_owned()));
        }
        let authority = Arc::clone(self.platform.authority().await?);
        let (platform, seller) = (Arc::clone(&self.platform), app.seller_id.clone());
        let certify = move || {
            let (numbers, key) = (&platform.numbers, SigningKey::generate()?);
            let made = match issuer {
                Issuer::Alipay => {
                    authority.certify_alipay(numbers, &key, &seller, Validity::years(2))
                }
                Issuer::AlipayLongAgo => {
                    authority.certify_alipay(numbers, &key, &seller, Validity::expired())
                }
                Issuer::Stranger => Authority::new(numbers)?.certify_alipay(
                    numbers,
                    &key,
                    &seller,
                    Validity::years(2),
                ),
            };
            made.map(|certificate| (key, certificate))
        };
        let made = tokio::task::spawn_blocking(certify).await;
        let (key, certificate) = made.unwrap_or(Err(KeyError::Generate))?;
        let pem = certificate.pem.clone();
        app.renew(Signer {
            key,
            certificate: Some(certificate),
        });
        Ok(pem)
    }

    fn app(&self, app_id: &str) -> Result<Arc<super::account::App>, SandboxError> {
        let found = self.platform.book().apps.get(app_id).cloned();
        found.ok_or_else(|| SandboxError::NoAccount(app_id.to_owned()))
    }
}
