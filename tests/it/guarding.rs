//! What guards the host, its domains and their money from each other, end to end.

mod compiling;
mod components;
mod names;
mod requests;
mod siege;
mod test_keys;
