//! After the last step: stopping sidecars that would keep the Pod running.

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use tekton_podgen::{observe, patch};
use tekton_types::reason::taskrun as reasons;
use tekton_types::v1::TaskRun;

use super::life;
use crate::effect::{Effect, PatchType, Purpose};
use crate::facts::{Need, Value};
use crate::object::{Kind, ObjectKey, Stored};
use crate::pass::{Pass, Stop};

/// What a write says that is based on an old version of the object.
const MODIFIED: &str = "the object has been modified; please apply your changes to the latest version and try again";

/// Replaces the images of running sidecars by one that ends at once.
pub(super) fn stop(pass: &mut Pass<'_>, run: &mut TaskRun) -> Result<(), Stop> {
    if native_sidecars(pass)? || run.status.pod_name.is_empty() {
        return Ok(());
    }
    if let Some(condition) = life::succeeded(run)
        && (condition.reason == reasons::CANCELLED || condition.reason == reasons::TIMED_OUT)
    {
        return Ok(());
    }
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let name = run.status.pod_name.clone();
    let pod = match pass.fresh::<Pod>(&namespace, &name)? {
        Ok(pod) => pod,
        Err(fault) if fault.is_not_found() => return Err(Stop::permanent(&fault.text)),
        Err(fault) => {
            let text = format!("error getting Pod {name:?} when stopping sidecars: {}", fault.text);
            life::mark_failed(&mut run.status, reasons::STOP_SIDECAR_FAILED, text, pass.now());
            return Ok(());
        }
    };
    let mut after = pod;
    if let Some(body) = patch::stop_sidecars(pod, &pass.env.cluster.images.nop, pass.env.config) {
        let effect = Effect::Patch {
            key: ObjectKey::new(Kind::Pod, &namespace, &name),
            purpose: Purpose::StopSidecars,
            patch_type: PatchType::Json,
            body,
        };
        match pass.effect(effect)? {
            Ok(done) => {
                if let Some(patched) = done.and_then(Pod::from_object) {
                    after = patched;
                }
            }
            Err(fault) if fault.is_conflict() && fault.text.contains(MODIFIED) => {
                return Err(Stop::After(SignedDuration::from_secs(1)));
            }
            Err(fault) if fault.is_not_found() => {
                return Err(Stop::permanent(format!("error stopping sidecars of Pod {name:?}: {}", fault.text)));
            }
            Err(fault) => {
                let text = format!("error stopping sidecars of Pod {name:?}: {}", fault.text);
                life::mark_failed(&mut run.status, reasons::STOP_SIDECAR_FAILED, text, pass.now());
                return Ok(());
            }
        }
    }
    if patch::has_running_sidecar(run) {
        run.status.sidecars = observe::stopped_sidecars(after);
    }
    Ok(())
}

/// Kubernetes stops the sidecars by itself.
fn native_sidecars(pass: &mut Pass<'_>) -> Result<bool, Stop> {
    if !pass.env.config.feature_flags.enable_kubernetes_sidecar {
        return Ok(false);
    }
    match pass.fetch(Need::ServerVersion)? {
        Ok(Value::Version(version)) => Ok(version.has_native_sidecars()),
        Ok(_) => Ok(false),
        Err(fault) => Err(Stop::transient(&fault.text)),
    }
}
