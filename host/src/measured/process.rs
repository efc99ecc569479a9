//! The process as the system sees it, by the names that every program has for it.

use std::fs;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

use super::gauge;

/// Units of time in `/proc/self/stat`: 100 a second on each machine that walnut is built for.
const TICKS: f64 = 100.0;

/// What there is of it; nothing where the system has no `/proc`.
pub(crate) fn tell(registry: &mut Registry) {
    if let Some(bytes) = resident_bytes() {
        let help = "Memory of the process that is in the machine's memory";
        gauge(registry, "process_resident_memory_bytes", help, bytes);
    }
    if let Some(seconds) = cpu_seconds() {
        let help = "Time that processors spent on the process";
        registry.register("process_cpu_seconds", help, ConstCounter::new(seconds));
    }
    if let Some(count) = descriptors() {
        let help = "Descriptors that the process has open";
        gauge(registry, "process_open_fds", help, count);
    }
    if let Some(most) = most_descriptors() {
        let help = "Descriptors that the process may have open";
        gauge(registry, "process_max_fds", help, most);
    }
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib.saturating_mul(1024))
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name stands in parentheses, and may have spaces.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut ticks = rest.split_whitespace().skip(11);
    let user: u32 = ticks.next()?.parse().ok()?;
    let system: u32 = ticks.next()?.parse().ok()?;
    Some((f64::from(user) + f64::from(system)) / TICKS)
}

fn descriptors() -> Option<u64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    // The one by which they are counted.
    u64::try_from(open.saturating_sub(1)).ok()
}

/// How many descriptors the process may have open; none where there is no bound.
pub(crate) fn most_descriptors() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}
