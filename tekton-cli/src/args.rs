//! What can be said on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::settings::Settings;

mod history;
mod signing;

pub(crate) use history::{
    DeleteArguments, DescribeArguments, ListArguments, ListFormat, LogsArguments, PruneArguments, RunFilter, RunKind,
};
pub(crate) use signing::{SignArguments, SigningHash, VerifyArguments};

/// Run, check, draw and serve Tekton pipelines on any machine, with no cluster.
#[derive(Debug, Parser)]
#[command(name = "tekton", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run what the files hold, and show what happens.
    Run(RunArguments),
    /// Check files as a cluster would, and say where and how to mend them.
    Validate(ValidateArguments),
    /// Rewrite manifests of older releases, keeping comments and layout: as a diff, or in place.
    Migrate(MigrateArguments),
    /// Sign Tasks and Pipelines, so that clusters can tell that they are yours.
    Sign(SignArguments),
    /// Verify the signatures of Tasks and Pipelines, with a key or as the policies of a cluster would.
    Verify(VerifyArguments),
    /// Draw the tasks of a pipeline and what they wait for.
    Graph(GraphArguments),
    /// Tell why a run and each of its tasks wait, were skipped or failed.
    Explain(ExplainArguments),
    /// Print the Pod that a TaskRun or Task becomes.
    Pod(PodArguments),
    /// Remove the containers of a run that was killed; `tekton run` starts this by itself.
    #[command(name = crate::cluster::REAP, hide = true)]
    Reap {
        /// Where the engine listens.
        socket: String,
        /// The label of the containers.
        owner: String,
    },
    /// Serve the local cluster to kubectl and others until interrupted.
    Serve(ServeArguments),
    /// List runs: those of `tekton run`, or of a data directory.
    #[command(visible_alias = "ls")]
    List(ListArguments),
    /// Show one run: tasks, conditions, params, results, events.
    Describe(DescribeArguments),
    /// Print what the steps of a run wrote.
    Logs(LogsArguments),
    /// Delete runs with all that they own and their logs.
    Delete(DeleteArguments),
    /// Delete ended runs but for the newest.
    Prune(PruneArguments),
    /// Print JSON Schemas of the kinds, for editors and other checkers.
    Schema(SchemaArguments),
    /// Print the custom resource definitions of all kinds.
    Crds(CrdsArguments),
    /// Print the completions of a shell.
    Completion(CompletionArguments),
}

/// `tekton run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code: 0 the run succeeded; 1 it failed, timed out or was cancelled; 2 invalid input or usage.

Ctrl-C or SIGTERM cancels the run and waits for its finally tasks; a second one does not wait for them.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct RunArguments {
    /// Files or directories of manifests, or `-` for standard input.
    #[arg(value_name = "FILE", required_unless_present = "filename")]
    files: Vec<PathBuf>,
    /// The same, as `kubectl` takes it; may be given more than once.
    #[arg(short, long = "filename", value_name = "FILE")]
    filename: Vec<PathBuf>,
    /// Value of a param. For an array: `a,b,c` or a JSON list; for an object: `key=value,key=value` or a JSON object.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// YAML file with a mapping from param names to values; -p goes before it.
    #[arg(long, value_name = "FILE")]
    pub(crate) param_file: Option<PathBuf>,
    /// What a workspace is bound to: a directory of this machine itself, such as `source=.`; a copy of it (`source=.:copy`);
    /// `emptyDir`; `claim:SIZE` such as `claim:1Gi`; `configMap:NAME`; `secret:NAME`.
    #[arg(short, long = "workspace", value_name = "NAME=WHAT")]
    pub(crate) workspace: Vec<String>,
    /// Service account of the run's Pods.
    #[arg(short, long, alias = "serviceaccount", value_name = "NAME")]
    pub(crate) service_account: Option<String>,
    /// How steps run.
    #[command(flatten)]
    pub(crate) node: NodeArguments,
    /// Namespace of what the files do not place in one.
    #[arg(short, long, value_name = "NS", default_value = "default")]
    pub(crate) namespace: String,
    /// Time-out of the whole run, such as `90s` or `1h30m`; `0` for none.
    #[arg(long, value_name = "D")]
    pub(crate) timeout: Option<String>,
    /// Cancel the other tasks of a PipelineRun as soon as one has failed for good; tasks under `finally` still run.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// What is printed on standard output at the end.
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Text)]
    pub(crate) output: OutputFormat,
    /// No progress and no logs; only how it ended.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Tekton's configuration.
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Keep logs and volumes when the run has ended, and say where they are.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Keep all objects, claims and logs of the cluster in a directory, and go on with what is in it already.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["keep", "no_history"])]
    pub(crate) data_dir: Option<PathBuf>,
    /// Leave no trace: `tekton list` will not show this run.
    #[arg(long)]
    pub(crate) no_history: bool,
}

/// How steps run.
#[derive(Debug, Clone, Args)]
pub(crate) struct NodeArguments {
    /// How steps run.
    #[arg(long, value_enum, env = "TEKTON_RUNTIME", default_value_t = RuntimeName::Auto)]
    pub(crate) runtime: RuntimeName,
    /// File with what images run when a step has no command, for runtime `host`, such as
    /// `{tools/build: {entrypoint: [build], cmd: [all]}}`; may be given more than once.
    #[arg(long, value_name = "FILE")]
    pub(crate) image_config: Vec<PathBuf>,
    /// Let containers of runtime `engine` be privileged, or have capabilities that could change this machine.
    #[arg(long)]
    pub(crate) allow_privileged: bool,
}

impl RunArguments {
    /// Every file that was named, in either way.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.filename.iter().chain(&self.files).cloned().collect()
    }
}

/// The runtimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuntimeName {
    /// A container engine when one answers, else `host`.
    Auto,
    /// A step is a process in namespaces of its own over this machine's root; images are ignored.
    Host,
    /// A step is a container of Docker or Podman, found by DOCKER_HOST, CONTAINER_HOST or the usual sockets.
    Engine,
}

/// What is printed at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// A tree of tasks and steps for people.
    Text,
    /// One `List`: the run, then every child run, as JSON.
    Json,
    /// The same as YAML.
    Yaml,
}

/// `tekton validate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code: 0 no errors; 1 errors; 2 a file cannot be read, or bad usage. Warnings of --lint leave it at 0.

Documents of other APIs are passed over and counted.")]
pub(crate) struct ValidateArguments {
    /// Files or directories of manifests, or `-` for standard input. Documents are checked together.
    #[arg(value_name = "FILE", required_unless_present = "explain")]
    pub(crate) files: Vec<PathBuf>,
    /// Tekton's configuration.
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Also report what is legal but unwise.
    #[arg(long)]
    pub(crate) lint: bool,
    /// Mend in place what can be mended mechanically, keeping comments and layout, and say what was; with `-` the
    /// mended text goes to standard output and the report to standard error.
    #[arg(long)]
    pub(crate) fix: bool,
    /// Print what a code means and what to do.
    #[arg(long, value_name = "CODE", conflicts_with_all = ["files", "fix", "lint"])]
    pub(crate) explain: Option<String>,
    /// Shape of the report.
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Human)]
    pub(crate) output: ReportFormat,
}

/// Shape of a report of diagnostics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// Snippets with carets and help.
    Human,
    /// One JSON document.
    Json,
    /// SARIF, for code hosts.
    Sarif,
    /// Workflow commands that become annotations.
    Github,
}

/// `tekton migrate`.
#[derive(Debug, Args)]
#[command(after_help = "\
v1beta1 and v1alpha1 objects become v1, references to ClusterTasks and bundles go through resolvers, \
$(inputs.params.x) becomes $(params.x), Run becomes CustomRun, and fields without effect go. What cannot be rewritten \
(PipelineResources, Conditions) is told with its replacement; its object is left as it is.

Exit code: 0 nothing is left; 1 something is left to you, or with --check to rewrite; 2 a file cannot be read or written.")]
pub(crate) struct MigrateArguments {
    /// Files or directories of manifests, or `-` for standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Show a unified diff and write nothing; this is the default.
    #[arg(long)]
    pub(crate) diff: bool,
    /// Write the files; standard input goes to standard output.
    #[arg(short = 'w', long, conflicts_with = "diff")]
    pub(crate) in_place: bool,
    /// Exit with 1 when something would be rewritten.
    #[arg(long)]
    pub(crate) check: bool,
    /// Namespace of the Tasks that were ClusterTasks [default: the cluster resolver's default-namespace].
    #[arg(long, value_name = "NS")]
    pub(crate) cluster_task_namespace: Option<String>,
}

/// `tekton schema`.
#[derive(Debug, Args)]
#[command(after_help = "\
An editor with the YAML language server checks a file against a schema that its first line names:

    # yaml-language-server: $schema=schemas/pipelinerun.json

or, with --output-dir, all manifests against `tekton.json`, which tells the kinds apart by itself.")]
pub(crate) struct SchemaArguments {
    /// Kind, such as `Task` or `pipelineruns`, perhaps with a version: `v1beta1/Task` [default: any kind].
    #[arg(value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Write one file for each kind and version, and `tekton.json` for all of them, into this directory.
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    pub(crate) output_dir: Option<PathBuf>,
}

/// `tekton graph`.
#[derive(Debug, Args)]
pub(crate) struct GraphArguments {
    /// File with a Pipeline or PipelineRun, or `-` for standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Shape of the drawing.
    #[arg(long, value_enum, default_value_t = GraphFormat::Ascii)]
    pub(crate) format: GraphFormat,
}

/// Shape of a drawn graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Text for a terminal.
    Ascii,
    /// Graphviz.
    Dot,
    /// Mermaid, as code hosts draw it in Markdown.
    Mermaid,
    /// A picture for browsers.
    Svg,
    /// Tasks with level and edges, a line a pipeline.
    Json,
}

/// `tekton explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
The run is looked for in the cluster of --kubeconfig, else of ./tekton.kubeconfig (see `tekton serve`), else of kubectl.
With -f it is looked for in files: what `tekton run -o json` or `kubectl get pr,tr,customruns,pods -o yaml` printed.")]
pub(crate) struct ExplainArguments {
    /// Name of the run, alone or after its kind, as in `pr/ci` [default: the first run of the files].
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Explain this task of a PipelineRun, with all that it waits for.
    #[arg(long, value_name = "TASK")]
    pub(crate) task: Option<String>,
    /// File of objects, or `-` for standard input; may be given more than once.
    #[arg(short, long = "filename", value_name = "FILE")]
    pub(crate) filename: Vec<PathBuf>,
    /// Namespace of the run in the cluster.
    #[arg(short, long, value_name = "NS", default_value = "default")]
    pub(crate) namespace: String,
    /// Kubeconfig of the cluster.
    #[arg(long, value_name = "FILE", conflicts_with = "filename")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Shape of the explanation.
    #[arg(short, long, value_enum, default_value_t = ExplainFormat::Text)]
    pub(crate) output: ExplainFormat,
}

/// Shape of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    /// A line for each reason.
    Text,
    /// The same tree, as `subject`, `state`, `text` and `because`.
    Json,
}

/// `tekton pod`.
#[derive(Debug, Args)]
#[command(after_help = "\
With --diff the Pods are compared by container and field. What a cluster adds to a Pod (identity, node, token volume,
defaults) and what is random in it (names of script files) are left out, so a Pod from `kubectl get pod -o yaml` can be
given as it is. `expected` is what OTHER holds, `got` what is built here.

Exit code: 0 printed, or no difference; 1 the Pods differ; 2 invalid input or usage.")]
pub(crate) struct PodArguments {
    /// File with a TaskRun, or a Task and perhaps its TaskRun; may be given more than once.
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    pub(crate) filename: Vec<PathBuf>,
    /// Value of a param. For an array: `a,b,c` or a JSON list; for an object: `key=value,key=value` or a JSON object.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// Shape of the Pod.
    #[arg(short, long, value_enum, default_value_t = ObjectFormat::Yaml, conflicts_with = "diff")]
    pub(crate) output: ObjectFormat,
    /// Print how the Pods differ from those of this file (or `-` for standard input) instead of the Pods.
    #[arg(long, value_name = "OTHER")]
    pub(crate) diff: Option<PathBuf>,
    /// Tekton's configuration.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// Shape of a printed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ObjectFormat {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

/// `tekton serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Loopback address to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Where to write the kubeconfig [default: ./tekton.kubeconfig].
    #[arg(long, value_name = "F")]
    pub(crate) kubeconfig_out: Option<PathBuf>,
    /// Keep all objects, claims and logs in a directory; what was acknowledged is there after a restart, however this
    /// ends [default: everything is in memory and ends with the server].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Leave the custom tasks Wait and CEL to controllers of your own.
    #[arg(long)]
    pub(crate) no_custom_tasks: bool,
    /// How steps run.
    #[command(flatten)]
    pub(crate) node: NodeArguments,
    /// Tekton's configuration.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// `tekton crds`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tekton crds | kubectl apply -f -
  tekton crds --without-webhook | kubectl apply -f -      # where only tekton-controller runs")]
pub(crate) struct CrdsArguments {
    /// For a cluster without Tekton's webhook: only versions that nothing has to convert, and steps need no name.
    #[arg(long)]
    pub(crate) without_webhook: bool,
}

/// `tekton completion`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tekton completion bash > /etc/bash_completion.d/tekton
  tekton completion zsh > \"${fpath[1]}/_tekton\"
  tekton completion fish > ~/.config/fish/completions/tekton.fish")]
pub(crate) struct CompletionArguments {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
