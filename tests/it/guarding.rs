//! What guards the host, its domains and their money from each other, end to end.

mod compiling;
mod components;
mod requests;
mod test_keys;
