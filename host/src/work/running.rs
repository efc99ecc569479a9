//! What one kind of work has begun and not yet ended.

use std::collections::HashMap;

use tokio::task::{Id, JoinError, JoinSet};

/// A domain, and the platform where the work is at one; otherwise nothing.
pub(super) type Lane = (String, String);

/// Tasks under way, and for whom those are that have to share.
#[derive(Default)]
pub(super) struct Running {
    tasks: JoinSet<()>,
    lanes: HashMap<Id, Lane>,
}

impl Running {
    /// Begins a task; with a lane it counts in the shares of that domain and platform until it ends.
    pub(super) fn begin(
        &mut self,
        lane: Option<Lane>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.tasks.spawn(task).id();
        if let Some(lane) = lane {
            self.lanes.insert(id, lane);
        }
    }

    /// Room beside what is under way; whatever has ended by now is forgotten first.
    pub(super) fn room(&mut self, at_once: u32) -> u32 {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(ended);
        }
        at_once.saturating_sub(u32::try_from(self.tasks.len()).unwrap_or(u32::MAX))
    }

    /// For whom the tasks under way are.
    pub(super) fn under_way(&self) -> Vec<Lane> {
        self.lanes.values().cloned().collect()
    }

    /// The domain of each task under way that has one.
    pub(super) fn domains(&self) -> Vec<String> {
        let domains = self.lanes.values().map(|(domain, _)| domain.clone());
        domains.collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits for the next end; `false` at once when nothing is under way.
    pub(super) async fn one_ends(&mut self) -> bool {
        match self.tasks.join_next_with_id().await {
            Some(ended) => {
                self.forget(ended);
                true
            }
            None => false,
        }
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "background work");
                error.id()
            }
        };
        self.lanes.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(domain: &str) -> Option<Lane> {
        Some((domain.to_owned(), "zfb".to_owned()))
    }

    #[tokio::test]
    async fn everything_that_ended_gives_its_place_back_at_once() {
        let mut running = Running::default();
        for _ in 0..16 {
            running.begin(lane("shop"), async {});
        }
        running.begin(lane("rival"), std::future::pending());
        running.begin(lane("shop"), async { panic!("a defect") });
        assert_eq!((running.room(20), running.under_way().len()), (2, 18));
        while running.room(20) < 19 {
            tokio::task::yield_now().await;
        }
        assert_eq!(running.under_way(), [lane("rival").unwrap()]);
    }

    #[tokio::test]
    async fn an_end_is_waited_for() {
        let mut running = Running::default();
        assert!(!running.one_ends().await);
        running.begin(None, tokio::task::yield_now());
        assert!(running.one_ends().await && running.is_empty());
    }
}
