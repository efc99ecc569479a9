//! Payments that leave by the operator's policy: looked for every hour.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::payment::Payments;
use crate::payment::retention::Swept;

/// Between two walks. The first comes as long after the start, so that an operator who set a wrong policy or a wrong
/// clock has time to notice.
const EVERY: Duration = Duration::from_secs(3600);

/// Removes what is old until `stop`; does nothing where nothing is ever removed.
pub(super) async fn sweep(payments: &Payments, stop: &CancellationToken) {
    if !payments.retention().removes() {
        return;
    }
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = payments.look_at_clock().await {
            tracing::error!(%error, "the clock");
            continue;
        }
        // What was removed is removed: a host that stops may leave the rest to the next.
        let swept = tokio::select! {
            () = stop.cancelled() => return,
            swept = payments.sweep(payments.deadline_now()) => swept,
        };
        match swept {
            Ok(Swept { removed: 0, .. }) => {}
            Ok(Swept { removed, kept }) => {
                tracing::info!(target: "audit", removed, kept, "old payments were removed by policy");
            }
            Err(error) => tracing::error!(%error, "removing old payments"),
        }
    }
}
