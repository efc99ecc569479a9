//! A disk and a clock that fail as they are told to: `crash/faults.c`, which gcc builds and the host is started with.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

use super::left_out;

/// What the host's disk and clock do. Other files than those below its data root stay as they are.
pub(crate) struct Faults {
    /// Has the orders, and what the disk would hold after a power cut.
    dir: TempDir,
    orders: File,
    library: PathBuf,
}

/// What the system says of a disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DiskError {
    Failing = 5,
    Full = 28,
    ReadOnly = 30,
}

/// What is synchronised.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Synced {
    Anything = 0,
    Log = 1,
    Database = 2,
}

/// The places of `enum order` in `faults.c`.
#[derive(Clone, Copy)]
enum Order {
    WriteErrno,
    SyncErrno,
    SyncFails,
    SyncDelayMs,
    SyncOf,
    ClockMs,
    Tear,
    WritesFailed,
    SyncsFailed,
    Syncs,
}

const ORDERS: u64 = 10;

impl Faults {
    /// Nothing fails yet. None where there is no gcc, which is said.
    pub(crate) fn possible(story: &str) -> Option<Arc<Faults>> {
        static LIBRARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let library = match LIBRARY.get_or_init(built) {
            Ok(library) => library.clone(),
            Err(why) => {
                left_out(story, why);
                return None;
            }
        };
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("disk")).unwrap();
        let orders = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(dir.path().join("orders"))
            .unwrap();
        orders.set_len(ORDERS * 8).unwrap();
        Some(Arc::new(Faults {
            dir,
            orders,
            library,
        }))
    }

    pub(crate) fn environment(&self, root: &Path) -> Vec<(&'static str, PathBuf)> {
        // Files are known by where they really are.
        let above = root.parent().unwrap().canonicalize().unwrap();
        vec![
            ("LD_PRELOAD", self.library.clone()),
            ("FAULTS_BELOW", above.join(root.file_name().unwrap())),
            ("FAULTS_ORDERS", self.dir.path().join("orders")),
            ("FAULTS_DISK", self.dir.path().join("disk")),
        ]
    }

    /// Writing fails from now on, a full disk where a file would grow.
    pub(crate) fn fail_writes(&self, error: DiskError) {
        self.set(Order::WriteErrno, error as i64);
    }

    /// The disk takes what is written again.
    pub(crate) fn mend(&self) {
        self.set(Order::WriteErrno, 0);
        self.set(Order::SyncFails, 0);
        self.set(Order::SyncDelayMs, 0);
    }

    /// So many synchronisations of this fail.
    pub(crate) fn fail_syncs(&self, of: Synced, times: i64) {
        self.set(Order::SyncOf, of as i64);
        self.set(Order::SyncErrno, DiskError::Failing as i64);
        self.set(Order::SyncFails, times);
    }

    pub(crate) fn slow_syncs(&self, ms: i64) {
        self.set(Order::SyncOf, Synced::Anything as i64);
        self.set(Order::SyncDelayMs, ms);
    }

    /// The host's clock goes so much ahead of this machine's.
    pub(crate) fn set_clock(&self, ahead_ms: i64) {
        self.set(Order::ClockMs, ahead_ms);
    }

    /// The next page that goes to the log is written by half, and the host is killed.
    pub(crate) fn tear_a_page(&self) {
        self.set(Order::Tear, 1);
    }

    pub(crate) fn do_not_tear(&self) {
        self.set(Order::Tear, 0);
    }

    pub(crate) fn failed_writes(&self) -> i64 {
        self.get(Order::WritesFailed)
    }

    pub(crate) fn failed_syncs(&self) -> i64 {
        self.get(Order::SyncsFailed)
    }

    pub(crate) fn syncs(&self) -> i64 {
        self.get(Order::Syncs)
    }

    /// Leaves of the store in `dir` what was synchronised.
    pub(super) fn cut_power(&self, dir: &Path) {
        for name in ["payments.db", "payments.db-wal"] {
            let (held, file) = (self.dir.path().join("disk").join(name), dir.join(name));
            if held.exists() {
                fs::copy(held, file).unwrap();
            }
        }
        // Shared memory is no file on a disk.
        let _ = fs::remove_file(dir.join("payments.db-shm"));
    }

    fn set(&self, order: Order, value: i64) {
        let place = order as u64 * 8;
        self.orders
            .write_all_at(&value.to_ne_bytes(), place)
            .unwrap();
    }

    fn get(&self, order: Order) -> i64 {
        let mut bytes = [0; 8];
        self.orders
            .read_exact_at(&mut bytes, order as u64 * 8)
            .unwrap();
        i64::from_ne_bytes(bytes)
    }
}

/// Builds the library into the target directory.
fn built() -> Result<PathBuf, String> {
    if !cfg!(target_os = "linux") {
        return Err("it takes Linux".to_owned());
    }
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/it/crash/faults.c");
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let unfinished = dir.join(format!("faults-{}.so", std::process::id()));
    let gcc = Command::new("gcc")
        .args(["-std=gnu11", "-O1", "-Wall", "-shared", "-fPIC", "-o"])
        .arg(&unfinished)
        .args([source, "-ldl", "-lpthread"])
        .output()
        .map_err(|error| format!("there is no gcc: {error}"))?;
    if !gcc.status.success() {
        panic!("{}", String::from_utf8_lossy(&gcc.stderr));
    }
    let library = dir.join("faults.so");
    fs::rename(&unfinished, &library).unwrap();
    Ok(library)
}
