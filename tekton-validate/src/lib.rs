//! Every rule of the Tekton admission webhook plus lint, as a list of located diagnostics.
//!
//! ```
//! use tekton_types::config::Config;
//! use tekton_types::v1::{Task, TaskSpec};
//! use tekton_types::Object;
//! use tekton_validate::{Operation, field_error, validate};
//!
//! let mut task = Task { spec: TaskSpec::default(), ..Task::default() };
//! task.metadata.name = Some("build".to_owned());
//! let found = validate(&Object::Task(Box::new(task)), &Config::default(), Operation::Create);
//! assert_eq!(field_error(&found), "missing field(s): spec.steps");
//! ```
//!
//! The three entry points:
//!
//! - [`validate`] gives the verdict of admission on one object, and [`field_error`] prints it as upstream's webhook
//!   does, byte for byte. [`part`] gives access to the parts of objects that upstream validates alone.
//! - [`check_files`] reads whole files: parse, decode, default, validate, documents checked together, lint. Every
//!   finding has its place in the text; [`render`] shows them to people, editors and code hosts, [`fix`] makes the
//!   mechanical changes, and [`catalogue`] explains every code.
//! - [`binding`] has the checks of a run against what it runs, which the engine makes when a run starts.
//!
//! ```
//! use tekton_validate::{Options, Source, check_files, render};
//!
//! let text = "apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: build}\nspec:\n  step: []\n".to_owned();
//! let sources = [Source { name: "build.yaml".to_owned(), text }];
//! let report = check_files(&sources, &Options::default());
//! let shown = render::text(&report, &sources);
//! assert!(shown.contains("build.yaml:5:3") && shown.contains("did you mean steps?"));
//! ```
//!
//! The crate fetches nothing: references that lead out of the given files are left to the run.

pub mod binding;
pub mod part;

pub mod catalogue;
pub mod check;
pub mod fix;
pub mod locate;
pub mod render;

mod beta;
mod config_map;
mod crossdoc;
mod diagnostic;
mod errors;
mod gates;
mod lint;
mod misread;
mod names;
mod object;
pub mod pattern;
mod presence;
mod rules;
mod suggest;
mod text;
mod vars;

pub use check::{FileReport, Finding, Options, Report, Source, check_file, check_files, together};
pub use config_map::validate_config_map;
pub use diagnostic::{Diagnostic, Severity, field_error};
pub use gates::Version;
pub use object::{Operation, validate, validate_with_source};
pub use presence::without_a_value;
