//! `tekton serve`: the local cluster for kubectl and others.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tekton_local::InstallationOptions;
use tekton_local::node::NodeOptions;

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
    let maps = settings::config_maps(&arguments.settings)?;
    let path = arguments.kubeconfig_out.clone().unwrap_or_else(|| PathBuf::from(KUBECONFIG));
    let told = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    // It is there before the first step starts, so that it is hidden from all of them.
    write_secret(&path, "").map_err(|error| told(&path, error))?;
    let kept = arguments.data_dir.as_deref();
    let data = match kept {
        Some(dir) => dir.to_owned(),
        None => run::data_dir(),
    };
    let persistent = kept.is_some();
    let mut node = NodeOptions { ephemeral: !persistent, ..cluster::node(&arguments.node, &data)? };
    node.hidden.push(path.clone());
    let options = InstallationOptions { persistent, config_maps: maps, ..InstallationOptions::new(node) };
    let installation = match cluster::start(options).await {
        Ok(installation) => installation,
        Err(error) => {
            fs::remove_file(&path).map_err(|left| told(&path, left))?;
            return Err(error);
        }
    };
    let served = async {
        let serving = installation
            .local()
            .serve(arguments.listen)
            .await
            .map_err(|error| format!("failed to listen on {}: {error}", arguments.listen))?;
        write_secret(&path, &serving.kubeconfig).map_err(|error| told(&path, error))?;
        // By this, the commands over a data directory find the server that has it open.
        let own = kept.map(history::server_file);
        if let Some(own) = &own {
            write_secret(own, &serving.kubeconfig).map_err(|error| told(own, error))?;
        }
        eprintln!("serving {}; try: kubectl --kubeconfig {} get pods -A", serving.url, path.display());
        match kept {
            Some(dir) => eprintln!("Ctrl-C ends the cluster; what is in it is kept in {}", dir.display()),
            None => eprintln!("Ctrl-C ends the cluster and everything in it"),
        }
        interrupted().await;
        if let Some(own) = &own {
            fs::remove_file(own).map_err(|error| told(own, error))?;
        }
        fs::remove_file(&path).map_err(|error| told(&path, error))
    };
    let outcome = served.await;
    installation.stop().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Writes a file that only its owner can read: the token is in it.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
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
