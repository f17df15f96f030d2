//! Claims and affinity assistants of a PipelineRun: made before its first task, taken away after its last.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use tekton_contract::labels;
use tekton_dag::graph::quote;
use tekton_podgen::affinity::{self, Assistant, Behavior};
use tekton_podgen::claim;
use tekton_podgen::security::SecurityContextConfig;
use tekton_types::reason::pipelinerun as reasons;
use tekton_types::v1::{PipelineRun, WorkspaceBinding};

use super::life;
use crate::effect::{Effect, EffectKey, Outcome, PatchType, Purpose, Verb};
use crate::object::{Kind, ObjectKey, Stored};
use crate::owner;
use crate::pass::{Pass, Stop};
use crate::pvc;

/// The reason of a run whose affinity assistants could not be created.
const COULDNT_CREATE: &str = "ReasonCouldntCreateOrUpdateAffinityAssistantStatefulSet";

/// Which tasks share a node.
pub(super) fn behavior(pass: &Pass<'_>) -> Result<Behavior, Stop> {
    Behavior::of(&pass.env.config.feature_flags).map_err(Stop::permanent)
}

/// Has claims and assistants created.
pub(super) fn set_up(pass: &mut Pass<'_>, run: &mut PipelineRun) -> Result<(), Stop> {
    let behavior = behavior(pass)?;
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let owner = owner::controller_of(run);
    let own_name = run.metadata.name.clone().unwrap_or_default();
    let templates: Vec<WorkspaceBinding> = run
        .spec
        .workspaces
        .iter()
        .filter(|w| w.volume_claim_template.is_some() && w.persistent_volume_claim.is_none())
        .cloned()
        .collect();
    let mut waiting = false;
    let mut wait = |end: Result<(), Stop>| match end {
        Err(Stop::Wait) => {
            waiting = true;
            Ok(())
        }
        other => other,
    };
    match behavior {
        Behavior::PerWorkspace => {
            for workspace in &run.spec.workspaces.clone() {
                let Some(source) = &workspace.persistent_volume_claim else { continue };
                let name = affinity::assistant_name(&workspace.name, &own_name);
                wait(assistant(pass, run, behavior, &name, Vec::new(), std::slice::from_ref(&source.claim_name)))?;
            }
            for workspace in &templates {
                wait(claim_of(pass, run, workspace, &owner, &namespace))?;
                let name = affinity::assistant_name(&workspace.name, &own_name);
                let claim = claim::claim_name(workspace, &owner.uid);
                wait(assistant(pass, run, behavior, &name, Vec::new(), &[claim]))?;
            }
        }
        Behavior::PerPipelineRun | Behavior::PerPipelineRunWithIsolation => {
            let claims: Vec<String> = run
                .spec
                .workspaces
                .iter()
                .filter_map(|workspace| Some(workspace.persistent_volume_claim.as_ref()?.claim_name.clone()))
                .collect();
            let templates = templates
                .iter()
                .filter_map(|workspace| {
                    let mut claim = PersistentVolumeClaim::from(workspace.volume_claim_template.clone()?);
                    claim.metadata.name = Some(claim::claim_name(workspace, &owner.uid));
                    Some(claim)
                })
                .collect();
            let name = affinity::assistant_name("", &own_name);
            wait(assistant(pass, run, behavior, &name, templates, &claims))?;
        }
        Behavior::Disabled => {
            for workspace in &templates {
                wait(claim_of(pass, run, workspace, &owner, &namespace))?;
            }
        }
    }
    if waiting { Err(Stop::Wait) } else { Ok(()) }
}

fn claim_of(
    pass: &mut Pass<'_>,
    run: &mut PipelineRun,
    workspace: &WorkspaceBinding,
    owner: &k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference,
    namespace: &str,
) -> Result<(), Stop> {
    let Err(fault) = pvc::ensure(pass, workspace, owner, namespace)? else { return Ok(()) };
    let now = pass.now();
    if fault.retryable {
        let message = format!("Waiting for PVC creation to succeed: {}", fault.text);
        life::mark_running(&mut run.status, reasons::PENDING, message, now);
        return Err(Stop::transient(fault.text));
    }
    if fault.creation {
        let own = run.metadata.name.as_deref().unwrap_or_default();
        let message = format!("Failed to create PVC for PipelineRun {namespace}/{own} correctly: {}", fault.text);
        life::mark_failed(&mut run.status, pvc::COULDNT_CREATE, message, now);
    }
    Err(Stop::permanent(fault.text))
}

/// Has one assistant created; an assistant on a node that takes no Pods is moved.
fn assistant(
    pass: &mut Pass<'_>,
    run: &mut PipelineRun,
    behavior: Behavior,
    name: &str,
    claim_templates: Vec<PersistentVolumeClaim>,
    claims: &[String],
) -> Result<(), Stop> {
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let error = match pass.fresh::<StatefulSet>(&namespace, name)? {
        Ok(found) if found.status.as_ref().and_then(|status| status.ready_replicas) == Some(1) => {
            move_from_closed_node(pass, &namespace, name)?
        }
        Ok(_) => None,
        Err(fault) if fault.is_not_found() => {
            let set = stateful_set(pass, run, behavior, name, claim_templates, claims);
            match pass.create(set)? {
                Err(fault) if !fault.is_already_exists() => {
                    Some(format!("failed to create StatefulSet {name}: {}", fault.text))
                }
                _ => None,
            }
        }
        Err(fault) => Some(format!("failed to retrieve StatefulSet {name}: {}", fault.text)),
    };
    let Some(error) = error else { return Ok(()) };
    let error = format!("Affinity Assistant creation error: [{error}]");
    let own = run.metadata.name.as_deref().unwrap_or_default();
    let message = format!("Failed to create StatefulSet for PipelineRun {namespace}/{own} correctly: {error}");
    life::mark_failed(&mut run.status, COULDNT_CREATE, message, pass.now());
    Err(Stop::permanent(error))
}

fn stateful_set(
    pass: &Pass<'_>,
    run: &PipelineRun,
    behavior: Behavior,
    name: &str,
    claim_templates: Vec<PersistentVolumeClaim>,
    claims: &[String],
) -> StatefulSet {
    let flags = &pass.env.config.feature_flags;
    let owner = owner::controller_of(run);
    let served = affinity::Run {
        owner: &owner,
        labels: run.metadata.labels.as_ref(),
        pod_template: run.spec.task_run_template.pod_template.as_ref(),
        service_account: &run.spec.task_run_template.service_account_name,
    };
    let assistant = Assistant {
        name,
        behavior,
        claim_templates,
        claims,
        image: &pass.env.cluster.images.nop,
        security: SecurityContextConfig {
            set_security_context: flags.set_security_context,
            set_read_only_root_filesystem: flags.set_security_context_read_only_root_filesystem,
        },
        default_template: pass.env.config.defaults.default_aa_pod_template.as_ref(),
    };
    let mut set = affinity::stateful_set(&served, assistant);
    set.metadata.namespace.clone_from(&run.metadata.namespace);
    set
}

fn move_from_closed_node(pass: &mut Pass<'_>, namespace: &str, name: &str) -> Result<Option<String>, Stop> {
    let nodes = match pass.list::<Node>("", std::collections::BTreeMap::new())? {
        Ok(nodes) => nodes,
        Err(fault) => return Ok(Some(format!("could not get the list of nodes, err: {}", fault.text))),
    };
    let closed: BTreeSet<&str> = nodes
        .iter()
        .filter(|node| node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true))
        .filter_map(|node| node.metadata.name.as_deref())
        .collect();
    if closed.is_empty() {
        return Ok(None);
    }
    let pod_name = format!("{name}-0");
    let pod = match pass.fresh::<Pod>(namespace, &pod_name)? {
        Ok(pod) => pod,
        Err(fault) if fault.is_not_found() => return Ok(None),
        Err(fault) => {
            return Ok(Some(format!(
                "could not get the affinity assistant pod for StatefulSet {name}: {}",
                fault.text
            )));
        }
    };
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default();
    if !closed.contains(node) {
        return Ok(None);
    }
    Ok(pass
        .delete(Kind::Pod, namespace, &pod_name)?
        .err()
        .map(|fault| format!("error deleting affinity assistant pod {pod_name} in ns {namespace}: {}", fault.text)))
}

/// Takes away the assistants of a run that is over, and the claims that shall not outlive it.
pub(super) fn clean_up(pass: &mut Pass<'_>, run: &PipelineRun) -> Result<(), Stop> {
    let behavior = Behavior::of(&pass.env.config.feature_flags).map_err(Stop::transient)?;
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let own_name = run.metadata.name.as_deref().unwrap_or_default();
    let uid = run.metadata.uid.as_deref().unwrap_or_default();
    let cleans =
        run.metadata.annotations.as_ref().and_then(|all| all.get(labels::AUTO_CLEANUP_PVC)).map(String::as_str)
            == Some("true");
    let mut errors: Vec<String> = Vec::new();
    let mut waiting = false;
    let mut note = |end: Result<Option<String>, Stop>| match end {
        Ok(error) => {
            errors.extend(error);
            Ok(())
        }
        Err(Stop::Wait) => {
            waiting = true;
            Ok(())
        }
        Err(stop) => Err(stop),
    };
    match behavior {
        Behavior::Disabled => {}
        Behavior::PerWorkspace => {
            for workspace in &run.spec.workspaces {
                if workspace.persistent_volume_claim.is_some() || workspace.volume_claim_template.is_some() {
                    note(delete_set(pass, &namespace, &affinity::assistant_name(&workspace.name, own_name)))?;
                }
                if workspace.volume_claim_template.is_some() && cleans {
                    note(delete_claim(pass, &namespace, &claim::claim_name(workspace, uid)))?;
                }
            }
        }
        Behavior::PerPipelineRun | Behavior::PerPipelineRunWithIsolation => {
            note(delete_set(pass, &namespace, &affinity::assistant_name("", own_name)))?;
            for workspace in run.spec.workspaces.iter().filter(|w| w.volume_claim_template.is_some()) {
                let claim = claim::claim_name(workspace, uid);
                note(delete_claim(pass, &namespace, &affinity::claim_of_stateful_set(&claim, "", own_name)))?;
            }
        }
    }
    if waiting {
        return Err(Stop::Wait);
    }
    match errors.as_slice() {
        [] => Ok(()),
        [one] => Err(Stop::transient(one)),
        many => Err(Stop::transient(format!("[{}]", many.join(", ")))),
    }
}

fn delete_set(pass: &mut Pass<'_>, namespace: &str, name: &str) -> Result<Option<String>, Stop> {
    Ok(match pass.delete(Kind::StatefulSet, namespace, name)? {
        Err(fault) if !fault.is_not_found() => Some(format!("failed to delete StatefulSet {name}: {}", fault.text)),
        _ => None,
    })
}

/// Deletes a claim, and frees it from the protection that it has while Pods name it.
pub(super) fn delete_claim(pass: &mut Pass<'_>, namespace: &str, name: &str) -> Result<Option<String>, Stop> {
    let key = ObjectKey::new(Kind::PersistentVolumeClaim, namespace, name);
    let created = match pass.facts.outcome(&EffectKey { verb: Verb::Create, object: key.clone() }) {
        Some(Outcome::Done(Some(object))) => PersistentVolumeClaim::from_object(object),
        _ => None,
    };
    let claim = match pass.fresh::<PersistentVolumeClaim>(namespace, name)? {
        Ok(claim) => claim,
        // It was not there when this pass began.
        Err(fault) if fault.is_not_found() => match created {
            Some(claim) => claim,
            None => return Ok(None),
        },
        Err(fault) => return Ok(Some(format!("failed to get the PVC {name}: {}", fault.text))),
    };
    if let Err(fault) = pass.delete(Kind::PersistentVolumeClaim, namespace, name)? {
        return Ok(Some(format!("failed to delete the PVC {name}: {}", fault.text)));
    }
    let effect = Effect::Patch {
        key,
        purpose: Purpose::Release,
        patch_type: PatchType::Json,
        body: claim::purge_finalizer(claim),
    };
    Ok(match pass.effect(effect)? {
        Err(fault) if !fault.is_not_found() => Some(format!("failed to patch the PVC {name}: {}", fault.text)),
        _ => None,
    })
}

/// The name of the run, in quotes.
pub(super) fn quoted(run: &PipelineRun) -> String {
    quote(run.metadata.name.as_deref().unwrap_or_default())
}
