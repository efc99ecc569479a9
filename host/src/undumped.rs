//! Nobody else gets to see this process's memory, where keys are: not by a core dump, and not by the debuggers of other
//! programs of the same user.

use rustix::process::{Resource, Rlimit, setrlimit};

/// From now on no core is written, of this process and of those that it starts.
pub(crate) fn no_cores() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "a core dump of this process would hold keys");
    }
}

/// From now on the system dumps this process nowhere, also where it hands cores to a program, and lets nobody but root look
/// into its memory and environment. What the process itself opens of `/proc/self` it has to have opened before.
#[cfg(target_os = "linux")]
pub(crate) fn no_looks() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "others of this user may look into the memory of this process");
    }
}

/// Where the system knows no such thing.
#[cfg(not(target_os = "linux"))]
pub(crate) fn no_looks() {}
