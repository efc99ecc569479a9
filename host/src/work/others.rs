//! What other hosts do to the store that is shared with them: whoever waits here hears of it.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::payment::Payments;
use crate::store::News;

/// The workers look at the store no more often than this for what other hosts did: those do their work themselves.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Listens until `stop`; ends at once where the store is of this host alone.
pub(super) async fn listen(payments: &Payments, stop: &CancellationToken) {
    let Some(mut news) = payments.store().news() else {
        return;
    };
    let mut look = false;
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let heard = tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick(), if look => {
                payments.ring();
                look = false;
                continue;
            }
            heard = news.recv() => heard,
        };
        look = true;
        match heard {
            Ok(News::Changed(id)) => payments.changed_elsewhere(id),
            Ok(News::Committed | News::Missed) | Err(RecvError::Lagged(_)) => {}
            Ok(News::Dead) => {
                if let Err(error) = payments.end_interrupted_tries().await {
                    tracing::error!(%error, "deliveries of a host that ended");
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}
