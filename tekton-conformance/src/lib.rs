//! Runs recorded conformance cases against every layer of the workspace.
//!
//! A *suite* is a file `SUITE.jsonl` with one [`Case`] a line: what upstream was given and what it gave back. A
//! [`Binding`] ties a suite to a layer of ours: a function that computes our answer to one case and says how it
//! differs from the recorded one.
//!
//! ```
//! use tekton_conformance::{diff, Case};
//! use serde_json::json;
//!
//! let case = Case::new("demo", json!({"a": 1}), json!({"b": 2, "c": null}));
//! let ours = json!({"b": case.input["a"].as_i64().map(|a| a + 1)});
//! assert_eq!(diff::equal(&case.expect, &ours), Ok(()));
//! ```
//!
//! The main types are [`Case`], [`Binding`] and [`Report`]. The crate holds no rule of Tekton's: a binding only
//! translates between the recorded shapes and the API of a layer. Each layer's suites are behind a cargo feature, so
//! that one layer can be checked without building the others.

mod case;
pub mod diff;
mod floor;
mod run;
#[cfg(feature = "engine")]
pub mod simulation;
pub mod suites;
#[cfg(feature = "engine")]
pub mod world;

pub use case::{Case, cases_dir, read_suite, suite_names};
pub use floor::{Floor, FloorError};
pub use run::{Binding, Failure, Report, Workers, run_suite};
