//! A load balancer before several hosts: each connection goes to the next one that takes it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Listens until it is dropped.
pub(crate) struct Balancer {
    address: SocketAddr,
    hosts: Arc<Mutex<Vec<SocketAddr>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Balancer {
    /// Before no host yet.
    pub(crate) async fn start() -> Balancer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hosts = Arc::new(Mutex::new(Vec::<SocketAddr>::new()));
        let known = Arc::clone(&hosts);
        let task = tokio::spawn(async move {
            let mut turn = 0;
            while let Ok((mut caller, _)) = listener.accept().await {
                let mut order = known.lock().unwrap().clone();
                turn += 1;
                let first = turn % order.len().max(1);
                order.rotate_left(first);
                tokio::spawn(async move {
                    for host in order {
                        if let Ok(mut host) = TcpStream::connect(host).await {
                            // Whoever is killed in the middle ends both.
                            let _ = copy_bidirectional(&mut caller, &mut host).await;
                            return;
                        }
                    }
                });
            }
        });
        Balancer {
            address,
            hosts,
            task,
        }
    }

    /// Sends connections to this host too.
    pub(crate) fn add(&self, url: &str) {
        let address = url.trim_start_matches("http://").parse().unwrap();
        self.hosts.lock().unwrap().push(address);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
