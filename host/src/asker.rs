//! Whoever waits for an answer, and hangs up. What changes something goes on to its end then, with everything that has to
//! be written of it; what only took time so far is given up.

use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

tokio::task_local! {
    static GONE: CancellationToken;
}

/// Does all of `work`, also where nobody waits for this any more.
///
/// # Errors
/// It panicked.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, JoinError> {
    let gone = CancellationToken::new();
    let _waits = gone.clone().drop_guard();
    tokio::spawn(GONE.scope(gone, work.in_current_span())).await
}

/// Does `work` for as long as somebody waits for it: a part of what [`to_its_end`] does that has changed nothing yet.
pub(crate) async fn while_wanted<T>(work: impl Future<Output = T>) -> Option<T> {
    match GONE.try_with(CancellationToken::clone) {
        Ok(gone) => gone.run_until_cancelled(work).await,
        Err(_) => Some(work.await),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_was_begun_ends_and_what_only_took_time_is_given_up() {
        let (begun, is_begun) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let asked = tokio::spawn(to_its_end(async {
            begun.send(()).unwrap();
            let compiled = while_wanted(pending::<()>()).await;
            done.send(compiled).unwrap();
        }));
        is_begun.await.unwrap();
        asked.abort();
        assert_eq!(is_done.await.unwrap(), None);
        assert_eq!(
            while_wanted(async { 1 }).await,
            Some(1),
            "nobody to hang up"
        );
    }
}
