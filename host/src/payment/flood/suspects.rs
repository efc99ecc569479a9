//! Those of suspect sources, one after the other: one is looked at at a time, one in [`PACE`] at most.
//!
//! The sources take turns, and each has [`OF_ONE`] places to wait in at most, so that many of one source hold up those of
//! another by one look each and no more. Where all [`WAITING`] places are taken, a source that has fewer takes one of the
//! source that has most, whose newest goes unseen. Of one source those that go first do so however many of its others wait,
//! and take a place of theirs where there is no other. Who waited for [`PATIENCE`] goes unseen too.
//!
//! When one is done it hands its turn on; nothing runs where nobody waits.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot::{self, Receiver, Sender};
use tokio::time::{Instant, sleep_until, timeout};

/// From one look to the next.
const PACE: Duration = Duration::from_millis(2);
/// Of one source.
pub(super) const OF_ONE: usize = 8;
/// Of all. Where each is of another source, the last one has its turn within [`PATIENCE`].
const WAITING: usize = 128;
const PATIENCE: Duration = Duration::from_millis(500);

/// Who waits, and who may be looked at.
pub(super) struct Suspects(Mutex<Room>);

/// The right to be looked at. It is handed on when it is dropped.
pub(super) struct Turn(Option<Arc<Suspects>>);

struct Room {
    /// The source whose turn is next stands first.
    sources: VecDeque<Line>,
    /// Somebody has the turn.
    taken: bool,
    /// When the next one may be looked at.
    next: Instant,
}

/// Those of one source, the first that came first; never nobody.
struct Line {
    source: Option<IpAddr>,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    goes_first: bool,
    call: Sender<Turn>,
}

impl Default for Suspects {
    fn default() -> Suspects {
        Suspects(Mutex::new(Room {
            sources: VecDeque::new(),
            taken: false,
            next: Instant::now(),
        }))
    }
}

impl Suspects {
    fn room(&self) -> MutexGuard<'_, Room> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for its turn, where there is room to wait. Whether it goes first is asked only where somebody else is there.
    pub(super) async fn turn(
        self: &Arc<Suspects>,
        source: Option<IpAddr>,
        goes_first: impl Future<Output = bool>,
    ) -> Option<Turn> {
        let turn = async {
            let turn = match self.at_once() {
                Some(turn) => turn,
                None => self.join(source, goes_first.await)?.await.ok()?,
            };
            let next = self.room().next;
            sleep_until(next).await;
            self.room().next = Instant::now() + PACE;
            Some(turn)
        };
        timeout(PATIENCE, turn).await.ok().flatten()
    }

    /// The turn, where nobody has it.
    fn at_once(self: &Arc<Suspects>) -> Option<Turn> {
        let mut room = self.room();
        let free = !room.taken;
        room.taken = true;
        free.then(|| Turn(Some(Arc::clone(self))))
    }

    /// Where it is called to its turn; none where there is no room.
    fn join(
        self: &Arc<Suspects>,
        source: Option<IpAddr>,
        goes_first: bool,
    ) -> Option<Receiver<Turn>> {
        let called = self.room().join(source, goes_first);
        // Whoever had the turn may have gone meanwhile.
        if let Some(turn) = self.at_once() {
            drop(turn);
        }
        called
    }

    /// Gives the turn to the next one, if there is any.
    fn hand_on(self: &Arc<Suspects>) {
        let mut room = self.room();
        while let Some(waiting) = room.next() {
            match waiting.call.send(Turn(Some(Arc::clone(self)))) {
                Ok(()) => return,
                // It has just gone.
                Err(mut turn) => turn.0 = None,
            }
        }
        room.taken = false;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(suspects) = self.0.take() {
            suspects.hand_on();
        }
    }
}

impl Room {
    fn join(&mut self, source: Option<IpAddr>, goes_first: bool) -> Option<Receiver<Turn>> {
        self.forget_gone();
        if !self.make_room(source, goes_first) {
            return None;
        }
        let (call, called) = oneshot::channel();
        let waiting = Waiting { goes_first, call };
        match self.sources.iter_mut().find(|line| line.source == source) {
            Some(line) => line.waiting.push_back(waiting),
            None => self.sources.push_back(Line {
                source,
                waiting: [waiting].into(),
            }),
        }
        Some(called)
    }

    /// Whether there is a place, or somebody else's was taken for it.
    fn make_room(&mut self, source: Option<IpAddr>, goes_first: bool) -> bool {
        let lines = || self.sources.iter();
        let own = lines().position(|line| line.source == source);
        let own_line = own.and_then(|own| self.sources.get(own));
        let has = own_line.map_or(0, |line| line.waiting.len());
        // One of its own that may wait.
        let own = own.filter(|_| goes_first && own_line.is_some_and(Line::has_others));
        let all: usize = lines().map(|line| line.waiting.len()).sum();
        let from = if has >= OF_ONE {
            own
        } else if all < WAITING {
            return true;
        } else {
            let most = lines()
                .enumerate()
                .max_by_key(|(_, line)| (line.waiting.len(), line.has_others()));
            let most = most.filter(|(_, line)| {
                let (there, others) = (line.waiting.len(), line.has_others());
                there > has + 1 || (there > has && goes_first && others)
            });
            most.map(|(most, _)| most).or(own)
        };
        match from {
            Some(from) => self.take_from(from),
            None => return false,
        }
        true
    }

    /// Takes the place of a source's newest, of those that do not go first where there are any.
    fn take_from(&mut self, number: usize) {
        let Some(line) = self.sources.get_mut(number) else {
            return;
        };
        let newest = line.waiting.iter().rposition(|one| !one.goes_first);
        match newest {
            Some(newest) => drop(line.waiting.remove(newest)),
            None => drop(line.waiting.pop_back()),
        }
        if line.waiting.is_empty() {
            self.sources.remove(number);
        }
    }

    /// Those who do not wait any more have no place.
    fn forget_gone(&mut self) {
        self.sources.retain_mut(|line| {
            line.waiting.retain(|one| !one.call.is_closed());
            !line.waiting.is_empty()
        });
    }

    /// Whose turn it is: the first of the source that had none for the longest.
    fn next(&mut self) -> Option<Waiting> {
        self.forget_gone();
        let mut line = self.sources.pop_front()?;
        let first = line.waiting.iter().position(|one| one.goes_first);
        let waiting = line.waiting.remove(first.unwrap_or(0));
        if !line.waiting.is_empty() {
            self.sources.push_back(line);
        }
        waiting
    }
}

impl Line {
    fn has_others(&self) -> bool {
        self.waiting.iter().any(|one| !one.goes_first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> Option<IpAddr> {
        Some(std::net::Ipv4Addr::from(number).into())
    }

    /// Who waits in one story.
    struct Story {
        suspects: Arc<Suspects>,
        waiting: Vec<(&'static str, Receiver<Turn>)>,
        turn: Option<Turn>,
    }

    impl Story {
        /// Somebody is looked at meanwhile.
        fn begin() -> Story {
            let suspects = Arc::<Suspects>::default();
            let turn = suspects.at_once();
            assert!(turn.is_some() && suspects.at_once().is_none());
            Story {
                suspects,
                waiting: Vec::new(),
                turn,
            }
        }

        /// Whether there is room for one that is called so.
        fn comes(&mut self, name: &'static str, from: u32, goes_first: bool) -> bool {
            let called = self.suspects.join(source(from), goes_first);
            let waits = called.is_some();
            self.waiting.extend(called.map(|called| (name, called)));
            waits
        }

        /// Who has the turn next; nobody, when nobody waits.
        fn next(&mut self) -> Option<&'static str> {
            drop(self.turn.take());
            for (name, called) in &mut self.waiting {
                if let Ok(turn) = called.try_recv() {
                    self.turn = Some(turn);
                    return Some(name);
                }
            }
            None
        }

        fn rest(&mut self) -> Vec<&'static str> {
            std::iter::from_fn(|| self.next()).collect()
        }
    }

    #[test]
    fn sources_take_turns() {
        let mut story = Story::begin();
        for _ in 0..OF_ONE {
            assert!(story.comes("many", 1, false));
        }
        assert!(!story.comes("beyond", 1, false), "it has its part");
        assert!(story.comes("one", 2, false));
        assert!(story.comes("other", 3, false));
        assert_eq!(
            [story.next(), story.next(), story.next(), story.next()],
            [Some("many"), Some("one"), Some("other"), Some("many")]
        );
        assert_eq!(story.rest(), ["many"; OF_ONE - 2]);
        assert!(story.suspects.at_once().is_some(), "nobody has it now");
    }

    #[test]
    fn of_one_source_what_may_be_genuine_goes_first_and_finds_room() {
        let mut story = Story::begin();
        for _ in 1..OF_ONE {
            assert!(story.comes("others", 1, false));
        }
        assert!(story.comes("newest", 1, false));
        assert!(story.comes("genuine", 1, true), "in the newest one's place");
        assert!(story.comes("neighbour", 2, false));
        let mut expected = vec!["genuine", "neighbour"];
        expected.extend(["others"; OF_ONE - 1]);
        assert_eq!(story.rest(), expected);

        let mut story = Story::begin();
        for _ in 0..OF_ONE {
            assert!(story.comes("genuine", 1, true));
        }
        assert!(!story.comes("genuine", 1, true), "they have the same right");
        assert_eq!(story.rest(), ["genuine"; OF_ONE]);
    }

    #[test]
    fn a_full_room_has_a_place_for_who_has_none() {
        let full = u32::try_from(WAITING / OF_ONE).unwrap();
        let mut story = Story::begin();
        for number in 0..full {
            for _ in 0..OF_ONE {
                assert!(story.comes("many", number, false));
            }
        }
        for number in 0..u32::try_from(OF_ONE).unwrap() - 1 {
            assert!(story.comes("late", 100, false), "{number}");
        }
        assert!(!story.comes("beyond", 100, false), "nobody has more");
        let come = story.rest();
        assert_eq!(come.len(), WAITING);
        let late = come.iter().filter(|name| **name == "late");
        assert_eq!(late.count(), OF_ONE - 1);
        let first = come.iter().position(|name| *name == "late").unwrap();
        assert!(first <= WAITING / OF_ONE, "after one of each: {first}");

        // Where each has one there is a place for what may be genuine alone.
        let mut story = Story::begin();
        for number in 0..u32::try_from(WAITING).unwrap() {
            assert!(story.comes("one", number, false));
        }
        assert!(!story.comes("one more", 1_000, false));
        assert!(story.comes("genuine", 1_000, true));
        assert!(!story.comes("one more", 1_000, false));
        let come = story.rest();
        assert_eq!((come.len(), come.last()), (WAITING, Some(&"genuine")));
    }

    #[test]
    fn who_goes_leaves_its_place_and_its_turn() {
        let mut story = Story::begin();
        for _ in 0..OF_ONE {
            assert!(story.comes("gone", 1, false));
        }
        assert!(story.comes("other", 2, false));
        story.waiting.retain(|(name, _)| *name != "gone");
        assert!(story.comes("one", 1, false));
        assert_eq!(story.rest(), ["other", "one"]);
        // One that is called and goes before it hears of it hands the turn on.
        let mut story = Story::begin();
        assert!(story.comes("called", 1, false));
        assert!(story.comes("other", 2, false));
        drop(story.turn.take());
        story.waiting.remove(0);
        assert_eq!(story.rest(), ["other"]);
    }

    #[tokio::test]
    async fn one_is_looked_at_at_a_time() {
        let suspects = Arc::<Suspects>::default();
        let never = std::future::pending::<bool>;
        let first = suspects.turn(source(1), never()).await;
        assert!(first.is_some(), "nobody is there: nothing is asked");
        let waits = suspects.turn(source(2), std::future::ready(true)).await;
        assert!(waits.is_none(), "it waited in vain");
        drop(first);
        let begun = Instant::now();
        for _ in 0..4 {
            assert!(suspects.turn(source(1), never()).await.is_some());
        }
        assert!(begun.elapsed() >= 3 * PACE, "at their pace");
    }
}
