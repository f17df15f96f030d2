//! Serves an empty local cluster and writes its kubeconfig to the file named by the first argument.

use tekton_local::{LocalCluster, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: serve KUBECONFIG")?;
    let cluster = LocalCluster::start(Options::default());
    let serving = cluster.serve(([127, 0, 0, 1], 0).into()).await?;
    std::fs::write(&file, &serving.kubeconfig)?;
    tokio::signal::ctrl_c().await?;
    cluster.stop().await;
    Ok(())
}
