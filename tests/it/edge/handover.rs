//! One host ends and the next one starts on the same socket, and nobody who asks meanwhile is refused.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Client;

use crate::world::{Host, at_once};

/// Callers that ask one request after the other.
const CALLERS: usize = 8;
/// Requests that each caller has answered between two steps of the story.
const EACH: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_lost_between_two_hosts() {
    // What systemd does.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = Host::start_on_socket(&socket, None).await;
    let url = first.url().to_owned();
    let address = socket.local_addr().unwrap();
    assert_eq!(url, format!("http://{address}"));

    let answered: Arc<[AtomicUsize; CALLERS]> = Arc::default();
    let over = Arc::new(AtomicBool::new(false));
    let asking = {
        let (answered, over, url) = (Arc::clone(&answered), Arc::clone(&over), url.clone());
        tokio::spawn(at_once(CALLERS, move |number| {
            let (answered, over, url) = (Arc::clone(&answered), Arc::clone(&over), url.clone());
            async move {
                // Half of them keep their connections.
                let client = Client::builder().no_proxy();
                let client = match number % 2 {
                    0 => client.pool_max_idle_per_host(0),
                    _ => client,
                };
                let client = client.build().unwrap();
                while !over.load(Ordering::Relaxed) {
                    let asked = client.get(format!("{url}/readyz")).send().await;
                    let answer = asked.unwrap_or_else(|error| panic!("{number}: {error:?}"));
                    assert_eq!(answer.status(), 200, "{number}");
                    answer.bytes().await.unwrap();
                    answered[number].fetch_add(1, Ordering::Relaxed);
                }
            }
        }))
    };
    let each_is_answered = async || {
        let before: Vec<usize> = answered.iter().map(|n| n.load(Ordering::Relaxed)).collect();
        let goes_on =
            |(now, before): (&AtomicUsize, &usize)| now.load(Ordering::Relaxed) >= before + EACH;
        while !answered.iter().zip(&before).all(goes_on) {
            assert!(!asking.is_finished(), "nobody stops asking");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    each_is_answered().await;
    let (well, data) = first.terminate().await;
    assert!(well, "it ended in order");
    // Nobody answers now, and nobody is refused.
    let second = Host::start_on_socket(&socket, Some(data)).await;
    assert_eq!(second.url(), url);
    each_is_answered().await;
    over.store(true, Ordering::Relaxed);
    asking.await.unwrap();
}
