//! The engine: a JavaScript realm with the host's clock and the capabilities, and one run of a script in it.

use std::cell::{Cell, RefCell};
use std::mem;
use std::path::Path;
use std::rc::Rc;

use boa_engine::context::time::{Clock, JsInstant};
use boa_engine::context::{ContextBuilder, HostHooks};
use boa_engine::job::{Job, JobExecutor};
use boa_engine::module::IdleModuleLoader;
use boa_engine::{Context, JsObject, JsResult, JsValue, Source, js_string};
use walnut_sdk::{Delivery, clock};

use crate::thrown::{self, PREFIX};
use crate::{capability, json};

/// Buffers that a script may make: a fraction of the memory that a call has.
const BUFFER_BYTES: u64 = 16 << 20;

/// Runs a script with a payment, and gives what it returned as a JSON text; `null` where it returned nothing.
///
/// # Errors
/// What it threw, in words, with the lines that it passed through.
pub fn run(source: &str, payment: &str, delivery: &Delivery) -> Result<String, String> {
    let mut engine = Engine::ready().map_err(|error| error.to_string())?;
    let answer = answer(&mut engine.context, source, payment, delivery);
    let queued = engine.jobs.queued.get();
    // The instance ends with the call: whatever the engine holds is thrown away with its memory.
    mem::forget(engine);
    match answer {
        Ok(_) if queued => Err(PROMISES.to_owned()),
        answer => answer,
    }
}

const PROMISES: &str = "a script runs to its end at once: promises, `async` and `await` have no effect here; call \
                        `web.fetch`, `kv` and the others without them, and return a plain value";

fn answer(
    context: &mut Context,
    source: &str,
    payment: &str,
    delivery: &Delivery,
) -> Result<String, String> {
    let name = delivery.callback.as_str();
    let payment = json::parse(payment, context)
        .map_err(|error| format!("the payment is not JSON: {error}"))?;
    let returned = returned(context, source, payment, delivery)
        .map_err(|error| thrown::in_words(&error, name, context))?;
    if returned.is_promise() {
        return Err(PROMISES.to_owned());
    }
    if returned.is_undefined() {
        return Ok("null".to_owned());
    }
    json::text(&returned, context)
        .map_err(|error| thrown::in_words(&error, name, context))?
        .ok_or_else(|| {
            format!(
                "the script returned a {}, which is no JSON",
                returned.type_of()
            )
        })
}

fn returned(
    context: &mut Context,
    source: &str,
    payment: JsValue,
    delivery: &Delivery,
) -> JsResult<JsValue> {
    let function = function_of(context, source, &delivery.callback)?;
    let arguments = [payment, delivery_object(delivery, context)?];
    function.call(&JsValue::undefined(), &arguments, context)
}

/// The function whose body a text is. Its first line begins behind [`PREFIX`].
pub(crate) fn function_of(context: &mut Context, source: &str, name: &str) -> JsResult<JsObject> {
    let text = format!("{PREFIX}{source}\n}})");
    let function = context.eval(Source::from_bytes(&text).with_path(Path::new(name)))?;
    function.to_object(context)
}

/// A realm that no script has run in yet, with the capabilities.
pub(crate) struct Engine {
    pub(crate) context: Context,
    jobs: Rc<NoJobs>,
}

thread_local! {
    /// The one that [`prepare`] made.
    static PREPARED: RefCell<Option<Engine>> = const { RefCell::new(None) };
}

/// Makes an engine before it is asked for: setting up the realm takes longer than running ten lines in it.
///
/// # Errors
/// What went wrong in it.
#[cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, reason = "components are prepared")
)]
pub(crate) fn prepare() -> JsResult<()> {
    PREPARED.set(Some(Engine::new()?));
    Ok(())
}

impl Engine {
    /// The one that was prepared, or a new one. Each serves one script.
    pub(crate) fn ready() -> JsResult<Engine> {
        match PREPARED.take() {
            Some(engine) => Ok(engine),
            None => Engine::new(),
        }
    }

    fn new() -> JsResult<Engine> {
        let jobs = Rc::new(NoJobs::default());
        let mut context = ContextBuilder::new()
            .host_hooks(Rc::new(Hooks))
            .clock(Rc::new(HostClock))
            .module_loader(Rc::new(IdleModuleLoader))
            .job_executor(jobs.clone())
            .build()?;
        context.strict(true);
        json::keep_writer(&mut context)?;
        capability::give(&mut context)?;
        Ok(Engine { context, jobs })
    }
}

fn delivery_object(delivery: &Delivery, context: &mut Context) -> JsResult<JsValue> {
    let object = JsObject::with_object_proto(context.intrinsics());
    for (name, value) in [
        (
            js_string!("key"),
            JsValue::from(js_string!(delivery.key.as_str())),
        ),
        (js_string!("try_no"), JsValue::from(delivery.try_no)),
        (
            js_string!("callback"),
            JsValue::from(js_string!(delivery.callback.as_str())),
        ),
        (js_string!("late"), JsValue::from(delivery.late)),
    ] {
        object.create_data_property_or_throw(name, value, context)?;
    }
    Ok(object.into())
}

/// The host's time.
struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> JsInstant {
        let now_ms = clock::now_ms();
        let nanos = u32::try_from(now_ms % 1_000).unwrap_or_default() * 1_000_000;
        JsInstant::new(now_ms / 1_000, nanos)
    }
}

struct Hooks;

impl HostHooks for Hooks {
    /// A script reads the same wherever its host stands.
    fn local_timezone_offset_seconds(&self, _unix_time_seconds: i64) -> i32 {
        0
    }

    fn max_buffer_size(&self, _context: &mut Context) -> u64 {
        BUFFER_BYTES
    }
}

/// Runs nothing later, and remembers whether it should have.
#[derive(Default)]
struct NoJobs {
    queued: Cell<bool>,
}

impl JobExecutor for NoJobs {
    fn enqueue_job(self: Rc<Self>, _job: Job, _context: &mut Context) {
        self.queued.set(true);
    }

    fn run_jobs(self: Rc<Self>, _context: &mut Context) -> JsResult<()> {
        Ok(())
    }
}
