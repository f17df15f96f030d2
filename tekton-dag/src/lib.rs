//! From a pipeline and the state of its children: what to start, skip, cancel and finish, and the pipeline condition.
//!
//! ```
//! use tekton_dag::child::ResolvedTask;
//! use tekton_dag::deadline::Deadlines;
//! use tekton_dag::edges;
//! use tekton_dag::state::PipelineState;
//! use tekton_types::v1::PipelineTask;
//!
//! let task = |name: &str, after: &[&str]| PipelineTask {
//!     name: name.into(),
//!     run_after: after.iter().map(|s| (*s).into()).collect(),
//!     ..PipelineTask::default()
//! };
//! let tasks = [task("build", &[]), task("deploy", &["build"])];
//! let graph = edges::tasks_graph(&tasks)?;
//! let finally = edges::finally_graph(&[])?;
//! let mut state = PipelineState {
//!     tasks: tasks.iter().map(ResolvedTask::new).collect(),
//!     graph: &graph,
//!     finally: &finally,
//!     spec_status: "",
//!     deadlines: Deadlines::default(),
//!     validation_failed: Default::default(),
//! };
//! let states = state.classify();
//! assert_eq!(states.queue(&state)?, [0]);
//! # Ok::<(), tekton_dag::graph::GraphError>(())
//! ```
//!
//! The main types are [`graph::Graph`], [`state::PipelineState`] with its [`state::States`], and [`tally::Counts`].
//! The crate knows no Pod, no client and no clock. Feature `cel` (on by default) evaluates CEL in guards.

pub mod graph;

pub mod edges;

pub mod shared;

pub mod child;

pub mod state;

pub mod live;

pub mod skip;

pub mod when;

#[cfg(feature = "cel")]
pub mod cel;

pub mod deadline;

pub mod matrix;

pub mod names;

pub mod draw;

pub mod results;

pub mod pipeline_results;

pub mod apply;

pub mod tally;

pub mod check;

pub use k8s_openapi;
