//! A way to a server that can be held up: what is on it stays where it is, as with a server or a network that hangs.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tempfile::TempDir;

use crate::{Database, Server};

/// The name of a server's socket in its directory.
const SOCKET: &str = ".s.PGSQL.5432";

/// A socket before that of a server.
#[derive(Debug)]
pub struct Way {
    dir: TempDir,
    server: PathBuf,
    gates: Arc<Gates>,
}

#[derive(Debug, Default)]
struct Gates {
    shut: Mutex<Shut>,
    opened: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct Shut {
    /// What is asked does not arrive.
    there: bool,
    /// What is answered does not arrive.
    back: bool,
    /// The next commit arrives, and nothing that is answered from then on.
    back_from_commit: bool,
    ended: bool,
}

impl Way {
    /// A way to this server, open.
    ///
    /// # Errors
    /// What the system said.
    pub fn to(server: &Server) -> Result<Way, String> {
        let told = |error: std::io::Error| error.to_string();
        let dir = tempfile::Builder::new()
            .prefix("walnut-way-")
            .tempdir()
            .map_err(told)?;
        let listener = UnixListener::bind(dir.path().join(SOCKET)).map_err(told)?;
        let gates = Arc::new(Gates::default());
        let way = Way {
            dir,
            server: server.socket_dir().to_owned(),
            gates: Arc::clone(&gates),
        };
        let server = way.server.join(SOCKET);
        thread::spawn(move || {
            for from in listener.incoming() {
                if gates.shut().ended {
                    return;
                }
                // Whoever comes to no server is let go.
                if let (Ok(from), Ok(to)) = (from, UnixStream::connect(&server)) {
                    drop(lead(&gates, &from, &to));
                }
            }
        });
        Ok(way)
    }

    /// The address of a database of the server, on this way.
    pub fn url(&self, database: &Database) -> String {
        let text = |path: &Path| path.display().to_string();
        database
            .url()
            .replace(&text(&self.server), &text(self.dir.path()))
    }

    /// Holds up everything.
    pub fn hold(&self) {
        let mut shut = self.gates.shut();
        (shut.there, shut.back) = (true, true);
    }

    /// Lets the next commit through, and holds up every answer from then on.
    pub fn hold_answers_from_a_commit_on(&self) {
        self.gates.shut().back_from_commit = true;
    }

    /// Lets everything go on.
    pub fn free(&self) {
        *self.gates.shut() = Shut::default();
        self.gates.opened.notify_all();
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.free();
        self.gates.shut().ended = true;
        // Wakes the thread that takes connections.
        drop(UnixStream::connect(self.dir.path().join(SOCKET)));
    }
}

impl Gates {
    fn shut(&self) -> MutexGuard<'_, Shut> {
        self.shut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, is_shut: impl Fn(&Shut) -> bool) {
        let waited = self
            .opened
            .wait_while(self.shut(), |shut| is_shut(shut) && !shut.ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

fn lead(gates: &Arc<Gates>, from: &UnixStream, to: &UnixStream) -> std::io::Result<()> {
    let (mut asked, mut asks) = (from.try_clone()?, to.try_clone()?);
    let (mut answers, mut answered) = (to.try_clone()?, from.try_clone()?);
    let there = Arc::clone(gates);
    thread::spawn(move || {
        carry(&mut asked, &mut asks, |some| {
            there.pass(|shut| shut.there);
            let mut shut = there.shut();
            if shut.back_from_commit && some.windows(6).any(|word| word == b"COMMIT") {
                (shut.back, shut.back_from_commit) = (true, false);
            }
        });
    });
    let back = Arc::clone(gates);
    thread::spawn(move || carry(&mut answers, &mut answered, |_| back.pass(|shut| shut.back)));
    Ok(())
}

/// Carries what comes from one to the other, until one of them ends.
fn carry(from: &mut UnixStream, to: &mut UnixStream, mut before: impl FnMut(&[u8])) {
    let mut some = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut some) {
        let came = some.get(..count).unwrap_or_default();
        before(came);
        if to.write_all(came).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}
