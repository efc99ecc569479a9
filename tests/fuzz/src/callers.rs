//! What says who asks and for what: ids, tickets, sessions, amounts, places in an answer, names, and where a request comes from.

use std::net::{IpAddr, Ipv4Addr};

use walnut::home::name;
use walnut::http::source::{Proxies, Telling};
use walnut::outside;
use walnut::payment::model::{Digest, PaymentId, RefundNo, TradeNo};
use walnut::payment::money::{Currency, Money};
use walnut::payment::ticket::Tickets;
use walnut::plugin::Author;
use walnut::store::Cursor;

use crate::NOW_MS;

/// A word that somebody sends: what it is read as is written in one way, and nobody makes a ticket or a session.
pub fn caller(bytes: &[u8]) {
    let Ok(word) = str::from_utf8(bytes) else {
        return;
    };
    ids(word);
    amounts(word);
    names(word);

    let key = [7; 32];
    let tickets = Tickets::new(&key);
    if let Some(id) = tickets.check(word) {
        assert_eq!(tickets.issue(id), word);
    }
    assert_eq!(outside::session(&key, word, NOW_MS), None);
    if let Ok(cursor) = Cursor::parse(word) {
        assert_eq!(Cursor::parse(&cursor.to_string()).unwrap(), cursor);
    }
    sources(word);
}

fn ids(word: &str) {
    if let Some(id) = PaymentId::parse(word) {
        let written = id.to_string();
        assert!(written.len() == 32 && written.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(PaymentId::parse(&written), Some(id));
    }
    if let Some(number) = TradeNo::parse(word) {
        assert_eq!(TradeNo::parse(number.as_str()), Some(number));
    }
    if let Some(number) = RefundNo::parse(word) {
        assert_eq!(RefundNo::parse(number.as_str()), Some(number));
    }
    if let Some(digest) = Digest::parse(word) {
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
    }
    if let Some(author) = Author::parse(word) {
        assert_eq!(Author::parse(&author.to_string()), Some(author));
    }
}

fn amounts(word: &str) {
    if let Ok(money) = Money::parse(word, None) {
        assert!(money.minor() >= 0);
    }
    for currency in Currency::all() {
        if let Ok(money) = Money::from_decimal(word, currency) {
            let written = money.to_decimal();
            assert_eq!(Money::from_decimal(&written, currency), Ok(money));
        }
    }
}

fn names(word: &str) {
    if name::is_domain(word) || name::is_platform(word) || name::is_item(word) {
        let leads_away = word.contains(['/', '\\', '\0']) || word.starts_with('.');
        assert!(!leads_away && !word.is_empty());
    }
}

fn sources(word: &str) {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let stranger = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
    for telling in [Telling::ForwardedFor, Telling::Forwarded] {
        let proxies = Proxies {
            named: vec!["127.0.0.0/8".parse().unwrap()],
            telling,
        };
        let headers = [("x-forwarded-for", word), ("forwarded", word)];
        outside::source(&proxies, peer, &headers);
        let source = outside::source(&proxies, stranger, &headers);
        assert_eq!(source, stranger, "only a proxy says who asks");
    }
}
