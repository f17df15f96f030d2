//! The controller as a program: serves the cluster that a kubeconfig or the Pod's service account names.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tekton_controller::{Election, Options, run};
use tekton_engine::ClusterFacts;
use tekton_podgen::Images;
use tracing_subscriber::EnvFilter;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Decides and drives TaskRuns and PipelineRuns on a Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Kubeconfig [default: $KUBECONFIG, ~/.kube/config, else the service account of this Pod].
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Serve this namespace alone [default: all].
    #[arg(long, value_name = "NS")]
    namespace: Option<String>,
    /// Namespace of Tekton's ConfigMaps.
    #[arg(long, env = "SYSTEM_NAMESPACE", value_name = "NS", default_value = "tekton-pipelines")]
    system_namespace: String,
    /// Image that carries the entrypoint.
    #[arg(long, value_name = "IMAGE")]
    entrypoint_image: String,
    /// Image that takes the place of sidecars that are to stop.
    #[arg(long, value_name = "IMAGE")]
    nop_image: String,
    /// Image with a shell, for placing scripts.
    #[arg(long, value_name = "IMAGE")]
    shell_image: String,
    /// Image with a shell for Windows.
    #[arg(long, value_name = "IMAGE", default_value = "")]
    shell_image_win: String,
    /// Image that creates working directories.
    #[arg(long, value_name = "IMAGE")]
    workingdirinit_image: String,
    /// Image that reads results from logs.
    #[arg(long, value_name = "IMAGE", default_value = "")]
    sidecarlogresults_image: String,
    /// How many runs of a kind are reconciled at the same time; 0 for no bound.
    #[arg(long, value_name = "N", default_value_t = 32)]
    threads_per_controller: u16,
    /// Decide without asking whether another controller does: for one that is surely alone.
    #[arg(long)]
    disable_ha: bool,
    /// Name among the controllers that stand for election [default: the host's name and a number].
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    identity: Option<String>,
    /// Seconds until a controller that does not renew the lease is taken for gone.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(3..))]
    lease_duration: u32,
    /// Log lines as JSON.
    #[arg(long)]
    json_logs: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info"));
    if arguments.json_logs {
        tracing_subscriber::fmt().with_env_filter(filter).json().init();
    } else {
        tracing_subscriber::fmt().with_env_filter(filter).init();
    }
    match serve(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let client = match arguments.kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path)?;
            let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
            kube::Client::try_from(config)?
        }
        None => kube::Client::try_default().await?,
    };
    let options = Options {
        namespace: arguments.namespace,
        system_namespace: arguments.system_namespace,
        cluster: ClusterFacts {
            images: Images {
                entrypoint: arguments.entrypoint_image,
                sidecar_log_results: arguments.sidecarlogresults_image,
                nop: arguments.nop_image,
                shell: arguments.shell_image,
                shell_windows: arguments.shell_image_win,
                working_dir_init: arguments.workingdirinit_image,
            },
            release: env!("CARGO_PKG_VERSION").to_owned(),
            ..ClusterFacts::default()
        },
        concurrency: arguments.threads_per_controller,
        #[cfg(feature = "registry")]
        images: std::sync::Arc::new(tekton_controller::RegistryImages::new(client.clone())),
        election: (!arguments.disable_ha).then(|| election(arguments.identity, arguments.lease_duration)),
        ..Options::default()
    };
    run(client, options, stop()).await?;
    Ok(())
}

/// Upstream's times, in proportion to the duration of the lease.
fn election(identity: Option<String>, lease_duration: u32) -> Election {
    let lease_duration = Duration::from_secs(lease_duration.into());
    let identity = identity.unwrap_or_else(|| {
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        format!("{}_{}", host.trim(), std::process::id())
    });
    Election {
        lease_duration,
        renew_deadline: lease_duration * 2 / 3,
        retry_period: lease_duration / 6,
        ..Election::new(identity)
    }
}

/// Resolves at SIGINT or SIGTERM.
async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("the runtime handles signals");
    tokio::select! {
        _interrupted = tokio::signal::ctrl_c() => {}
        _terminated = terminate.recv() => {}
    }
}
