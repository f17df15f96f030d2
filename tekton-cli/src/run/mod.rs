//! `tekton run`: from files to a run that has ended, through the local cluster.

mod create;
mod fail_fast;
mod follow;
pub(crate) mod load;
pub(crate) mod logs;
mod output;
mod params;
pub(crate) mod style;
mod tree;
mod view;
mod workspaces;
pub(crate) mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use tekton_local::node::NodeOptions;
use tekton_local::{Installation, InstallationOptions};
use tekton_types::duration::GoDuration;
use tekton_types::yaml;

use crate::args::{OutputFormat, RunArguments, RuntimeName};
use crate::{check, cluster, files, history, settings};
use load::Overrides;
use style::Tone;
use view::{Stream, View};
use workspaces::{Source, Workspace};
use world::{Ending, RunKey, World};

/// Runs what the files hold.
///
/// Errors: invalid input or a machine that cannot run steps, as a text for people.
pub(crate) async fn run(arguments: &RunArguments) -> Result<ExitCode, String> {
    let stream = if arguments.output == OutputFormat::Text { Stream::Output } else { Stream::Error };
    let mut overrides = overrides(arguments)?;
    let sources = files::read_all(&arguments.files())?;
    let maps = settings::config_maps(&arguments.settings)?;
    check::before_run(&sources, &settings::config(&maps)?)?;
    let data = match &arguments.data_dir {
        Some(dir) => dir.clone(),
        None => data_dir(),
    };
    let loaded =
        prepare(&sources, &mut overrides, &data).and_then(|loaded| fits(loaded, arguments)).inspect_err(|_| {
            if arguments.data_dir.is_none() {
                // Nobody has begun to use it.
                drop(std::fs::remove_dir_all(&data));
            }
        })?;
    let directories = overrides.workspaces.iter().filter_map(|workspace| match &workspace.source {
        Source::Directory(path) => Some(path.clone()),
        _ => None,
    });
    let node = NodeOptions {
        ephemeral: !arguments.keep && arguments.data_dir.is_none(),
        allowed_host_paths: directories.collect(),
        ..cluster::node(&arguments.node, &data)?
    };
    let installation = cluster::start(InstallationOptions {
        namespaces: vec![arguments.namespace.clone()],
        persistent: arguments.data_dir.is_some(),
        config_maps: maps,
        ..InstallationOptions::new(node)
    })
    .await?;
    let mut view = View::new(stream, arguments.quiet);
    if !arguments.quiet {
        let auto = arguments.node.runtime == RuntimeName::Auto;
        Stream::Error.lines([cluster::fidelity(installation.node().runtime(), auto)]);
    }
    let outcome = drive(&installation, arguments, loaded, &overrides, &mut view, stream, &data).await;
    installation.stop().await;
    if arguments.keep {
        stream.lines([format!("logs and volumes are kept in {}", data.display()).as_str()]);
    }
    outcome
}

/// Makes the copies that the command line asks for, and sorts what the files hold.
fn prepare(
    sources: &[tekton_validate::check::Source],
    overrides: &mut Overrides,
    data: &Path,
) -> Result<load::Loaded, String> {
    let objects = files::objects(sources)?;
    let workspaces = std::mem::take(&mut overrides.workspaces).into_iter();
    overrides.workspaces =
        workspaces.map(|workspace| workspace.copied(&data.join("copies"))).collect::<Result<_, _>>()?;
    load::load(objects, overrides)
}

/// Refuses an option that none of the runs could follow.
fn fits(loaded: load::Loaded, arguments: &RunArguments) -> Result<load::Loaded, String> {
    if arguments.fail_fast && !loaded.runs.iter().any(|run| matches!(run, load::Run::Pipeline(_))) {
        return Err("--fail-fast is for PipelineRuns, and the files hold only TaskRuns: leave it out".to_owned());
    }
    Ok(loaded)
}

async fn drive(
    installation: &Installation,
    arguments: &RunArguments,
    loaded: load::Loaded,
    overrides: &Overrides,
    view: &mut View,
    stream: Stream,
    data: &Path,
) -> Result<ExitCode, String> {
    let client = installation.client();
    let failed = |error: kube::Error| format!("the local API server: {error}");
    let runs = create::all(&client, &arguments.namespace, loaded, &overrides.workspaces).await?;
    let world =
        follow::to_the_end(&client, &arguments.namespace, &runs, arguments.fail_fast, view).await.map_err(failed)?;
    view.clear();
    match arguments.output {
        OutputFormat::Text => summary(&world, &runs, stream),
        OutputFormat::Json | OutputFormat::Yaml => {
            let list = output::final_list(&client, &arguments.namespace, &runs).await.map_err(failed)?;
            let text = match arguments.output {
                OutputFormat::Yaml => yaml::to_string(&list),
                _ => serde_json::to_string_pretty(&list).map_err(|error| error.to_string())?,
            };
            if !arguments.quiet {
                summary(&world, &runs, stream);
            }
            Stream::Output.lines([text.trim_end()]);
        }
    }
    // Filing takes as long as the disk does; by now everybody has read how the run ended.
    if !arguments.no_history
        && arguments.data_dir.is_none()
        && let Err(error) = history::record::record(installation.local(), data, &arguments.namespace, &runs).await
    {
        let why = format!("this run will not be listed: {error}; --no-history says that it need not be");
        Stream::Error.lines([Stream::Error.paint().warning(&why).as_str()]);
    }
    let all_succeeded = runs.iter().all(|run| world.ending(run) == Some(Ending::Success));
    Ok(if all_succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The final tree, the condition and the results of each run.
fn summary(world: &World, runs: &[RunKey], stream: Stream) {
    let paint = stream.paint();
    for run in runs {
        let mut lines = vec![String::new()];
        lines.extend(tree::draw(world, run, Timestamp::now(), true, paint));
        if let Some(condition) = world.condition(run) {
            let tone = match world.ending(run) {
                Some(Ending::Success) => Tone::Green,
                Some(Ending::Failure) => Tone::Red,
                None => Tone::Yellow,
            };
            lines.push(format!("{}: {}", paint.tone(tone, &condition.reason), condition.message.trim_end()));
        }
        let results = tree::results(world, run);
        if !results.is_empty() {
            lines.push("results:".to_owned());
            lines.extend(results);
        }
        stream.lines(lines.iter().map(String::as_str));
    }
}

fn overrides(arguments: &RunArguments) -> Result<Overrides, String> {
    Ok(Overrides {
        params: arguments.param.clone(),
        file_params: arguments.param_file.as_deref().map(load::param_file).transpose()?.unwrap_or_default(),
        workspaces: arguments.workspace.iter().map(|text| Workspace::parse(text)).collect::<Result<_, _>>()?,
        service_account: arguments.service_account.clone(),
        timeout: arguments
            .timeout
            .as_ref()
            .map(|text| text.parse::<GoDuration>().map_err(|error| format!("--timeout {text}: {error}")))
            .transpose()?,
    })
}

/// A new folder for volumes and logs. The node makes it, and removes it at its end unless it is to be kept.
pub(crate) fn data_dir() -> PathBuf {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let random = RandomState::new().build_hasher().finish();
    std::env::temp_dir().join(format!("tekton-{random:016x}"))
}
