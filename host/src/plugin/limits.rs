//! Every limit and timeout of plugins, and why it is what it is. No other file of this room names one.
//!
//! | Guards                | Against                                             | What happens                   |
//! | --------------------- | --------------------------------------------------- | ------------------------------ |
//! | CPU ticks             | a loop without end                                  | the call ends, `timeout`       |
//! | wall clock            | a platform or a store that never answers            | the call ends, `timeout`       |
//! | memory of a call      | growth, many memories, tables                       | the call ends, `memory`        |
//! | host calls            | a flood of cheap requests to the host               | the call ends, `denied`        |
//! | bytes to the host     | giant strings that the host would have to copy      | the call ends, a trap          |
//! | buffers of the host   | what a call may leave behind: log, writes, events   | typed errors that the guest sees |
//! | the compiler's share  | components that take gigabytes or minutes to compile | refused at upload            |
//! | the pool              | more calls than the machine holds                   | `busy`, after a short wait     |
//!
//! The sizes of texts and lists are promised in `wit/`; where one is changed here it changes there.

use std::num::NonZeroUsize;
use std::time::Duration;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// How long a call may take, which differs between the worlds.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallLimits {
    /// How many times the guest may be found running by the ticker, one every [`EPOCH_TICK`].
    pub cpu_ticks: u32,
    /// The whole call, waiting included.
    pub wall: Duration,
}

impl CallLimits {
    /// The CPU time that the ticks stand for.
    pub(super) fn cpu(&self) -> Duration {
        EPOCH_TICK * self.cpu_ticks
    }
}

/// A provider reads and writes a few kilobytes: 50 µs of work. A second is for machines that are
/// overloaded, where ticks pass while nothing runs. On the wall it may wait for three answers of the
/// platform that come as late as [`REQUEST_TIMEOUT`] lets them.
pub(super) const PROVIDER_CALL: CallLimits = CallLimits {
    cpu_ticks: 100,
    wall: Duration::from_secs(35),
};

/// A callback may be JavaScript or Python, thirty times slower than a provider, and it may compute. Nobody waits
/// for it, but its instance is missing in the pool meanwhile.
pub(super) const CALLBACK_CALL: CallLimits = CallLimits {
    cpu_ticks: 300,
    wall: Duration::from_secs(30),
};

/// How often a running guest is looked at: it gives way to other tasks after at most this long. Each
/// tick costs every running guest one trip to the scheduler, so that shorter ones only cost.
pub(super) const EPOCH_TICK: Duration = Duration::from_millis(10);

/// How long a call waits for a free instance. Long enough for a burst of notifications (a call
/// takes 50 µs), short enough that a caller who has 3 s to answer can still say "again".
pub(super) const POOL_WAIT: Duration = Duration::from_millis(500);

/// One share of the pool is kept for providers: callbacks hold at most one instance in so many, so that slow
/// callbacks cannot keep payments from settling.
pub(super) const CALLBACK_SHARE: u32 = 2;

/// One share of the callbacks' places is kept for other domains: those of one domain hold at most one place in so
/// many, so that a domain whose callbacks loop holds up nobody but itself.
pub(super) const DOMAIN_SHARE: u32 = 2;

/// What waits for one platform, of whatever domain, holds at most one place in so many of those for calls that may
/// wait: when it hangs, the others go on.
pub(super) const PLATFORM_SHARE: u32 = 2;

/// One place in so many of the same is kept from each domain. It may hold more than one platform's part, so that a
/// domain goes on by its other platforms.
pub(super) const OTHER_DOMAINS_SHARE: u32 = 4;

/// One place in so many, and at least one, is for calls that only read a notification: they end within a
/// millisecond, and money settles by them.
pub(super) const READING_SHARE: u32 = 8;

/// The most instances that may be asked for. Each reserves 12 GiB of addresses and a machine has 128 TiB of
/// them; a machine that runs four thousand guests at once has no time for any.
pub(super) const INSTANCES_MAX: u32 = 4096;

/// All memories and tables of one call together. One memory of [`MEMORY_BYTES`] for a Python callback,
/// and as much again as a Rust guest needs for what its adapters hold.
pub(super) const CALL_BYTES: usize = 40 * MIB;

/// One linear memory. CPython in a component runs in 32 MiB.
pub(super) const MEMORY_BYTES: usize = 32 * MIB;

/// Elements of one table. CPython's table of functions has 7,000.
pub(super) const TABLE_ELEMENTS: usize = 8_000;

/// What a table's element costs the host: a pointer.
pub(super) const TABLE_ELEMENT_BYTES: usize = 8;

/// Core instances of one component. `componentize-py` splits CPython and its libraries into 38.
pub(super) const CORE_INSTANCES: u32 = 38;

/// Memories of one component; adapters bring one of their own.
pub(super) const MEMORIES: u32 = 3;

/// Tables of one component: as its memories.
pub(super) const TABLES: u32 = 3;

/// What of a memory stays resident between calls where the kernel finds the pages that were written (`PAGEMAP_SCAN`,
/// Linux 6.7): those pages alone are zeroed, and no page fault is paid again.
pub(super) const MEMORY_RESIDENT: usize = MIB;

/// The same where it does not: all of it would be zeroed by hand after every call, which costs more than the
/// page faults that it saves beyond this size.
pub(super) const MEMORY_RESIDENT_WITHOUT_SCAN: usize = 64 * KIB;

/// What of a table stays resident: all of it.
pub(super) const TABLE_RESIDENT: usize = 64 * KIB;

/// Instances that keep their resident pages while nobody uses them. Enough for every component to find
/// its own pages again, and at most 64 MiB of them.
pub(super) const WARM_SLOTS: u32 = 64;

/// The guest's own stack. Recursion beyond it is a trap.
pub(super) const STACK_BYTES: usize = 512 * KIB;

/// The stack that guest and host functions share in a call. The difference is what the host may use: the TLS
/// handshake of a request is its deepest.
pub(super) const ASYNC_STACK_BYTES: usize = 2 * MIB;

/// Frames of a backtrace: recursion shows itself in less.
pub(super) const BACKTRACE_FRAMES: usize = 24;

/// Calls to the host in one call. A callback that reads and writes a thousand keys needs two thousand.
pub(super) const HOST_CALLS: u32 = 10_000;

/// What the guest may hand to the host in one host call, all texts and lists together, as it lies in
/// the host's memory: a request body of 1 MiB, its headers and address.
pub(super) const HOST_CALL_BYTES: usize = 2 * MIB;

/// Resources and handles of one call: each message or statement is one. A provider asks for eight answers at most.
pub(super) const HANDLES: usize = 1_000;

/// Messages and statements that the host keeps for a call. A statement shares no bytes with its message,
/// so that a guest which verifies one message again and again would make the host keep many copies.
pub(super) const RESOURCES: usize = 64;

/// Bytes of a component. The largest that is known to make sense is CPython's, 18.5 MB.
pub(super) const COMPONENT_BYTES: usize = 32 * MIB;

/// What a component is held to when it is admitted, as far as its code does not say so itself: code that was
/// compiled under other limits is not used under these.
pub(super) fn of_components() -> [u64; 6] {
    [
        COMPONENT_BYTES as u64,
        MEMORY_BYTES as u64,
        TABLE_ELEMENTS as u64,
        u64::from(CORE_INSTANCES),
        u64::from(MEMORIES),
        u64::from(TABLES),
    ]
}

/// Compiled code that is kept in memory, for providers and for callbacks each. A Rust guest has
/// 0.2 MB, componentized JavaScript 3 MB, CPython 40 MB.
pub(super) const LOADED_BYTES: usize = 192 * MIB;

/// How many components are kept loaded, for providers and for callbacks each. Each holds three mappings and a
/// descriptor, of which a process has 65,530 and 1,024.
pub(super) const LOADED_COMPONENTS: usize = 256;

/// Bytes of a script: as every text that crosses. Ten lines have 500.
pub(super) const SCRIPT_BYTES: usize = JSON_BYTES;

/// Scripts that are kept in memory, and their bytes together: the next delivery need not read them from the store.
/// A script has no mapping and no descriptor, it costs its bytes alone.
pub(super) const LOADED_SCRIPTS: usize = 4_096;

/// See [`LOADED_SCRIPTS`].
pub(super) const LOADED_SCRIPTS_BYTES: usize = 16 * MIB;

/// Components that are compiled at once, for providers and for callbacks each: one, so that payments keep the other
/// cores, and an owner's upload does not hold up the operator's.
pub(super) const COMPILING: usize = 1;

/// How long an admission waits for its turn to be compiled: CPython takes 6 s.
pub(super) const COMPILE_WAIT: Duration = Duration::from_secs(60);

/// The CPU time of one compilation.
pub(super) const COMPILE_CPU: Duration = Duration::from_secs(60);

/// The whole of it, on a machine where payments leave it little of the CPU.
pub(super) const COMPILE_WALL: Duration = Duration::from_secs(300);

/// How far the compiler stands back behind everything else, 0 to 19.
pub(super) const COMPILE_NICE: i32 = 10;

/// The address space of the compiler's process, code and libraries of the program itself included. CPython's
/// component (18.5 MB) is compiled in 512 MiB; larger ones get as much for each byte as that one.
pub(super) fn compile_bytes(component_bytes: usize) -> u64 {
    (512 * MIB as u64).max(32 * component_bytes as u64)
}

/// Compiled code on the disk: ten components of CPython's size, or two thousand in Rust.
pub(super) const CACHE_BYTES: u64 = 512 * MIB as u64;

/// The log of a call, newest lines.
pub(super) const LOG_BYTES: usize = 64 * KIB;

/// One line of it.
pub(super) const LOG_LINE_BYTES: usize = 4 * KIB;

/// What of the log an error shows: a screen.
pub(super) const LOG_TAIL_BYTES: usize = 2 * KIB;

/// Random bytes of one host call.
pub(super) const RANDOM_BYTES: u32 = 4_096;

/// A JSON text between host and guest.
pub(super) const JSON_BYTES: usize = 256 * KIB;

/// Lists and objects inside each other in what a plugin gives back: as many as metadata may have. Deeper ones break
/// clients that read the payment, the operator's among them.
pub(super) const JSON_LEVELS: usize = 32;

/// What a provider may note on an attempt; it is kept with the payment for years.
pub(super) const NOTES_BYTES: usize = 16 * KIB;

/// What the buyer is shown.
pub(super) const PRESENTATION_BYTES: usize = 64 * KIB;

/// The text of a fault, of a claim's name and of the trade in a hint; longer ones are cut.
pub(super) const TEXT_BYTES: usize = KIB;

/// Values of a template.
pub(super) const TEMPLATE_VALUES: usize = 64;

/// Requests to the platform in one call: a send, a check and what a token costs, twice over.
pub(super) const REQUESTS: u32 = 8;

/// Requests of one run of a callback: as many as it may tell of in events, and more than fit into its time.
pub(super) const WEB_REQUESTS: u32 = 32;

/// The address of a request.
pub(super) const URL_BYTES: usize = 8 * KIB;

/// Headers of a request.
pub(super) const REQUEST_HEADERS: usize = 32;

/// Headers of an answer; the largest platforms send twenty.
pub(super) const ANSWER_HEADERS: usize = 100;

/// The body of a request, and of an answer.
pub(super) const BODY_BYTES: usize = MIB;

/// Until there is a connection. Packets that are lost twice in the handshake have come by then.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// The whole request, until the last byte of its answer.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call waits for the certificates of a platform that another call asks for.
pub(super) const RENEWAL_WAIT: Duration = Duration::from_secs(10);

/// How long a connection to a platform is kept for the next request. Platforms close theirs after a minute, and
/// a request on a connection that is being closed may or may not have been received.
pub(super) const CONNECTION_IDLE: Duration = Duration::from_secs(20);

/// Unused connections that are kept for each host.
pub(super) const CONNECTIONS_IDLE: usize = 16;

/// Clients of domains, and of targets with certificates of their own, the least recently used forgotten first. Each has
/// connections and sessions of its own.
pub(super) const CLIENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1_023);

/// Sessions of TLS that a client remembers: of some platforms, and of the receivers that a domain is granted.
pub(super) const SESSIONS: usize = 64;

/// Requests of a domain that are under way at a time, to platforms and from callbacks each: more than it has in instances
/// unless the operator gives the host many.
pub(super) const DOMAIN_REQUESTS: usize = 128;

/// A bill as it is fetched, packed or not. A row has some 40 bytes packed: a million and a half of them.
pub(super) const BILL_BYTES: usize = 64 * MIB;

/// All files of a bill unpacked. Text like theirs is packed to a tenth; what promises more is a bomb.
pub(super) const BILL_UNPACKED_BYTES: u64 = 512 * MIB as u64;

/// Files of one bill. Alipay's has two: the trades and their sums.
pub(super) const BILL_FILES: usize = 16;

/// Pages of one bill: as many of PayPal's as a bill may have rows.
pub(super) const BILL_PAGES: usize = 1_000;

/// A page that the provider is given as a whole: PayPal's largest has 500 transactions of some 700 bytes.
pub(super) const BILL_WHOLE_BYTES: u64 = MIB as u64;

/// Rows of one bill: the host holds all of them while it compares, 150 MB.
pub(super) const BILL_ROWS: usize = 500_000;

/// One line of a bill: a row has 500 bytes.
pub(super) const BILL_LINE_BYTES: usize = 64 * KIB;

/// What the provider is given at once, up to the end of a line: some 250 rows, so that its answer is far below
/// [`HOST_CALL_BYTES`].
pub(super) const BILL_CHUNK_BYTES: usize = 128 * KIB;

/// What of a bill is written to the disk at once.
pub(super) const BILL_WRITE_BYTES: usize = MIB;

/// A bill until its last byte has come: the largest one over a line of two megabits a second.
pub(super) const BILL_TIMEOUT: Duration = Duration::from_secs(300);

/// The key of a value of the domain.
pub(super) const KV_KEY_BYTES: usize = 256;

/// The value.
pub(super) const KV_VALUE_BYTES: usize = 64 * KIB;

/// All keys and values of a domain.
pub(super) const KV_DOMAIN_BYTES: u64 = 16 * MIB as u64;

/// What one delivery may write, keys and values: it commits in one transaction with the payment, and other payments
/// wait for that.
pub(super) const KV_WRITE_BYTES: usize = MIB;

/// Keys that one delivery may write.
pub(super) const KV_WRITES: usize = 256;

/// What one delivery may read: the host keeps it so that a key reads the same throughout.
pub(super) const KV_READ_BYTES: usize = 8 * MIB;

/// Keys that one delivery may read; the commit checks each again.
pub(super) const KV_READS: usize = 1_024;

/// Payments of one query.
pub(super) const QUERY_PAYMENTS: u32 = 100;

/// Their bytes together: a hundred of ordinary size have 200 kB, and the guest has 32 MiB in all.
pub(super) const QUERY_BYTES: usize = 4 * MIB;

/// Events of one delivery.
pub(super) const EVENTS: usize = 32;

/// The data of an event.
pub(super) const EVENT_BYTES: usize = 16 * KIB;

/// Names of events and of steps.
pub(super) const NAME_BYTES: usize = 64;
