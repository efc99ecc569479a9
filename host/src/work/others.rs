//! What other hosts do to the store that is shared with them: whoever waits here hears of it.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::payment::Payments;
use crate::store::News;

/// The workers look at the store no more often than this for what other hosts did: those do their work themselves.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What this host keeps in memory of homes and providers catches up no more often than this.
const CATCH_UP_EVERY: Duration = Duration::from_secs(1);

/// Listens until `stop`; ends at once where the store is of this host alone.
pub(super) async fn listen(payments: &Payments, stop: &CancellationToken) {
    let Some(mut news) = payments.store().news() else {
        return;
    };
    let (mut look, mut behind) = (false, false);
    let (mut tick, mut slow_tick) = (interval(LOOK_EVERY), interval(CATCH_UP_EVERY));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    slow_tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let heard = tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick(), if look => {
                payments.ring();
                look = false;
                continue;
            }
            _ = slow_tick.tick(), if behind => {
                behind = false;
                if let Err(error) = payments.catch_up().await {
                    tracing::error!(%error, "what other hosts put into homes is not known here yet");
                    behind = true;
                }
                continue;
            }
            heard = news.recv() => heard,
        };
        look = true;
        match heard {
            Ok(News::Changed(id)) => payments.changed_elsewhere(id),
            Ok(News::Committed | News::Missed) | Err(RecvError::Lagged(_)) => behind = true,
            Ok(News::Dead) => {
                if let Err(error) = payments.end_interrupted_tries().await {
                    tracing::error!(%error, "deliveries of a host that ended");
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}
