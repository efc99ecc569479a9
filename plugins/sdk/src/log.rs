//! Lines for whoever looks after this plugin: the operator for providers, the owner for callbacks.
//!
//! ```
//! # #[cfg(not(target_arch = "wasm32"))]
//! # walnut_sdk::native::with(std::rc::Rc::new(walnut_sdk::native::Double::new()), || {
//! walnut_sdk::info!("sold {} cups", 2);
//! # });
//! ```

/// How much a line matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// For whoever writes the plugin.
    Debug,
    /// Worth a line.
    Info,
    /// Odd, and handled.
    Warn,
    /// Wrong.
    Error,
}

/// Writes a line of at most 4 KiB; what is longer is cut at a character.
pub fn write(level: Level, line: &str) {
    crate::host::log(level, line);
}

/// Logs a line for whoever writes the plugin, formatted as by [`format!`].
#[macro_export]
macro_rules! debug {
    ($($text:tt)*) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($text)*)) };
}

/// Logs a line, formatted as by [`format!`].
#[macro_export]
macro_rules! info {
    ($($text:tt)*) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($text)*)) };
}

/// Logs what is odd but handled, formatted as by [`format!`].
#[macro_export]
macro_rules! warn {
    ($($text:tt)*) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($text)*)) };
}

/// Logs what is wrong, formatted as by [`format!`].
#[macro_export]
macro_rules! error {
    ($($text:tt)*) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($text)*)) };
}
