//! The exports of the world `script-plugin`.

// Generated code passes pointers to and from the host.
#![allow(unsafe_code)]

use walnut_sdk::bindings::callback as contract;
use walnut_sdk::{Delivery, log};

struct Component;

impl contract::Guest for Component {
    fn check(source: String) -> Result<(), contract::SyntaxError> {
        tell_panics();
        crate::check(&source).map_err(|error| contract::SyntaxError {
            line: error.line,
            column: error.column,
            message: error.message,
        })
    }

    fn run(
        source: String,
        payment: String,
        delivery: contract::Delivery,
    ) -> Result<String, String> {
        tell_panics();
        let delivery = Delivery {
            key: delivery.key,
            try_no: delivery.try_no,
            callback: delivery.callback,
            late: delivery.late,
        };
        crate::run(&source, &payment, &delivery)
    }
}

contract::export_component!(Component with_types_in contract);

/// Run while the component is built: every instance starts with the engine ready. Where it traps there is no component.
#[unsafe(export_name = "prepare")]
extern "C" fn prepare() {
    if crate::engine::prepare().is_err() {
        std::process::abort();
    }
}

/// A panic ends as a bare `unreachable`; its words go to the log first.
fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        log::write(log::Level::Error, &panic.to_string())
    }));
}
