//! Programs that embed one layer each; see the files beside `Cargo.toml`.
