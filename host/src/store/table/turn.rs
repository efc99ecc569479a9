//! Work that is taken in turn, so that one backlog does not hold up the others.

use std::sync::{Mutex, PoisonError};

use crate::store::StoreError;

/// Takes at most `limit` pieces of work, one of each lane (a domain, say) in turn, and again from the first until a
/// whole round gives nothing. `turn` is the lane that was served last: the next call goes on behind it. Looks at no more
/// than `visits` lanes; the rest has its turn in the next call.
///
/// `next` gives the lane behind one, in order, and the first behind the default; `take` takes a piece of work of a
/// lane, if there is any.
pub(super) fn in_turn<L: Default, T>(
    turn: &Mutex<L>,
    limit: usize,
    visits: usize,
    next: impl Fn(&L) -> Result<Option<L>, StoreError>,
    mut take: impl FnMut(&L) -> Result<Option<T>, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
    let mut taken = Vec::new();
    let mut idle = false;
    let mut visited = 0;
    while taken.len() < limit && visited < visits {
        match next(&turn)? {
            Some(lane) => *turn = lane,
            // Once around without serving anybody.
            None if idle => break,
            None => {
                idle = true;
                *turn = L::default();
                continue;
            }
        }
        visited += 1;
        if let Some(work) = take(&turn)? {
            idle = false;
            taken.push(work);
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Takes from lanes that have so many pieces each.
    fn take(
        turn: &Mutex<u32>,
        lanes: &mut BTreeMap<u32, u32>,
        limit: usize,
        visits: usize,
    ) -> Vec<u32> {
        let names: Vec<u32> = lanes.keys().copied().collect();
        let next = |last: &u32| Ok(names.iter().copied().find(|lane| lane > last));
        let take = |lane: &u32| {
            let left = lanes.get_mut(lane).unwrap();
            let some = *left > 0;
            *left -= u32::from(some);
            Ok(some.then_some(*lane))
        };
        in_turn(turn, limit, visits, next, take).unwrap()
    }

    #[test]
    fn everybody_has_a_turn_before_anybody_has_a_second_one() {
        let turn = Mutex::default();
        let mut lanes = BTreeMap::from([(1, 100), (2, 1), (3, 2)]);
        assert_eq!(take(&turn, &mut lanes, 2, 99), [1, 2]);
        assert_eq!(take(&turn, &mut lanes, 3, 99), [3, 1, 3]);
        assert_eq!(take(&turn, &mut lanes, 3, 99), [1, 1, 1]);
    }

    #[test]
    fn a_look_is_bounded_and_the_next_one_goes_on() {
        let turn = Mutex::default();
        let mut lanes: BTreeMap<u32, u32> = (1..=9).map(|lane| (lane, 0)).collect();
        lanes.insert(10, 1);
        assert!(take(&turn, &mut lanes, 1, 4).is_empty());
        assert!(take(&turn, &mut lanes, 1, 4).is_empty());
        assert_eq!(take(&turn, &mut lanes, 1, 4), [10]);
        // Without any work the end is found.
        assert!(take(&turn, &mut lanes, 1, 99).is_empty());
        assert!(take(&turn, &mut BTreeMap::new(), 1, 99).is_empty());
    }
}
