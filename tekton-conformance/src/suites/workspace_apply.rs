//! Suite `workspace-apply`: volumes and mounts of workspaces, checks of bindings, claims.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};
use tekton_contract::var::Table;
use tekton_podgen::claim::{self, ApiRefusal};
use tekton_podgen::workspace;
use tekton_types::substitute::Substitute;
use tekton_types::v1::{Sidecar, TaskSpec, WorkspaceBinding, WorkspaceDeclaration};
use tekton_validate::binding;

use super::podgen_support as support;
use crate::{Case, diff};

pub(crate) fn check(case: &Case) -> Result<(), String> {
    let mut ours = answer(&case.input)?;
    let mut expect = case.expect.clone();
    for side in [&mut expect, &mut ours] {
        support::strip_type(&mut side["create"]);
    }
    diff::equal(&expect, &ours)
}

fn answer(input: &Value) -> Result<Value, String> {
    let bindings: Vec<WorkspaceBinding> = support::read_or_default(&input["bindings"])?;
    Ok(match input["op"].as_str().unwrap_or_default() {
        "createVolumes" => json!({"volumes": workspace::volumes(&bindings)}),
        "apply" => {
            let mut task: TaskSpec = support::read(&input["taskSpec"])?;
            let volumes: BTreeMap<String, Volume> = support::read_or_default(&input["volumes"])?;
            workspace::apply(&mut task, &bindings, &volumes);
            json!({"taskSpec": task})
        }
        "addSidecarVolumeMount" => {
            let mut sidecar: Sidecar = support::read(&input["sidecar"])?;
            workspace::mount_in_sidecar(&mut sidecar, &support::read(&input["volumeMount"])?);
            json!({"sidecar": sidecar})
        }
        "findWorkspacesUsedByTask" => match workspace::used(&support::read(&input["taskSpec"])?) {
            Ok(used) => json!({"workspaces": used}),
            Err(error) => json!({"error": error}),
        },
        "replaceBindingVars" => {
            let mut table = Table::new();
            for (key, value) in support::read_or_default::<BTreeMap<String, String>>(&input["replacements"])? {
                table.set(key, value);
            }
            let mut bindings = bindings;
            bindings.substitute(&table);
            json!({"bindings": bindings})
        }
        "validateBindings" => {
            let declarations: Vec<WorkspaceDeclaration> = support::read_or_default(&input["declarations"])?;
            let result = binding::task_workspaces(&declarations, &bindings);
            json!({"error": result.err().map(|error| error.to_string())})
        }
        "validateOnlyOnePVCIsUsed" => {
            let result = binding::one_persistent_volume_claim(&bindings);
            json!({"error": result.err().map(|error| error.to_string())})
        }
        "pvcName" => {
            let owner: OwnerReference = support::read(&input["owner"])?;
            let workspace = support::text(&input["binding"]["name"]);
            json!({"name": claim::named(&support::text(&input["claimName"]), &workspace, &owner.uid)})
        }
        "createPVC" => create(input)?,
        "purgePVC" => purge(input)?,
        other => return Err(format!("unknown operation {other:?}")),
    })
}

fn refusal<'a>(input: &'a Value, verb: &str) -> Option<ApiRefusal<'a>> {
    let error = input["apiErrors"].get(verb)?;
    Some(ApiRefusal { reason: error["reason"].as_str()?, message: error["message"].as_str()? })
}

fn find(input: &Value, name: &str) -> Result<Option<PersistentVolumeClaim>, String> {
    let claims: Vec<PersistentVolumeClaim> = support::read_or_default(&input["objects"])?;
    Ok(claims.into_iter().find(|claim| claim.metadata.name.as_deref() == Some(name)))
}

fn create(input: &Value) -> Result<Value, String> {
    let binding: WorkspaceBinding = support::read(&input["binding"])?;
    let owner: OwnerReference = support::read(&input["owner"])?;
    let namespace = support::text(&input["namespace"]);
    let Some(claim) = claim::claim(&binding, &owner, &namespace) else {
        return Ok(json!({}));
    };
    let name = claim.metadata.name.clone().unwrap_or_default();
    match refusal(input, "get") {
        Some(refusal) if refusal.reason != "NotFound" => {
            return Ok(json!({"error": format!("failed to retrieve PVC {name}: {}", refusal.message)}));
        }
        None if refusal(input, "create").is_none() && find(input, &name)?.is_some() => return Ok(json!({})),
        Some(_) | None => {}
    }
    let fault = refusal(input, "create").and_then(|refusal| claim::creation_fault(&name, refusal));
    Ok(json!({"create": claim, "error": fault.map(|fault| fault.to_string())}))
}

fn purge(input: &Value) -> Result<Value, String> {
    let name = support::text(&input["name"]);
    let failed = |verb: &str, refusal: ApiRefusal<'_>| format!("failed to {verb} the PVC {name}: {}", refusal.message);
    if let Some(refusal) = refusal(input, "get").filter(|refusal| refusal.reason != "NotFound") {
        return Ok(json!({"error": failed("get", refusal)}));
    }
    let Some(claim) = find(input, &name)? else {
        return Ok(json!({}));
    };
    if let Some(refusal) = refusal(input, "delete") {
        return Ok(json!({"error": failed("delete", refusal)}));
    }
    let patch = claim::purge_finalizer(&claim);
    let error = refusal(input, "patch").map(|refusal| failed("patch", refusal));
    Ok(json!({"patch": patch, "deleted": true, "error": error}))
}
