//! States of sidecars, while they run and once they are stopped.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use tekton_types::v1::SidecarState;

use crate::names::{self, SIDECAR_PREFIX};

const STOPPED_REASON: &str = "Completed";
const STOPPED_MESSAGE: &str = "Sidecar container successfully stopped by nop image";

/// The sidecars among containers, in their order.
pub(super) fn states<'a>(containers: impl Iterator<Item = &'a ContainerStatus>) -> Vec<SidecarState> {
    let sidecars = containers.filter(|status| names::is_sidecar(&status.name));
    sidecars.map(|status| state(status, status.state.clone().unwrap_or_default())).collect()
}

/// The sidecars of a Pod whose images were replaced by one that ends at once: how the replaced ones ended.
pub fn stopped_sidecars(pod: &Pod) -> Vec<SidecarState> {
    let containers = pod.status.iter().filter_map(|status| status.container_statuses.as_ref()).flatten();
    let sidecars = containers.filter(|status| names::is_sidecar(&status.name));
    let stopped = |status: &ContainerStatus| {
        let last = status.last_state.as_ref()?.terminated.as_ref()?;
        let terminated = ContainerStateTerminated {
            reason: Some(STOPPED_REASON.to_owned()),
            message: Some(STOPPED_MESSAGE.to_owned()),
            signal: None,
            ..last.clone()
        };
        Some(ContainerState { terminated: Some(terminated), ..ContainerState::default() })
    };
    sidecars.map(|status| state(status, stopped(status).or_else(|| status.state.clone()).unwrap_or_default())).collect()
}

fn state(status: &ContainerStatus, state: ContainerState) -> SidecarState {
    let ContainerState { waiting, running, terminated } = state;
    SidecarState {
        waiting,
        running,
        terminated,
        name: status.name.strip_prefix(SIDECAR_PREFIX).unwrap_or(&status.name).to_owned(),
        container: status.name.clone(),
        image_id: status.image_id.clone(),
    }
}
