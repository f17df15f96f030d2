//! Suite `pipelinerun-misc`: the smaller functions around pipeline runs.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde::Deserialize;
use serde_json::{Value, json};
use tekton_contract::names;
use tekton_dag::names::{run_name, run_names};
use tekton_engine::part::{self, Step};
use tekton_engine::{Class, Decision, Env, Snapshot, Stored};
use tekton_podgen::affinity::{self, Behavior};
use tekton_podgen::claim;
use tekton_podgen::security::SecurityContextConfig;
use tekton_types::config::Config;
use tekton_types::pod::AffinityAssistantTemplate;
use tekton_types::v1::{
    ChildStatusReference, PipelineRun, PipelineRunStatus, PipelineTask, WorkspaceBinding, WorkspacePipelineTaskBinding,
};

use super::pipelines::RecordedTask;
use super::reconcile;
use super::recorded::{compare, field, op, typed};
use crate::world::Done;
use crate::{Case, diff};

/// Checks one case.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let ours = match op(case) {
        "childName" => json!({ "name": names::child_name(text(case, "parent"), text(case, "suffix")) }),
        "restrictLength" => json!({ "name": names::restrict_length(text(case, "base")) }),
        "restrictLengthWithRandomSuffix" => {
            json!({ "name": names::restrict_length_with_suffix(text(case, "base"), text(case, "randomSuffix")) })
        }
        "generateHashedName" => {
            let length = case.input["hashedLength"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
            json!({ "name": names::hashed_name(text(case, "prefix"), text(case, "name"), length) })
        }
        "taskRunName" => name(case, "TaskRun")?,
        "customRunName" => name(case, "CustomRun")?,
        "taskRunNames" => all_names(case, "TaskRun")?,
        "customRunNames" => all_names(case, "CustomRun")?,
        "childPipelineRunNames" => all_names(case, "PipelineRun")?,
        "affinityAssistantName" => {
            json!({ "name": affinity::assistant_name(text(case, "pipelineWorkspace"), text(case, "pipelineRun")) })
        }
        "affinityAssistantAnnotation" => {
            let (workspace, run) = (text(case, "pipelineWorkspace"), text(case, "pipelineRun"));
            json!({ "value": affinity::annotation(behavior(case)?, workspace, run) })
        }
        "sanitizeVolumeName" => json!({ "name": affinity::volume_name(text(case, "name")) }),
        "pvcName" => {
            let (claim, workspace) = (text(case, "claimName"), text(case, "workspaceName"));
            json!({ "name": claim::named(claim, workspace, text(case, "ownerUID")) })
        }
        "pvcNameWithAffinityAssistant" => {
            let workspace: WorkspaceBinding = field(case, "workspace")?;
            let name = claim::claim_name(&workspace, text(case, "ownerUID"));
            let (workspace, run) = (text(case, "pipelineWorkspace"), text(case, "pipelineRun"));
            json!({ "name": affinity::claim_of_stateful_set(&name, workspace, run) })
        }
        "cancelPipelineRun" => return step(case, Step::Cancel),
        "gracefullyCancelPipelineRun" => return step(case, Step::CancelGracefully),
        "timeoutPipelineRun" => return step(case, Step::TimeOut),
        "createAffinityAssistantsAndPVCs" => return step(case, Step::SetUpWorkspaces),
        "cleanupAffinityAssistantsAndPVCs" => return step(case, Step::CleanUpWorkspaces),
        "createPVCFromVolumeClaimTemplate" => return claim_from_template(case),
        "purgeFinalizerAndDeletePVC" => return claim_deleted(case),
        "affinityAssistantStatefulSet" => {
            let run: PipelineRun = field(case, "pipelineRun")?;
            // Read by type, because our type writes the kinds of claim templates that Go leaves out.
            let recorded = StatefulSet::deserialize(&case.expect["statefulSet"]).map_err(|e| e.to_string())?;
            let mut expected = json!(recorded);
            as_submitted(&mut expected);
            let mut ours = json!(stateful_set(case, &run)?);
            as_submitted(&mut ours);
            let (expected, ours) = (json!({ "set": expected }), json!({ "set": ours }));
            return diff::equal(&reconcile::tidy(&expected), &reconcile::tidy(&ours));
        }
        "affinityAssistantAffinity" => {
            let mut run = PipelineRun::default();
            run.spec.task_run_template.pod_template = field(case, "podTemplate")?;
            let set = stateful_set(case, &run)?;
            json!({ "affinity": set.spec.template.spec.and_then(|spec| spec.affinity) })
        }
        other => children(case, other)?,
    };
    compare(case, ours)
}

fn children(case: &Case, op: &str) -> Result<Value, String> {
    let mut run: PipelineRun = match &case.input["pipelineRun"] {
        Value::Object(_) => field(case, "pipelineRun")?,
        _ => PipelineRun::default(),
    };
    let task = || field::<PipelineTask>(case, "pipelineTask");
    Ok(match op {
        "childLabels" => {
            if case.input["includePipelineRunLabels"] == json!(false) {
                run.metadata.labels = None;
            }
            json!({ "labels": part::labels_of_child(&run, text(case, "pipelineTask")) })
        }
        "childAnnotations" => {
            run.metadata.annotations = field(case, "annotations")?;
            json!({ "annotations": part::annotations_of_child(&run) })
        }
        "taskRunLabels" => json!({ "labels": part::metadata_of_task_run(&run, &task()?).0 }),
        "taskRunAnnotations" => json!({ "annotations": part::metadata_of_task_run(&run, &task()?).1 }),
        "memberOf" => {
            run.status.pipeline_spec = field(case, "pipelineSpec")?;
            let labels = part::labels_of_child(&run, text(case, "name"));
            json!({ "value": labels.get(tekton_contract::labels::MEMBER_OF) })
        }
        "pipelineNameLabel" => {
            let error = part::name_pipeline(&mut run).err().map(|fault| fault.text);
            json!({ "labels": run.metadata.labels, "error": error })
        }
        "taskRunWorkspaces" | "childPipelineRunWorkspaces" => workspaces(case, &run)?,
        "taskWorkspace" => {
            run.metadata.name = Some(text(case, "pipelineRun").to_owned());
            run.metadata.uid = case.input["ownerReference"]["uid"].as_str().map(str::to_owned);
            let wanted = WorkspacePipelineTaskBinding {
                name: text(case, "taskWorkspace").to_owned(),
                workspace: text(case, "pipelineWorkspace").to_owned(),
                sub_path: text(case, "subPath").to_owned(),
            };
            let binding: WorkspaceBinding = field(case, "workspace")?;
            json!({ "workspace": part::workspace_of_child(&run, &binding, &wanted, behavior(case)?) })
        }
        "combinedSubPath" => {
            let binding =
                WorkspaceBinding { sub_path: text(case, "workspaceSubPath").to_owned(), ..WorkspaceBinding::default() };
            let wanted = WorkspacePipelineTaskBinding {
                sub_path: text(case, "taskSubPath").to_owned(),
                ..WorkspacePipelineTaskBinding::default()
            };
            json!({ "subPath": part::workspace_of_child(&run, &binding, &wanted, Behavior::Disabled).sub_path })
        }
        "taskTimeout" => {
            run.spec.timeouts = field(case, "timeouts")?;
            let is_finally = case.input["finally"] == json!(true);
            json!({ "timeout": part::timeout_of_task_run(&run, is_finally, &config(case)?) })
        }
        "updateChildReferences" => {
            let (pipelines, tasks): (Vec<_>, Vec<_>) = (field(case, "childPipelineRuns")?, field(case, "taskRuns")?);
            // An unknown kind is another function's error.
            let _ = part::recover_children(&mut run, &pipelines, &tasks, &field::<Vec<_>>(case, "customRuns")?);
            json!({ "childReferences": run.status.child_references })
        }
        "validateChildReferences" => {
            run.status.child_references = field(case, "childReferences")?;
            let error = part::recover_children(&mut run, &[], &[], &[]).err().map(|fault| fault.text);
            json!({ "error": error })
        }
        "storePipelineSpecAndMergeMeta" => {
            let resolved = &case.input["resolvedMeta"];
            part::store_definition(
                &mut run,
                typed(&resolved["metadata"])?,
                field(case, "pipelineSpec")?,
                typed(&resolved["refSource"])?,
                &config(case)?,
            );
            let mut ours = json!(run);
            if case.input["pipelineRun"]["kind"].is_null()
                && let Some(ours) = ours.as_object_mut()
            {
                ours.remove("kind");
                ours.remove("apiVersion");
            }
            json!({ "pipelineRun": ours })
        }
        "childObjects" => {
            let references: Vec<ChildStatusReference> = field(case, "childReferences")?;
            let tasks: Vec<String> = field(case, "tasks")?;
            let (mut task_runs, mut custom_runs, error) = part::child_objects(&references, &tasks);
            task_runs.sort_unstable();
            custom_runs.sort_unstable();
            json!({ "taskRuns": task_runs, "customRuns": custom_runs, "error": error })
        }
        other => return Err(format!("unknown op {other:?}")),
    })
}

fn workspaces(case: &Case, run: &PipelineRun) -> Result<Value, String> {
    let mut recorded: RecordedTask = field(case, "task")?;
    if op(case) == "childPipelineRunWorkspaces"
        && let Some(task) = &mut recorded.pipeline_task
    {
        task.pipeline_spec.get_or_insert_default();
    }
    Ok(match part::workspaces_of_child(run, &recorded.resolved(), &config(case)?) {
        Ok((workspaces, claim)) => {
            let claim = if op(case) == "taskRunWorkspaces" { json!(claim) } else { Value::Null };
            json!({ "workspaces": workspaces, "pvcWorkspace": claim })
        }
        Err(fault) => json!({ "error": fault.text, "permanent": fault.class == Class::Permanent }),
    })
}

fn behavior(case: &Case) -> Result<Behavior, String> {
    let name = text(case, "behavior");
    let all =
        [Behavior::Disabled, Behavior::PerWorkspace, Behavior::PerPipelineRun, Behavior::PerPipelineRunWithIsolation];
    all.into_iter().find(|behavior| behavior.as_str() == name).ok_or_else(|| format!("unknown behavior {name:?}"))
}

fn config(case: &Case) -> Result<Config, String> {
    let mut maps: BTreeMap<String, BTreeMap<String, String>> = field(case, "config")?;
    // Go's zero value of a flag is not what its config map could hold.
    for map in maps.values_mut() {
        map.retain(|_, value| !value.is_empty());
    }
    // Upstream's tests hand over flags that no config map could hold.
    let coschedule = maps.get_mut("feature-flags").and_then(|map| map.remove("coschedule"));
    let mut config =
        Config::from_config_maps(maps.iter().map(|(name, map)| (name.as_str(), map))).map_err(|e| e.to_string())?;
    if let Some(coschedule) = coschedule {
        config.feature_flags.coschedule = coschedule;
    }
    Ok(config)
}

fn stateful_set(case: &Case, run: &PipelineRun) -> Result<StatefulSet, String> {
    let owner = OwnerReference {
        api_version: "tekton.dev/v1".to_owned(),
        kind: "PipelineRun".to_owned(),
        name: run.metadata.name.clone().unwrap_or_default(),
        uid: run.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    };
    let template = &run.spec.task_run_template;
    let served = affinity::Run {
        owner: &owner,
        labels: run.metadata.labels.as_ref(),
        pod_template: template.pod_template.as_ref(),
        service_account: &template.service_account_name,
    };
    let (claims, claim_templates): (Vec<String>, Vec<_>) = (field(case, "claimNames")?, field(case, "claimTemplates")?);
    let default_template: Option<AffinityAssistantTemplate> = field(case, "defaultTemplate")?;
    let is = |name: &str| case.input[name] == json!(true);
    let assistant = affinity::Assistant {
        name: text(case, "name"),
        behavior: behavior(case)?,
        claim_templates,
        claims: &claims,
        image: text(case, "image"),
        security: SecurityContextConfig {
            set_security_context: is("setSecurityContext"),
            set_read_only_root_filesystem: is("setReadOnlyRootFilesystem"),
        },
        default_template: default_template.as_ref(),
    };
    Ok(affinity::stateful_set(&served, assistant))
}

/// A claim of one workspace is made as those of a run are that has this workspace only and shares no node.
fn claim_from_template(case: &Case) -> Result<(), String> {
    let owner = &case.input["ownerReference"];
    let mut whole = case.clone();
    whole.input["behavior"] = json!("AffinityAssistantDisabled");
    whole.input["pipelineRun"] = json!({
        "metadata": { "name": owner["name"], "uid": owner["uid"], "namespace": case.input["namespace"] },
        "spec": { "workspaces": [case.input["workspace"]] },
    });
    for call in whole.expect["created"].as_array_mut().into_iter().flatten() {
        let recorded = &mut call["object"]["metadata"]["ownerReferences"][0];
        *recorded = json!({
            "apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "name": owner["name"], "uid": owner["uid"],
            "controller": true, "blockOwnerDeletion": true,
        });
    }
    step(&whole, Step::SetUpWorkspaces)
}

/// One claim that goes away; the run that it was made for does not matter.
fn claim_deleted(case: &Case) -> Result<(), String> {
    let mut whole = case.clone();
    whole.input["pipelineRun"] = json!({ "metadata": { "name": "run", "namespace": case.input["namespace"] } });
    let name = text(case, "name");
    let (done, _) = pass(&whole, |snapshot, env| part::delete_claim(name, snapshot, env))?;
    compare(case, json!({ "error": done.fault.map(|(text, _)| text) }))
}

/// Runs one part of a pass in a world of the recorded objects.
fn step(case: &Case, step: Step) -> Result<(), String> {
    let (done, after) = pass(case, |snapshot, env| part::decide(step, snapshot, env))?;
    let expect = &case.expect;
    let sorted_calls = |name: &str| reconcile::sorted(reconcile::expected_calls(&expect[name]));
    let mut expected = json!({
        "created": reconcile::expected_created(&expect["created"]),
        "patched": sorted_calls("patched"),
        "deleted": sorted_calls("deleted"),
        "error": expect["error"],
    });
    let mut ours = json!({
        "created": reconcile::our_created(&done),
        "patched": reconcile::our_patched(&done),
        "deleted": reconcile::our_deleted(&done),
        "error": done.fault.map(|(text, _)| text),
    });
    if !expect["status"].is_null() {
        expected["status"] = expect["status"].clone();
        ours["status"] = json!({ "conditions": after.conditions, "completionTime": after.completion_time });
    }
    for side in [&mut expected, &mut ours] {
        for call in side["created"].as_array_mut().into_iter().flatten() {
            as_submitted(&mut call["object"]);
        }
    }
    // Upstream's fake client patches what it has deleted.
    for call in ours["patched"].as_array_mut().into_iter().flatten() {
        let gone = call["error"].as_str().is_some_and(|error| error.ends_with("not found"));
        if gone && call["resource"] == json!("persistentvolumeclaims") {
            call["error"] = Value::Null;
        }
    }
    diff::equal(&reconcile::tidy(&expected), &reconcile::tidy(&ours))
}

/// Lets `decide` decide in a world of the recorded objects: what was done, and the status afterwards.
fn pass(
    case: &Case,
    decide: impl Fn(&Snapshot<'_, PipelineRun>, &Env<'_>) -> Decision<PipelineRunStatus>,
) -> Result<(Done, PipelineRunStatus), String> {
    let mut input = case.input.clone();
    if input["now"].is_null() {
        input["now"] = json!("2022-01-01T00:00:00Z");
    }
    if input["config"].is_null() {
        input["config"] = json!({});
    }
    let coschedule = match text(case, "behavior") {
        "AffinityAssistantDisabled" => Some("disabled"),
        "AffinityAssistantPerWorkspace" => Some("workspaces"),
        "AffinityAssistantPerPipelineRun" => Some("pipelineruns"),
        "AffinityAssistantPerPipelineRunWithIsolation" => Some("isolate-pipelinerun"),
        _ => None,
    };
    if let Some(coschedule) = coschedule {
        input["config"]["feature-flags"]["coschedule"] = json!(coschedule);
    }
    let mut world = reconcile::world(&input)?;
    let run: PipelineRun = field(case, "pipelineRun")?;
    let (namespace, name) = (run.metadata.namespace.clone(), run.metadata.name.clone());
    let (namespace, name) = (namespace.unwrap_or_default(), name.unwrap_or_default());
    world.put(run.into_object());
    let done = world.pass_with::<PipelineRun>(&namespace, &name, decide).unwrap_or_default();
    let after = world.get::<PipelineRun>(&namespace, &name).map(|run| run.status.clone()).unwrap_or_default();
    Ok((done, after))
}

/// Leaves out what Go's fake client does not write: the namespace that the call names, and an empty status.
fn as_submitted(object: &mut Value) {
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("namespace");
    }
}

fn text<'c>(case: &'c Case, name: &str) -> &'c str {
    case.input[name].as_str().unwrap_or_default()
}

fn name(case: &Case, kind: &str) -> Result<Value, String> {
    let references: Vec<ChildStatusReference> = field(case, "childReferences")?;
    Ok(json!({ "name": run_name(&references, kind, text(case, "pipelineTask"), text(case, "pipelineRun")) }))
}

fn all_names(case: &Case, kind: &str) -> Result<Value, String> {
    let references: Vec<ChildStatusReference> = field(case, "childReferences")?;
    let count = case.input["count"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
    let (task, parent) = (text(case, "pipelineTask"), text(case, "pipelineRun"));
    Ok(json!({ "names": run_names(&references, kind, task, parent, count) }))
}
