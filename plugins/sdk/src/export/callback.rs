//! A function as the export of the callback world.

use std::fmt;

use serde::Serialize;

use super::tell_panics;
use crate::bindings::callback as contract;
use crate::callback::{Delivery, Payment};

/// Runs a callback. [`callback!`](crate::callback!) calls it.
pub fn run_callback<T: Serialize, E: fmt::Display>(
    function: impl FnOnce(Payment, Delivery) -> Result<T, E>,
    payment: String,
    delivery: contract::Delivery,
) -> Result<String, String> {
    tell_panics();
    let contract::Delivery {
        key,
        try_no,
        callback,
        late,
    } = delivery;
    crate::callback::run(
        function,
        &payment,
        Delivery {
            key,
            try_no,
            callback,
            late,
        },
    )
}
