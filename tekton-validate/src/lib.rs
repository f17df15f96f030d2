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
//! [`validate`] gives the verdict of admission on one object and [`field_error`] prints it as upstream's webhook
//! does, byte for byte. [`binding`] has the checks of a run against what it runs. [`part`] gives access to the
//! parts of objects that upstream validates alone.
//!
//! Nothing here decodes, defaults or fetches: hand in objects that went through `tekton_types`.

pub mod binding;
pub mod part;

pub mod check;
pub mod lint;
pub mod locate;
pub mod render;

mod beta;
mod crossdoc;
mod diagnostic;
mod errors;
mod gates;
mod names;
mod object;
mod pattern;
mod presence;
mod rules;
mod suggest;
mod text;
mod vars;

pub use check::{Finding, Options, Report, Source, check_files};
pub use diagnostic::{Diagnostic, Severity, field_error};
pub use gates::Version;
pub use object::{Operation, validate, validate_with_source};
pub use presence::without_a_value;
