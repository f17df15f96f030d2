//! `tekton serve`: the local cluster for kubectl and others.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tekton_local::node::NodeOptions;
use tekton_local::{InstallationOptions, ServeOptions};

use crate::args::ServeArguments;
use crate::{cluster, history, run, settings};

/// Name of the kubeconfig when none is given.
pub(crate) const KUBECONFIG: &str = "tekton.kubeconfig";

/// Serves until interrupted.
///
/// Errors: the machine cannot run steps, the address is taken or not a loopback one, or the kubeconfig cannot be written.
pub(crate) async fn serve(arguments: &ServeArguments) -> Result<ExitCode, String> {
    if !arguments.listen.ip().is_loopback() {
        return Err(format!("--listen {}: the local cluster is served on loopback only", arguments.listen));
    }
    let config_maps = settings::config_maps(&arguments.settings)?;
    let path = arguments.kubeconfig_out.clone().unwrap_or_else(|| PathBuf::from(KUBECONFIG));
    let kept = arguments.data_dir.as_deref();
    let data = kept.map_or_else(run::data_dir, Path::to_owned);
    let persistent = kept.is_some();
    let node = NodeOptions { ephemeral: !persistent, ..cluster::node(&arguments.node, &data)? };
    // By its own, the commands over a data directory find the server that has it open.
    let kubeconfigs = std::iter::once(path.clone()).chain(kept.map(history::server_file)).collect();
    let serve = Some(ServeOptions { address: arguments.listen, kubeconfigs });
    let custom_tasks = !arguments.no_custom_tasks;
    let options =
        InstallationOptions { persistent, config_maps, serve, custom_tasks, ..InstallationOptions::new(node) };
    let installation = cluster::start(options).await?;
    let url = installation.serving().map_or("", |serving| &serving.url);
    eprintln!("serving {url}; try: kubectl --kubeconfig {} get pods -A", path.display());
    match kept {
        Some(dir) => eprintln!("Ctrl-C ends the cluster; what is in it is kept in {}", dir.display()),
        None => eprintln!("Ctrl-C ends the cluster and everything in it"),
    }
    interrupted().await;
    installation.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Resolves at SIGINT or SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("the runtime handles signals");
    tokio::select! {
        _interrupted = tokio::signal::ctrl_c() => {}
        _terminated = terminate.recv() => {}
    }
}
