//! What both sides of the pod boundary agree on: paths, flags, termination messages, the `$(…)` grammar, names and label keys.
//!
//! The controller prints, the entrypoint reads, and the controller reads back; this crate holds
//! every shape that crosses on the way.
//!
//! ```
//! use tekton_contract::{argv::EntrypointArgs, var::Table, when};
//!
//! let mut table = Table::new();
//! table.set("params.image", "alpine");
//! table.set_array("params.flags", ["-a", "-b"]);
//! assert_eq!(table.apply("run $(params.image)"), "run alpine");
//! assert_eq!(table.apply_array("$(params.flags[*])"), ["-a", "-b"]);
//!
//! let args = EntrypointArgs {
//!     post_file: "/tekton/run/0/out".into(),
//!     entrypoint: Some("echo".into()),
//!     args: vec!["hi".into()],
//!     ..EntrypointArgs::default()
//! };
//! let printed = args.to_args();
//! assert_eq!(printed, ["-post_file", "/tekton/run/0/out", "-entrypoint", "echo", "--", "hi"]);
//! assert_eq!(EntrypointArgs::parse(&printed).unwrap().flags, args);
//!
//! assert!(when::holds("in", "main", &["main", "dev"]));
//! ```
//!
//! The three main types are [`var::Table`], [`argv::EntrypointArgs`] and [`termination::RunResult`].
//! The crate does no I/O, and knows no Kubernetes object. Feature `names` (on by default) brings
//! [`names`], whose hashing is the only part that needs a digest.

pub mod argv;
pub mod base64;
pub mod duration;
pub mod json;
pub mod labels;
#[cfg(feature = "names")]
pub mod names;
pub mod paths;
pub mod termination;
pub mod var;
pub mod volumes;
pub mod when;
