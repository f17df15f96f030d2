//! Ending a TaskRun before its Pod does: cancelled, timed out, or stuck on an image or a container.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStateWaiting, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tekton_types::condition::Condition;
use tekton_types::duration::GoDuration;
use tekton_types::reason::{self, taskrun as reasons};
use tekton_types::v1::TaskRun;

use super::{life, pod};
use crate::effect::{Effect, PatchType, Purpose};
use crate::object::{Kind, ObjectKey};
use crate::pass::{Pass, Stop};

const IMAGE_PULL_BACK_OFF: &str = "ImagePullBackOff";
const INVALID_IMAGE_NAME: &str = "InvalidImageName";
const CREATE_CONTAINER_CONFIG_ERROR: &str = "CreateContainerConfigError";
const CREATE_CONTAINER_ERROR: &str = "CreateContainerError";

/// Pod conditions that say since when containers may start.
const STARTABLE: [&str; 2] = ["Initialized", "PodReadyToStartContainers"];

/// Fails the run and stops its Pod.
pub(super) fn fail(pass: &mut Pass<'_>, run: &mut TaskRun, reason: &str, message: &str) -> Result<(), Stop> {
    let now = pass.now();
    life::mark_failed(&mut run.status, reason, message, now);
    run.status.completion_time = Some(Time(now));
    if run.status.pod_name.is_empty() {
        // The name was lost with the status when the pass that created the Pod did not come to its end. The Pod would
        // run on for ever.
        let Some(pod) = pod::find_unnamed(pass, run)? else { return Ok(()) };
        run.status.pod_name = pod.metadata.name.clone().unwrap_or_default();
    }
    terminate_steps(run, reason, now);
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let by_us = reason == reasons::CANCELLED || reason == reasons::TIMED_OUT;
    let outcome = if by_us && pass.env.config.feature_flags.enable_keep_pod_on_cancel {
        pass.effect(Effect::Patch {
            key: ObjectKey::new(Kind::Pod, &namespace, &run.status.pod_name),
            purpose: Purpose::CancelPod,
            patch_type: PatchType::Json,
            body: tekton_podgen::patch::cancel(),
        })?
        .map(|_| ())
    } else {
        pass.delete(Kind::Pod, &namespace, &run.status.pod_name)?
    };
    match outcome {
        Err(fault) if !fault.is_not_found() => Err(Stop::transient(&fault.text)),
        _ => Ok(()),
    }
}

/// Deletes a Pod that works for a run that has ended and does not know it: an old cache had it created. It would run on.
pub(super) fn remove_unknown_pod(pass: &mut Pass<'_>, run: &TaskRun) -> Result<(), Stop> {
    if !run.status.pod_name.is_empty() {
        return Ok(());
    }
    let Some(pod) = pod::find_unnamed(pass, run)? else { return Ok(()) };
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    match pass.delete(Kind::Pod, namespace, pod.metadata.name.as_deref().unwrap_or_default())? {
        Err(fault) if !fault.is_not_found() => Err(Stop::transient(&fault.text)),
        _ => Ok(()),
    }
}

/// Every step that has not ended ends with the run.
fn terminate_steps(run: &mut TaskRun, reason: &str, now: Timestamp) {
    let created = run.metadata.creation_timestamp.clone();
    let pod = run.status.pod_name.clone();
    for step in &mut run.status.steps {
        let started_at = match (step.running.take(), step.waiting.take()) {
            (_, Some(_)) => created.clone(),
            (Some(running), None) => running.started_at,
            (None, None) => continue,
        };
        step.terminated = Some(ContainerStateTerminated {
            exit_code: 1,
            started_at,
            finished_at: Some(Time(now)),
            reason: Some(reason.to_owned()),
            message: Some(format!("Step {} terminated as pod {pod} is terminated", step.name)),
            ..ContainerStateTerminated::default()
        });
        reason.clone_into(&mut step.termination_reason);
    }
}

/// Adds what the condition said before, when that helps to understand why the run stood where it stood.
pub(super) fn with_previous(previous: Option<&Condition>, message: String) -> String {
    match previous {
        Some(previous)
            if !previous.message.is_empty()
                && ![reasons::STARTED, reasons::RUNNING, reasons::PENDING].contains(&previous.reason.as_str()) =>
        {
            format!("{message}\nPrevious status: [{}] {}", previous.reason, previous.message)
        }
        _ => message,
    }
}

/// A container that will not start, if there is one: the reason and the message to fail with.
pub(super) fn stuck_container(pass: &mut Pass<'_>, run: &TaskRun) -> Result<Option<(&'static str, String)>, Stop> {
    let steps = run.status.steps.iter().map(|s| ("step", s.waiting.as_ref(), &s.name, &s.image_id));
    let sidecars = run.status.sidecars.iter().map(|s| ("sidecar", s.waiting.as_ref(), &s.name, &s.image_id));
    for (what, waiting, name, image) in steps.chain(sidecars) {
        let Some(waiting) = waiting else { continue };
        let container = Container { what, name, image, waiting };
        if let Some(found) = judge(pass, run, &container)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

struct Container<'a> {
    what: &'static str,
    name: &'a str,
    image: &'a str,
    waiting: &'a ContainerStateWaiting,
}

fn judge(
    pass: &mut Pass<'_>,
    run: &TaskRun,
    container: &Container<'_>,
) -> Result<Option<(&'static str, String)>, Stop> {
    let Container { what, name, image, waiting } = *container;
    let run_name = run.metadata.name.as_deref().unwrap_or_default();
    let message = waiting.message.as_deref().unwrap_or_default();
    let defaults = &pass.env.config.defaults;
    let pull_failed = format!(
        "the {what} \"{name}\" in TaskRun \"{run_name}\" failed to pull the image \"{image}\". The pod errored with the message: \"{message}.\""
    );
    let start_failed = format!(
        "the {what} \"{name}\" in TaskRun \"{run_name}\" failed to start. The pod errored with the message: \"{message}.\""
    );
    match waiting.reason.as_deref().unwrap_or_default() {
        IMAGE_PULL_BACK_OFF => {
            let patience = defaults.default_image_pull_back_off_timeout;
            if patience.0 != 0 {
                match pod_of(pass, run, true)? {
                    Err(fault) => {
                        let text = format!(
                            "the {what} \"{name}\" in TaskRun \"{run_name}\" failed to pull the image \"{image}\". Failed to get pod with error: \"{fault}.\""
                        );
                        return Ok(Some((reasons::IMAGE_PULL_FAILED, text)));
                    }
                    Ok(pod) if startable_within(pod, patience, pass.now()) => return Ok(None),
                    Ok(_) => {}
                }
            }
            Ok(Some((reasons::IMAGE_PULL_FAILED, pull_failed)))
        }
        INVALID_IMAGE_NAME => Ok(Some((reasons::IMAGE_PULL_FAILED, pull_failed))),
        error @ (CREATE_CONTAINER_CONFIG_ERROR | CREATE_CONTAINER_ERROR) => {
            let patience = defaults.default_create_container_error_timeout;
            if message.contains("context deadline exceeded") && patience.0 != 0 {
                match pod_of(pass, run, false)? {
                    Err(fault) => {
                        let text = format!(
                            "the {what} \"{name}\" in TaskRun \"{run_name}\" failed to start. Failed to get pod with error: \"{fault}.\""
                        );
                        return Ok(Some((reason::taskrun::POD_CREATION_FAILED, text)));
                    }
                    Ok(pod) if startable_within(pod, patience, pass.now()) => return Ok(None),
                    Ok(_) => {}
                }
            }
            let reason = if error == CREATE_CONTAINER_CONFIG_ERROR {
                reasons::CREATE_CONTAINER_CONFIG_ERROR
            } else {
                reasons::POD_CREATION_FAILED
            };
            Ok(Some((reason, start_failed)))
        }
        _ => Ok(None),
    }
}

fn pod_of<'a>(
    pass: &mut Pass<'a>,
    run: &TaskRun,
    fresh: bool,
) -> Result<Result<&'a std::sync::Arc<Pod>, String>, Stop> {
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    Ok(if fresh {
        pass.fresh::<Pod>(namespace, &run.status.pod_name)?.map_err(|fault| fault.text.clone())
    } else {
        // Upstream's cache names the resource in the singular.
        pass.object::<Pod>(namespace, &run.status.pod_name)?.map_err(|fault| fault.text.replacen("pods ", "pod ", 1))
    })
}

/// The Pod could start its containers less than `patience` ago.
fn startable_within(pod: &Pod, patience: GoDuration, now: Timestamp) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().filter(|condition| STARTABLE.contains(&condition.type_.as_str())).any(|condition| {
        let since = condition.last_transition_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        now.duration_since(since).as_nanos() < i128::from(patience.0)
    })
}
