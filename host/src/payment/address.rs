//! Which attempt a notification is about. Its address names the trade, or the account, or neither: then providers look
//! at it, without keys, and say where it may belong. Nothing of that is believed; what verifies with the attempt's own
//! keys is right.

use super::keys::looks_secret;
use super::model::{Attempt, Case, TargetRef, TradeNo};
use super::providers::Current;
use super::receive::{About, Refusal};
use super::routes::{ACCOUNTS_OF_A_KEY, Holder};
use super::{Payments, now_ms};
use crate::plugin::{Hint, Named, Provider, ProviderCall};
use crate::store::Account;
use crate::trust::{Message, Reply};

/// Trades that a notification to the bare address is tried with, at most.
const TRADES: usize = 4;
/// Notifications to the bare address that are looked at at once. Anybody may send them, and each calls all providers: the
/// others wait in turn, and leave the plugins to notifications that say at once whose they are.
pub(super) const BARE_AT_ONCE: usize = 4;

/// Where a notification was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Address<'a> {
    /// `/pay/re`: it says itself whose it is.
    Bare,
    /// `/pay/re/{trade_no}`: about this trade.
    Trade(&'a str),
    /// `/pay/re/t/{token}`: for the account with this token.
    Account(&'a str),
}

impl Address<'_> {
    /// What may be told of it: a token is nobody's business, and a key that somebody put there is not either.
    pub(super) fn trade(self) -> Option<String> {
        match self {
            Address::Trade(text) if looks_secret(text) => None,
            Address::Trade(text) => Some(text.chars().take(64).collect()),
            Address::Bare | Address::Account(_) => None,
        }
    }
}

impl Payments {
    /// The address that a platform calls with whatever happens at an account, where one address per account is all
    /// that the platform knows.
    pub fn account_url(&self, account: &Account) -> String {
        let (public, token) = (&self.0.options.public_url, self.0.routes.token(account));
        format!("{public}/pay/re/t/{token}")
    }

    /// Whether an address names a trade or an account of this host. How a trade stands is not asked: who goes first by it
    /// learns what the answer says anyhow, and no more.
    pub(super) async fn is_ours(&self, address: Address<'_>) -> bool {
        match address {
            Address::Bare => false,
            Address::Account(token) => self.0.routes.of_token(token).is_some(),
            Address::Trade(text) => match TradeNo::parse(text) {
                None => false,
                // What cannot be looked up now goes with the others.
                Some(trade_no) => self.0.store.has_trade(&trade_no).await.unwrap_or(false),
            },
        }
    }

    pub(super) async fn take(
        &self,
        address: Address<'_>,
        message: Message,
    ) -> Result<Reply, Refusal> {
        match address {
            Address::Bare => self.take_bare(message).await,
            Address::Account(token) => self.take_at(token, message).await,
            Address::Trade(text) => {
                let Some(trade_no) = TradeNo::parse(text) else {
                    return Err(Refusal::unknown(address.trade(), "it names no trade"));
                };
                match self.case_of(&trade_no).await? {
                    Some(case) => self.complete(&case, &trade_no, message).await,
                    None => Err(Refusal::unknown(address.trade(), "no such trade")),
                }
            }
        }
    }

    /// Takes a notification to the bare address: what each provider sees in it is tried, and the first that verifies
    /// is right. What one provider says hides nothing from the others.
    async fn take_bare(&self, message: Message) -> Result<Reply, Refusal> {
        let _turn = self.0.bare.acquire().await.map_err(Refusal::ours)?;
        let mut refusal = Refusal::unknown(None, "it names no trade");
        let mut tried = Vec::new();
        for current in self.0.providers.all() {
            let taken = match self.identify(&current, &message).await {
                Hint::None => continue,
                Hint::Trade(text) => {
                    let trade_no = TradeNo::parse(&text);
                    let Some(trade_no) = trade_no.filter(|trade_no| !tried.contains(trade_no))
                    else {
                        continue;
                    };
                    if tried.len() >= TRADES {
                        continue;
                    }
                    let taken = self.take_hinted(&current, &trade_no, &message).await;
                    // One that is no trade of this platform may be one of another's.
                    if !matches!(taken, Ok(None)) {
                        tried.push(trade_no);
                    }
                    taken
                }
                Hint::Key(key) => self.take_signed(&current, &key, &message).await,
            };
            match taken {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {}
                Err(refused) => refusal = refused,
            }
        }
        Err(refusal)
    }

    /// Tries a trade that a provider saw; none where its platform has no such trade.
    async fn take_hinted(
        &self,
        current: &Current,
        trade_no: &TradeNo,
        message: &Message,
    ) -> Result<Option<Reply>, Refusal> {
        let Some(case) = self.case_of(trade_no).await? else {
            return Ok(None);
        };
        let platform = current.manifest.name();
        if attempt_of(&case, trade_no, |target| target.platform == platform).is_none() {
            return Ok(None);
        }
        let taken = self.complete(&case, trade_no, message.clone()).await;
        taken.map(Some)
    }

    /// Tries the accounts with the key that a provider saw; none where nobody has it.
    async fn take_signed(
        &self,
        current: &Current,
        key: &str,
        message: &Message,
    ) -> Result<Option<Reply>, Refusal> {
        let platform = current.manifest.name();
        let (holders, all) = self.0.routes.of_key(platform, key);
        if all > ACCOUNTS_OF_A_KEY {
            tracing::warn!(target: "audit", platform, key, accounts = all, tried = ACCOUNTS_OF_A_KEY, "many accounts have the same key");
        }
        let mut refusal = None;
        for holder in holders {
            match self.take_for(current, &holder, message).await {
                Ok(reply) => return Ok(Some(reply)),
                Err(refused) => refusal = Some(refused),
            }
        }
        refusal.map_or(Ok(None), Err)
    }

    /// Takes a notification to an account's own address.
    async fn take_at(&self, token: &str, message: Message) -> Result<Reply, Refusal> {
        let unknown = || Refusal::unknown(None, "no such address");
        let mut holder = self.0.routes.of_token(token).ok_or_else(unknown)?;
        let platform = &holder.account.platform;
        let current = self.0.providers.of_platform(platform).ok_or_else(unknown)?;
        if let Hint::Key(key) = self.identify(&current, &message).await
            && let Some(version) = self.0.routes.version_with(&holder.account, &key)
        {
            // It may be signed with a key that the settings had when the payment was sent.
            holder.version = version;
        }
        self.take_for(&current, &holder, &message).await
    }

    /// Takes a notification with the keys of an account. It has to be about a trade of this account.
    async fn take_for(
        &self,
        current: &Current,
        holder: &Holder,
        message: &Message,
    ) -> Result<Reply, Refusal> {
        let account = &holder.account;
        let provider = self.provider(current.digest).await.map_err(Refusal::ours)?;
        let replies = provider.manifest().replies();
        let about = About::by(provider.manifest(), message);
        // The operator has to know whose keys do not fit.
        let again = |trade_no: Option<String>, why: String| Refusal {
            trade_no,
            why: format!(
                "for {}/{}/{}: {why}",
                account.domain, account.platform, account.target
            ),
            reply: replies.again.clone(),
            about,
        };
        let named = self.named(&provider, holder, message).await;
        let text = match named.map_err(|why| again(None, why))? {
            Named {
                trade: Some(text), ..
            } => text,
            // The account's platform told of something else.
            Named { verified: true, .. } => return Ok(replies.taken.clone()),
            Named { .. } => return Err(again(None, "it names no trade".into())),
        };
        match self.own_trade(account, &text).await? {
            Some((trade_no, case)) => self.complete(&case, &trade_no, message.clone()).await,
            None => {
                let trade_no = text.chars().take(64).collect();
                Err(again(
                    Some(trade_no),
                    "the account has no such trade".into(),
                ))
            }
        }
    }

    /// Which trade a provider sees in a notification with the keys of an account, or why it sees nothing.
    async fn named(
        &self,
        provider: &Provider,
        holder: &Holder,
        message: &Message,
    ) -> Result<Named, String> {
        let account = &holder.account;
        let reference = TargetRef {
            platform: account.platform.clone(),
            name: account.target.clone(),
            version: holder.version,
        };
        let target = self
            .target(&account.domain, &reference, provider)
            .await
            .map_err(|error| error.to_string())?;
        let now_ms = now_ms();
        provider
            .trade_of(ProviderCall { target, now_ms }, message.clone())
            .await
            .map_err(|error| {
                tracing::error!(error = %error.full(), "plugin");
                format!("the provider failed: {}", error.kind)
            })?
            .map_err(|fault| fault.to_string())
    }

    /// The trade of this number, if it is the account's.
    async fn own_trade(
        &self,
        account: &Account,
        text: &str,
    ) -> Result<Option<(TradeNo, Case)>, Refusal> {
        let Some(trade_no) = TradeNo::parse(text) else {
            return Ok(None);
        };
        let Some(case) = self.case_of(&trade_no).await? else {
            return Ok(None);
        };
        let own = |target: &TargetRef| {
            target.platform == account.platform && target.name == account.target
        };
        let is_own =
            case.payment.domain == account.domain && attempt_of(&case, &trade_no, own).is_some();
        Ok(is_own.then_some((trade_no, case)))
    }

    async fn case_of(&self, trade_no: &TradeNo) -> Result<Option<Case>, Refusal> {
        let found = self.0.store.case_of_trade(trade_no).await;
        found.map_err(Refusal::ours)
    }

    /// Asks a provider where a notification may belong. Nothing of it is to be believed.
    async fn identify(&self, current: &Current, message: &Message) -> Hint {
        let Ok(provider) = self.provider(current.digest).await else {
            return Hint::None;
        };
        let identified = provider.identify(message.clone(), now_ms()).await;
        identified.unwrap_or_else(|error| {
            tracing::error!(error = %error.full(), "plugin");
            Hint::None
        })
    }
}

/// The attempt of this number, if its target is meant.
fn attempt_of<'a>(
    case: &'a Case,
    trade_no: &TradeNo,
    meant: impl Fn(&TargetRef) -> bool,
) -> Option<&'a Attempt> {
    case.attempt(trade_no)
        .filter(|attempt| meant(&attempt.target))
}
