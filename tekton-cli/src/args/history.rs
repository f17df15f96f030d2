//! What can be said to the commands over runs that are kept.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::OutputFormat;

/// Where runs are kept.
#[derive(Debug, Args)]
pub(crate) struct DataDir {
    /// Data directory [default: `tekton` in $XDG_STATE_HOME or ~/.local/state, where `tekton run` keeps its runs].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Which runs are meant.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RunFilter {
    /// Only runs in this namespace [default: in all].
    #[arg(short, long, value_name = "NS")]
    pub(crate) namespace: Option<String>,
    /// Only runs whose labels match, such as `team=shop`; may be given more than once.
    #[arg(short, long, value_name = "SELECTOR")]
    pub(crate) label: Vec<String>,
    /// Only runs of this Pipeline.
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
    /// Only runs of this Task.
    #[arg(long, value_name = "NAME")]
    pub(crate) task: Option<String>,
}

/// A kind of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RunKind {
    /// PipelineRuns.
    #[value(aliases = ["pr", "prs", "pipelineruns"])]
    Pipelinerun,
    /// TaskRuns, those of PipelineRuns too.
    #[value(aliases = ["tr", "trs", "taskruns"])]
    Taskrun,
    /// CustomRuns, those of PipelineRuns too.
    #[value(aliases = ["customruns"])]
    Customrun,
}

impl RunKind {
    /// The kind that a person wrote before a name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::from_str(text, true)
            .map_err(|_unknown| format!("{text} is no kind of run; there are pipelinerun, taskrun and customrun"))
    }
}

/// `tekton list`.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only runs of this kind [default: all that are not part of another run].
    #[arg(value_enum, ignore_case = true)]
    pub(crate) kind: Option<RunKind>,
    /// Which runs.
    #[command(flatten)]
    pub(crate) filter: RunFilter,
    /// At most so many, the newest.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Shape of the list.
    #[arg(short, long, value_enum, default_value_t = ListFormat::Text)]
    pub(crate) output: ListFormat,
    /// Where the runs are.
    #[command(flatten)]
    pub(crate) data: DataDir,
}

/// Shape of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A table.
    Text,
    /// One `List` as JSON.
    Json,
    /// The same as YAML.
    Yaml,
    /// `KIND/NAME`, one a line.
    Name,
}

/// `tekton describe`.
#[derive(Debug, Args)]
pub(crate) struct DescribeArguments {
    /// `NAME` or `KIND/NAME` [default: the newest run].
    #[arg(value_name = "RUN")]
    pub(crate) name: Option<String>,
    /// Which runs.
    #[command(flatten)]
    pub(crate) filter: RunFilter,
    /// Shape of the description; JSON and YAML are the object itself.
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Text)]
    pub(crate) output: OutputFormat,
    /// Where the run is.
    #[command(flatten)]
    pub(crate) data: DataDir,
}

/// `tekton logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArguments {
    /// `NAME` or `KIND/NAME` [default: the newest run].
    #[arg(value_name = "RUN")]
    pub(crate) name: Option<String>,
    /// Follow the run until it has ended.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only this step.
    #[arg(long, value_name = "NAME")]
    pub(crate) step: Option<String>,
    /// Put the time before each line.
    #[arg(long, conflicts_with = "follow")]
    pub(crate) timestamps: bool,
    /// Only the last lines of each step.
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    pub(crate) tail: Option<i64>,
    /// Put task and step before each line.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) prefix: bool,
    /// Which runs; --task is that of the pipeline here.
    #[command(flatten)]
    pub(crate) filter: RunFilter,
    /// Where the run is.
    #[command(flatten)]
    pub(crate) data: DataDir,
}

/// `tekton delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    /// `NAME` or `KIND/NAME`.
    #[arg(value_name = "RUN", required_unless_present = "all")]
    pub(crate) names: Vec<String>,
    /// All runs that match.
    #[arg(long, conflicts_with = "names")]
    pub(crate) all: bool,
    /// Which runs.
    #[command(flatten)]
    pub(crate) filter: RunFilter,
    /// Where the runs are.
    #[command(flatten)]
    pub(crate) data: DataDir,
}

/// `tekton prune`.
#[derive(Debug, Args)]
#[command(after_help = "With both, a run stays that is among the newest or young enough. Runs that go on always stay.")]
pub(crate) struct PruneArguments {
    /// Keep so many of each namespace, the newest.
    #[arg(long, value_name = "N", required_unless_present = "keep_since")]
    pub(crate) keep: Option<usize>,
    /// Keep those that ended within this time, such as `12h`, `7d` or `2w`.
    #[arg(long, value_name = "D")]
    pub(crate) keep_since: Option<String>,
    /// Only say what would go.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Which runs.
    #[command(flatten)]
    pub(crate) filter: RunFilter,
    /// Where the runs are.
    #[command(flatten)]
    pub(crate) data: DataDir,
}
