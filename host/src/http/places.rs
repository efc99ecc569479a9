//! Places that those who come in take, of which one party has a part at most. What is shared out may be anything that can be
//! counted: requests in work, or pieces of memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::party::network;
use crate::payment::model::PaymentId;

/// Who takes a place.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Party {
    /// Where it comes from: an address, or an IPv6 network of 64 bits.
    Source(IpAddr),
    /// A domain, by whichever of its keys and tickets.
    Domain(Arc<str>),
    /// The holder of a payment's ticket.
    Ticket(PaymentId),
}

impl Party {
    pub(super) fn source(address: IpAddr) -> Party {
        Party::Source(network(address))
    }
}

/// Those whose part a place is: nobody in particular, one, or a domain and its ticket.
pub(super) type Parties = [Option<Party>; 2];

/// So many places.
pub(super) struct Places {
    all: usize,
    of_one: usize,
    of_ticket: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    of: HashMap<Party, usize>,
}

/// Places that are taken, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    by: Parties,
    count: usize,
}

/// Why there is no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Full {
    /// All are taken.
    All,
    /// The party has its part.
    OfParty,
}

impl Places {
    /// `all` of them, of which one party has `of_one` at most.
    pub(super) fn new(all: usize, of_one: usize) -> Arc<Places> {
        Places::with_tickets(all, of_one, of_one)
    }

    /// The same, where the holder of a ticket has less than others.
    pub(super) fn with_tickets(all: usize, of_one: usize, of_ticket: usize) -> Arc<Places> {
        Arc::new(Places {
            all,
            of_one,
            of_ticket: of_ticket.min(of_one),
            taken: Mutex::default(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for this source; for nobody in particular, where it is none. Nobody waits: there is one or there is not.
    pub(super) fn take(self: &Arc<Places>, source: Option<IpAddr>) -> Option<Place> {
        self.ask(source).ok()
    }

    /// The same, with the reason where there is none.
    pub(super) fn ask(self: &Arc<Places>, source: Option<IpAddr>) -> Result<Place, Full> {
        self.ask_as([source.map(Party::source), None])
    }

    /// A place for all of these.
    pub(super) fn ask_as(self: &Arc<Places>, by: Parties) -> Result<Place, Full> {
        let mut place = self.none(by);
        place.grow(1)?;
        Ok(place)
    }

    /// No place yet, for who takes more and more.
    pub(super) fn none(self: &Arc<Places>, by: Parties) -> Place {
        Place {
            places: Arc::clone(self),
            by,
            count: 0,
        }
    }

    fn most(&self, party: &Party) -> usize {
        match party {
            Party::Source(_) | Party::Domain(_) => self.of_one,
            Party::Ticket(_) => self.of_ticket,
        }
    }
}

impl Place {
    /// How many they are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Takes so many more, or none of them.
    pub(super) fn grow(&mut self, more: usize) -> Result<(), Full> {
        if more == 0 {
            return Ok(());
        }
        let mut taken = self.places.taken();
        let all = taken.all.saturating_add(more);
        if all > self.places.all {
            return Err(Full::All);
        }
        for party in self.by.iter().flatten() {
            let has = taken.of.get(party).copied().unwrap_or(0);
            if has.saturating_add(more) > self.places.most(party) {
                return Err(Full::OfParty);
            }
        }
        taken.all = all;
        for party in self.by.iter().flatten() {
            *taken.of.entry(party.clone()).or_insert(0) += more;
        }
        self.count += more;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.count == 0 {
            return;
        }
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(self.count);
        for party in self.by.iter().flatten() {
            match taken.of.get_mut(party) {
                Some(count) if *count > self.count => *count -= self.count,
                _ => drop(taken.of.remove(party)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Places {
        /// How many are left, of all.
        pub(in crate::http) fn free(&self) -> usize {
            self.all - self.taken().all
        }
    }

    #[test]
    fn one_source_has_its_part_and_leaves_the_rest() {
        let places = Places::new(4, 2);
        let take = |from: &str| places.take(Some(from.parse().unwrap()));
        let held = [take("192.0.2.1").unwrap(), take("192.0.2.1").unwrap()];
        assert!(take("192.0.2.1").is_none());
        let ask = |from: &str| places.ask(Some(from.parse().unwrap())).err();
        assert_eq!(ask("192.0.2.1"), Some(Full::OfParty));
        assert!(take("::ffff:192.0.2.1").is_none(), "the same, written else");
        let other = take("192.0.2.2").unwrap();
        drop(held);
        assert!(take("192.0.2.1").is_some());
        drop(other);
        assert!(places.taken().of.is_empty(), "nothing is left behind");

        // A party has a network.
        let held = [take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap()];
        assert!(take("2001:db8::3").is_none());
        let rest = [take("2001:db8:0:1::1"), places.take(None)];
        assert!(rest.iter().all(Option::is_some));
        assert!(take("192.0.2.3").is_none(), "all are taken");
        assert!(places.take(None).is_none());
        assert_eq!(ask("192.0.2.3"), Some(Full::All));
        drop((held, rest));
        assert_eq!(places.free(), 4);
    }

    #[test]
    fn a_domain_and_each_of_its_tickets_have_their_parts() {
        let places = Places::with_tickets(9, 4, 2);
        let domain = |name: &str| Some(Party::Domain(name.into()));
        let ticket = || Some(Party::Ticket(PaymentId::generate()));
        let one = [domain("shop"), ticket()];
        let held = [1, 2].map(|_| places.ask_as(one.clone()).unwrap());
        assert_eq!(places.ask_as(one).err(), Some(Full::OfParty));
        let other = places.ask_as([domain("shop"), ticket()]).unwrap();
        // What tickets hold is the domain's; whoever takes more at once has all of it or nothing.
        let mut own = places.ask_as([domain("shop"), None]).unwrap();
        assert_eq!(own.grow(1), Err(Full::OfParty));
        assert!(places.ask_as([domain("shop"), ticket()]).is_err());
        let mut elsewhere = places.none([domain("books"), None]);
        assert_eq!(elsewhere.grow(5), Err(Full::OfParty));
        elsewhere.grow(4).unwrap();
        let nobody = places.ask_as([None, None]).unwrap();
        assert_eq!(places.ask_as([None, None]).err(), Some(Full::All));
        drop((held, other));
        own.grow(3).unwrap();
        assert_eq!((own.count(), places.free()), (4, 0));
        drop((own, elsewhere, nobody));
        assert!(places.taken().of.is_empty(), "nothing is left behind");
        assert_eq!(places.free(), 9);
    }
}
