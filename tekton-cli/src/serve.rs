//! `tekton serve`: the local cluster for kubectl and others.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::args::ServeArguments;
use crate::cluster::{Cluster, Start};
use crate::{run, settings};

/// Name of the kubeconfig when none is given.
const KUBECONFIG: &str = "tekton.kubeconfig";

/// Serves until interrupted.
///
/// Errors: the machine cannot run steps, the address is taken or not a loopback one, or the kubeconfig cannot be written.
pub(crate) async fn serve(arguments: &ServeArguments) -> Result<ExitCode, String> {
    if !arguments.listen.ip().is_loopback() {
        return Err(format!("--listen {}: the local cluster is served on loopback only", arguments.listen));
    }
    let maps = settings::config_maps(&arguments.settings)?;
    let data = run::data_dir()?;
    let start = Start { data: &data, keep: false, namespace: "default", binds: Vec::new(), config_maps: &maps };
    let cluster = Cluster::start(start).await?;
    let served = async {
        let serving = cluster
            .local()
            .serve(arguments.listen)
            .await
            .map_err(|error| format!("failed to listen on {}: {error}", arguments.listen))?;
        let path = arguments.kubeconfig_out.clone().unwrap_or_else(|| PathBuf::from(KUBECONFIG));
        write_secret(&path, &serving.kubeconfig).map_err(|error| format!("{}: {error}", path.display()))?;
        eprintln!("serving {}; try: kubectl --kubeconfig {} get pods -A", serving.url, path.display());
        eprintln!("Ctrl-C ends the cluster and everything in it");
        interrupted().await;
        fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let outcome = served.await;
    cluster.stop().await;
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
