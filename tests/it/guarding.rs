//! What guards the host, its domains and their money from each other, end to end.

mod compiling;
mod test_keys;
