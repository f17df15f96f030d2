//! The `tekton` command: run, check, draw and serve Tekton pipelines on any machine.

mod args;
mod check;
mod cluster;
mod explain;
mod files;
mod graph;
mod history;
mod migrate;
mod pod;
mod run;
mod schema;
mod serve;
mod settings;
mod sign;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Arguments, Command, CompletionArguments, CrdsArguments};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code for invalid input and bad usage.
const INVALID: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match &arguments.command {
        Command::Run(arguments) => within_runtime(run::run(arguments)),
        Command::Serve(arguments) => within_runtime(serve::serve(arguments)),
        Command::Reap { socket, owner } => within_runtime(async {
            let reaped = tekton_local::runtime::engine::reap(socket, owner).await;
            reaped.map(|()| ExitCode::SUCCESS).map_err(|error| format!("{socket}: {error}"))
        }),
        Command::List(arguments) => within_runtime(history::list(arguments)),
        Command::Describe(arguments) => within_runtime(history::describe(arguments)),
        Command::Logs(arguments) => within_runtime(history::logs(arguments)),
        Command::Delete(arguments) => within_runtime(history::delete(arguments)),
        Command::Prune(arguments) => within_runtime(history::prune(arguments)),
        Command::Validate(arguments) => check::validate(arguments),
        Command::Graph(arguments) => graph::graph(arguments).map(printed),
        Command::Explain(arguments) => within_runtime(explain::explain(arguments)),
        Command::Pod(arguments) => pod::pod(arguments),
        Command::Migrate(arguments) => migrate::migrate(arguments),
        Command::Sign(arguments) => sign::sign(arguments),
        Command::Verify(arguments) => sign::verify(arguments),
        Command::Schema(arguments) => schema::schema(arguments),
        Command::Crds(arguments) => Ok(printed(crds(arguments))),
        Command::Completion(arguments) => Ok(printed(completion(arguments))),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(INVALID)
    })
}

fn within_runtime(work: impl Future<Output = Result<ExitCode, String>>) -> Result<ExitCode, String> {
    tokio::runtime::Runtime::new().map_err(|error| format!("failed to start: {error}"))?.block_on(work)
}

/// Prints to standard output; a reader that has gone away is no error of ours.
fn printed(text: impl AsRef<[u8]>) -> ExitCode {
    match std::io::stdout().write_all(text.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_unwritable) => ExitCode::FAILURE,
    }
}

fn completion(arguments: &CompletionArguments) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "tekton", &mut script);
    script
}

fn crds(arguments: &CrdsArguments) -> String {
    use tekton_types::crd;
    let mut text = String::new();
    for crd in if arguments.without_webhook { crd::crds_without_webhook() } else { crd::crds() } {
        text.push_str("---\n");
        text.push_str(&tekton_types::yaml::to_string(&crd));
    }
    text
}
