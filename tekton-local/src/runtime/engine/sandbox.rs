//! The container that holds the network and IPC namespaces of a pod.

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{CreateContainerOptions, CreateImageOptions};
use bytes::Bytes;
use futures::StreamExt;

use super::super::{ContainerSpec, LOOPBACK, StartError};
use super::{EngineRuntime, OWNER, POD, broken, remove};
use crate::node::ENTRYPOINT;

/// The image of such containers: nothing but the entrypoint's program. The tag is its size, so that a new one is made
/// for a new program.
const REPOSITORY: &str = "tekton.local/sandbox";

/// A running one.
#[derive(Debug, Clone)]
pub(super) struct Sandbox {
    pub(super) id: String,
    /// The pod's address.
    pub(super) address: String,
}

impl EngineRuntime {
    /// The sandbox of the pod of a container, made when it is the first.
    pub(super) async fn sandbox(&self, spec: &ContainerSpec) -> Result<Sandbox, StartError> {
        let mut sandboxes = self.sandboxes.lock().await;
        if let Some(known) = sandboxes.get(&spec.pod_uid) {
            return Ok(known.clone());
        }
        let made = make(self, spec).await.map_err(broken)?;
        sandboxes.insert(spec.pod_uid.clone(), made.clone());
        Ok(made)
    }
}

async fn make(runtime: &EngineRuntime, spec: &ContainerSpec) -> Result<Sandbox, bollard::errors::Error> {
    let engine = &runtime.engine;
    let body = ContainerCreateBody {
        image: Some(name()),
        hostname: Some(spec.pod.chars().take(63).collect()),
        entrypoint: Some(vec!["/nop".to_owned(), "tekton_run_indefinitely".to_owned()]),
        labels: Some([(OWNER.to_owned(), runtime.owner.clone()), (POD.to_owned(), spec.pod_uid.clone())].into()),
        host_config: Some(HostConfig {
            ipc_mode: Some("shareable".to_owned()),
            ulimits: runtime.limits.get().cloned(),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let id = engine.create_container(None::<CreateContainerOptions>, body).await?.id;
    if let Err(error) = engine.start_container(&id, None).await {
        remove(engine, &id).await;
        return Err(error);
    }
    let networks = engine.inspect_container(&id, None).await?.network_settings.and_then(|settings| settings.networks);
    let addresses = networks.into_iter().flatten().filter_map(|(_, network)| network.ip_address);
    let address = addresses.into_iter().find(|address| !address.is_empty()).unwrap_or_else(|| LOOPBACK.to_owned());
    Ok(Sandbox { id, address })
}

fn name() -> String {
    format!("{REPOSITORY}:{}", ENTRYPOINT.len())
}

/// Gives the engine the image, unless it has it.
pub(super) async fn image(engine: &Docker) -> Result<(), StartError> {
    if engine.inspect_image(&name()).await.is_ok() {
        return Ok(());
    }
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        // Podman heeds a tag only as part of the name.
        repo: Some(name()),
        ..CreateImageOptions::default()
    };
    let content = bollard::body_full(Bytes::from(archive("nop", ENTRYPOINT)));
    let mut progress = std::pin::pin!(engine.create_image(Some(options), Some(content), None));
    while let Some(step) = progress.next().await {
        step.map_err(broken)?;
    }
    Ok(())
}

/// A tar archive of one program.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut header = [0u8; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000755\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\u{0}00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}
