//! The compiler, in a process of its own.
//!
//! What an owner uploads may make the compiler take gigabytes or minutes, and nothing stops it once it runs. So it runs
//! as another process of this very program, bounded by the system in memory and CPU time, and killed with the
//! future that waits for it. Parent and child talk over pipes:
//!
//! | pipe   | carries                                                                      |
//! | ------ | ---------------------------------------------------------------------------- |
//! | input  | the component's length (8 bytes, the lowest first) and the component; it stays open: its end is the parent's end, and the child's |
//! | output | a byte, and behind it the code ([`CODE`]) or why there is none ([`REFUSED`]) |
//!
//! The code is the host's own program's word, as it would be without the second process; on the disk it is
//! authenticated by [`super::compiled`].

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use wasmtime::Engine;

use super::admission::Refusal;
use super::engine;
use super::error::with_causes;
use super::limits;

/// The argument by which this program is the compiler.
pub const COMPILE_COMMAND: &str = "compile-component";

const CODE: u8 = 0;
const REFUSED: u8 = 1;

/// Where components are compiled.
pub(super) enum Compiler {
    /// In this process: for what comes with the host, and where there is no such program (tests of this room).
    Here(Engine),
    /// By this program, called with [`COMPILE_COMMAND`].
    Child(PathBuf),
}

impl Compiler {
    /// The component's code. Dropping the future ends a child; in this process the work goes on, and `turn` with it.
    pub(super) async fn compile<T: Send + 'static>(
        &self,
        wasm: Arc<Vec<u8>>,
        turn: T,
    ) -> Result<Vec<u8>, Refusal> {
        match self {
            Compiler::Here(engine) => {
                let engine = engine.clone();
                let work = move || {
                    let _turn = turn;
                    compile(&engine, &wasm).map_err(Refusal::Compile)
                };
                let done = tokio::task::spawn_blocking(work).await;
                done.map_err(|_| Refusal::Host("the compiler gave up".to_owned()))?
            }
            Compiler::Child(program) => {
                let _turn = turn;
                in_child_within(limits::COMPILE_WALL, program, &wasm).await
            }
        }
    }
}

fn compile(engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, String> {
    engine
        .precompile_component(wasm)
        .map_err(|error| with_causes(&error))
}

async fn in_child_within(wall: Duration, program: &Path, wasm: &[u8]) -> Result<Vec<u8>, Refusal> {
    match tokio::time::timeout(wall, in_child(program, wasm)).await {
        Ok(done) => done,
        Err(_) => Err(Refusal::Busy),
    }
}

async fn in_child(program: &Path, wasm: &[u8]) -> Result<Vec<u8>, Refusal> {
    let failed = |what: &'static str| {
        move |error: io::Error| Refusal::Host(format!("the compiler's process {what}: {error}"))
    };
    let mut child = Command::new(program)
        .arg0("walnut")
        .arg(COMPILE_COMMAND)
        // Nothing of the host's environment is of use to it, and address space is what is bounded.
        .env_clear()
        .env("MALLOC_ARENA_MAX", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed("cannot be started"))?;
    let (Some(mut input), Some(output), Some(errors)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Refusal::Host("the compiler has no pipes".to_owned()));
    };
    let (mut said, mut complaint) = (Vec::new(), String::new());
    let most = limits::LOADED_BYTES as u64 + 1;
    let (mut output, mut errors) = (
        output.take(most),
        errors.take(limits::LOG_TAIL_BYTES as u64),
    );
    let (_, read, _) = tokio::join!(
        // A child that ended early says why by its status.
        async {
            input.write_all(&(wasm.len() as u64).to_le_bytes()).await?;
            input.write_all(wasm).await
        },
        // Each is closed when enough of it came, so that a child that has more to say ends by it.
        async {
            let read = output.read_to_end(&mut said).await;
            drop(output);
            read
        },
        async {
            let read = errors.read_to_string(&mut complaint).await;
            drop(errors);
            read
        },
    );
    read.map_err(failed("cannot be read"))?;
    drop(input);
    let status = child.wait().await.map_err(failed("cannot be waited for"))?;
    answer(said, status, wasm.len()).inspect_err(|refusal| {
        tracing::info!(%refusal, %status, complaint = complaint.trim(), "component not compiled");
    })
}

fn answer(mut said: Vec<u8>, status: ExitStatus, bytes: usize) -> Result<Vec<u8>, Refusal> {
    if said.len() > limits::LOADED_BYTES {
        return Err(Refusal::Compile(format!(
            "its code has more than {} bytes",
            limits::LOADED_BYTES
        )));
    }
    match said.first().filter(|_| status.success()) {
        Some(&CODE) => {
            said.remove(0);
            Ok(said)
        }
        Some(&REFUSED) => {
            let why = said.get(1..).map(String::from_utf8_lossy);
            Err(Refusal::Compile(why.unwrap_or_default().into_owned()))
        }
        _ => Err(killed(status, bytes)),
    }
}

/// What a child that said nothing died of.
fn killed(status: ExitStatus, bytes: usize) -> Refusal {
    use rustix::process::Signal;
    use std::os::unix::process::ExitStatusExt;
    let by = |signal: Signal| status.signal() == Some(signal.as_raw());
    if by(Signal::XCPU) {
        return Refusal::Compile(format!(
            "compiling it takes more than {} s",
            limits::COMPILE_CPU.as_secs()
        ));
    }
    if by(Signal::ABORT) || by(Signal::SEGV) {
        return Refusal::Compile(format!(
            "compiling it takes more than {} MiB of memory, or its code is nested too deeply",
            limits::compile_bytes(bytes) >> 20
        ));
    }
    Refusal::Host(format!("the compiler's process ended with {status}"))
}

/// The child: compiles the component that comes by standard input, within bounds that it sets itself before it
/// reads any of it.
pub fn compile_for_parent() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let mut input = io::stdin();
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > limits::COMPONENT_BYTES {
        return Err(io::Error::other("the component is too large"));
    }
    bound(length)?;
    let mut wasm = vec![0; length];
    input.read_exact(&mut wasm)?;
    std::thread::Builder::new()
        .name("parent".to_owned())
        .stack_size(64 << 10)
        .spawn(move || {
            // Whatever comes, there is nobody left to compile for.
            let _ = input.read(&mut [0]);
            std::process::exit(1);
        })?;
    let made = engine::for_compiling()
        .map_err(|error| with_causes(&error))
        .and_then(|engine| compile(&engine, &wasm));
    let mut output = io::stdout().lock();
    match made {
        Ok(code) => {
            output.write_all(&[CODE])?;
            output.write_all(&code)?;
        }
        Err(why) => {
            output.write_all(&[REFUSED])?;
            output.write_all(why.as_bytes())?;
        }
    }
    output.flush()
}

/// Bounds this process, and lets everybody else go first.
fn bound(component_bytes: usize) -> io::Result<()> {
    let cpu = limits::COMPILE_CPU.as_secs();
    // One more second, for the signal that tells what happened to come before the one that does not.
    limit(Resource::Cpu, cpu, cpu + 1)?;
    let bytes = limits::compile_bytes(component_bytes);
    limit(Resource::As, bytes, bytes)?;
    limit(Resource::Core, 0, 0)?;
    nice(limits::COMPILE_NICE)?;
    Ok(())
}

/// Lowers a limit; one that is lower already stays.
fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let now = getrlimit(resource);
    let lower = |now: Option<u64>, wanted: u64| Some(now.map_or(wanted, |now| now.min(wanted)));
    let new = Rlimit {
        current: lower(now.current, soft),
        maximum: lower(now.maximum, hard),
    };
    Ok(setrlimit(resource, new)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use rustix::process::Signal;

    use super::*;

    #[test]
    fn what_a_child_died_of_is_told_with_its_limit() {
        let died = |signal: Signal| {
            let status = ExitStatus::from_raw(signal.as_raw());
            answer(Vec::new(), status, 1 << 20).unwrap_err().to_string()
        };
        let slow = died(Signal::XCPU);
        assert!(slow.contains("compiling it takes more than 60 s"), "{slow}");
        for signal in [Signal::ABORT, Signal::SEGV] {
            let large = died(signal);
            assert!(
                large.contains("takes more than 512 MiB of memory"),
                "{large}"
            );
        }
        let killed = died(Signal::KILL);
        assert!(killed.contains("the compiler's process ended"), "{killed}");
        // Whatever it said before it died.
        let said = answer(vec![CODE, 1, 2, 3], ExitStatus::from_raw(9), 1);
        assert!(matches!(said, Err(Refusal::Host(_))), "{said:?}");
    }

    #[tokio::test]
    async fn a_compiler_that_does_not_end_is_given_up() {
        // It reads its input, whose end never comes.
        let program = Path::new("/bin/grep");
        let wall = Duration::from_millis(50);
        let refusal = in_child_within(wall, program, b"").await.unwrap_err();
        assert!(matches!(refusal, Refusal::Busy), "{refusal}");
    }

    #[tokio::test]
    async fn a_compiler_is_given_nothing_of_the_environment() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("compiler");
        std::fs::write(&program, "#!/bin/sh\nprintf '\\001'\nexec env\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let said = in_child(&program, b"").await.unwrap_err().to_string();
        assert!(said.contains("MALLOC_ARENA_MAX=1"), "{said}");
        for (name, _) in std::env::vars().filter(|(name, _)| name != "PWD" && name != "_") {
            assert!(!said.contains(&format!("{name}=")), "{name}: {said}");
        }
    }

    #[tokio::test]
    async fn a_compiler_that_writes_without_end_is_given_up() {
        let endless = in_child(Path::new("/usr/bin/yes"), b"").await;
        let refusal = endless.unwrap_err().to_string();
        assert!(refusal.contains("its code has more than"), "{refusal}");
    }
}
