//! The Pod of a TaskRun that has none: what it is built from, and how the world takes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::{LimitRange, Pod, Secret, ServiceAccount, Volume};
use tekton_contract::labels;
use tekton_podgen::{Fact, claim, credentials, workspace};
use tekton_types::reason::{pod as pod_reasons, taskrun as reasons};
use tekton_types::v1::{TaskRun, TaskSpec};
use tekton_validate::part::{Part, validate_part};
use tekton_validate::{Version, field_error};

use super::life;
use crate::effect::ApiFault;
use crate::facts::{Need, Value};
use crate::owner;
use crate::pass::{Pass, Stop};
use crate::pvc;
use crate::scope::task as scope;

/// Has the claims of the run's templates created, and binds the workspaces to them.
pub(super) fn claim_volumes(pass: &mut Pass<'_>, run: &mut TaskRun) -> Result<(), Stop> {
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let owner = owner::controller_of(run);
    for binding in &run.spec.workspaces {
        if let Err(fault) = pvc::ensure(pass, binding, &owner, &namespace)? {
            let text = format!(
                "failed to create PVC for TaskRun {namespace}/{} workspaces correctly: {}",
                run.metadata.name.as_deref().unwrap_or_default(),
                fault.text
            );
            life::mark_failed(&mut run.status, pvc::COULDNT_CREATE, text, pass.now());
            return Err(Stop::permanent(fault.text));
        }
    }
    for binding in &mut run.spec.workspaces {
        if binding.volume_claim_template.is_some() {
            let claim = claim::claim_name(binding, &owner.uid);
            let (name, sub_path) = (std::mem::take(&mut binding.name), std::mem::take(&mut binding.sub_path));
            *binding = claim::binding(name, sub_path, claim);
        }
    }
    Ok(())
}

/// Builds the Pod and has it created. `None` when the run has to wait for a better time.
pub(super) fn create<'a>(
    pass: &mut Pass<'a>,
    run: &mut TaskRun,
    spec: TaskSpec,
    volumes: &BTreeMap<String, Volume>,
) -> Result<Option<&'a Arc<Pod>>, Stop> {
    let pod = match build(pass, run, spec, volumes)? {
        Ok(pod) => pod,
        Err(fault) => return Err(creation_failed(pass, run, &fault)),
    };
    let name = pod.metadata.name.clone().unwrap_or_default();
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    match pass.create(pod)? {
        Ok(created) => {
            if overwrites_affinity(run) {
                pass.warn(
                    "PodAffinityOverwrite",
                    format!("Pod template affinity is overwritten by affinity assistant for pod {name:?}"),
                );
            }
            Ok(Some(created))
        }
        Err(fault) => {
            if fault.is_already_exists()
                && let Ok(pod) = pass.object::<Pod>(&namespace, &name)?
            {
                return Ok(Some(pod));
            }
            let fault = fault.clone();
            Err(creation_failed(pass, run, &fault))
        }
    }
}

fn build(
    pass: &mut Pass<'_>,
    run: &TaskRun,
    mut spec: TaskSpec,
    volumes: &BTreeMap<String, Volume>,
) -> Result<Result<Pod, ApiFault>, Stop> {
    let refused = |text: String| Ok(Err(ApiFault { text, ..ApiFault::default() }));
    for part in [Part::UsageOfDeclaredParameters(&spec.steps, &spec.params), Part::TaskSpec(&spec)] {
        let found = validate_part(part, pass.env.config, Version::V1);
        if !found.is_empty() {
            return refused(field_error(&found));
        }
    }
    workspace::apply(&mut spec, &run.spec.workspaces, volumes);
    scope::apply_credentials_path(&mut spec, scope::CREDENTIALS_PATH);
    let mut templated = run.clone();
    if let Some(template) = &mut templated.spec.pod_template {
        scope::apply_pod_template(template, run, &spec.params);
    }
    let facts = match gather(pass, &templated, &spec)? {
        Ok(facts) => facts,
        Err(fault) => return Ok(Err(fault)),
    };
    let missing = credentials::missing(&run.spec.service_account_name, &facts);
    if !missing.is_empty() && !pass.env.config.feature_flags.disable_creds_init {
        pass.warn(credentials::FAILED_TO_RETRIEVE_SECRET, credentials::missing_message(&missing));
    }
    let input = tekton_podgen::Input { task_run: &templated, task_spec: &spec, facts: &facts };
    Ok(tekton_podgen::build(&input, &options(pass))
        .map_err(|fault| ApiFault { text: format!("translating TaskSpec to Pod: {fault}"), ..ApiFault::default() }))
}

fn options<'a>(pass: &Pass<'a>) -> tekton_podgen::Options<'a> {
    let env = pass.env;
    tekton_podgen::Options {
        config: env.config,
        images: &env.cluster.images,
        release: &env.cluster.release,
        suffixes: env.cluster.suffixes.clone(),
        transform: true,
    }
}

/// Everything that building the Pod asks for.
fn gather(pass: &mut Pass<'_>, run: &TaskRun, spec: &TaskSpec) -> Result<Result<tekton_podgen::Facts, ApiFault>, Stop> {
    use tekton_podgen::Need as PodNeed;
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let mut facts = tekton_podgen::Facts::default();
    loop {
        let input = tekton_podgen::Input { task_run: run, task_spec: spec, facts: &facts };
        let needs = tekton_podgen::needs(&input, &options(pass));
        if needs.is_empty() {
            return Ok(Ok(facts));
        }
        let mut waiting = false;
        for need in needs {
            let answered = match need {
                PodNeed::ServiceAccount(name) => pass.object::<ServiceAccount>(&namespace, &name).map(|found| {
                    facts.service_accounts.insert(name, known(found));
                }),
                PodNeed::Secret(name) => pass.object::<Secret>(&namespace, &name).map(|found| {
                    facts.secrets.insert(name, known(found));
                }),
                PodNeed::Image(lookup) => {
                    let need = image_need(run, &namespace, &lookup);
                    pass.fetch(need).map(|found| {
                        let fact = match found {
                            Ok(Value::Image(image)) => Fact::Known(image.clone()),
                            Ok(_) => Fact::Missing,
                            Err(fault) => Fact::Denied(fault.text.clone()),
                        };
                        facts.images.insert(lookup.image, fact);
                    })
                }
                PodNeed::ServerVersion => pass.fetch(Need::ServerVersion).map(|found| {
                    facts.server_version = Some(match found {
                        Ok(Value::Version(version)) => Fact::Known(version.clone()),
                        Ok(_) => Fact::Missing,
                        Err(fault) => Fact::Denied(fault.text.clone()),
                    });
                }),
                PodNeed::LimitRanges => pass.list::<LimitRange>(&namespace, BTreeMap::new()).map(|found| {
                    facts.limit_ranges = Some(match found {
                        Ok(list) => Fact::Known(list.iter().map(|range| (***range).clone()).collect()),
                        Err(fault) => Fact::Denied(fault.text.clone()),
                    });
                }),
                other => return Err(Stop::transient(format!("{other:?} is not known to the engine"))),
            };
            match answered {
                Ok(()) => {}
                Err(Stop::Wait) => waiting = true,
                Err(stop) => return Err(stop),
            }
        }
        if waiting {
            return Err(Stop::Wait);
        }
    }
}

fn known<T: Clone>(found: Result<&Arc<T>, &ApiFault>) -> Fact<T> {
    match found {
        Ok(object) => Fact::Known((**object).clone()),
        Err(fault) if fault.is_not_found() => Fact::Missing,
        Err(fault) => Fact::Denied(fault.text.clone()),
    }
}

fn image_need(run: &TaskRun, namespace: &str, lookup: &tekton_podgen::ImageLookup) -> Need {
    let template = run.spec.pod_template.as_ref();
    Need::Image {
        image: lookup.image.clone(),
        has_args: lookup.has_args,
        namespace: namespace.to_owned(),
        service_account: run.spec.service_account_name.clone(),
        pull_secrets: template
            .map(|template| template.image_pull_secrets.iter().map(|secret| secret.name.clone()).collect())
            .unwrap_or_default(),
    }
}

/// Judges a Pod that could not be created.
fn creation_failed(pass: &Pass<'_>, run: &mut TaskRun, fault: &ApiFault) -> Stop {
    let now = pass.now();
    let text = fault.text.as_str();
    if fault.is_conflict() && fault.details_kind == "resourcequotas" {
        run.status.start_time = None;
        let message = "tried to create pod, but it failed with ResourceQuotaConflictError";
        life::mark_ongoing(&mut run.status, pod_reasons::POD_PENDING, message, now);
        return Stop::After(SignedDuration::from_secs(1));
    }
    if fault.is_forbidden() && text.contains("exceeded quota") {
        run.status.start_time = None;
        let message = format!("TaskRun Pod exceeded available resources: {text}");
        life::mark_ongoing(&mut run.status, pod_reasons::EXCEEDED_RESOURCE_QUOTA, message, now);
        return Stop::After(SignedDuration::from_mins(1));
    }
    if text.contains("TaskRun validation failed") {
        life::mark_failed(&mut run.status, reasons::FAILED_VALIDATION, text, now);
        return Stop::transient(text);
    }
    if fault.is_already_exists() {
        let message = "tried to create pod, but it already exists";
        life::mark_ongoing(&mut run.status, pod_reasons::POD_PENDING, message, now);
        return Stop::transient(text);
    }
    if fault.is_forbidden() && (text.contains("violates PodSecurity") || text.contains("security context constraint")) {
        life::mark_failed(&mut run.status, pod_reasons::POD_ADMISSION_FAILED, text, now);
        return Stop::transient(text);
    }
    let name = run.metadata.name.as_deref().unwrap_or_default();
    let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
    let hint = match &run.spec.task_ref {
        Some(reference) => format!("missing or invalid Task {namespace}/{}", reference.name),
        None => "invalid TaskSpec".to_owned(),
    };
    let message = format!("failed to create task run pod {name:?}: {text}. Maybe {hint}");
    life::mark_failed(&mut run.status, pod_reasons::POD_CREATION_FAILED, &message, now);
    Stop::permanent(message)
}

/// The affinity of the pod template gives way to that of an affinity assistant.
fn overwrites_affinity(run: &TaskRun) -> bool {
    let assistant = run.metadata.annotations.as_ref().and_then(|all| all.get(labels::AFFINITY_ASSISTANT));
    assistant.is_some_and(|name| !name.is_empty())
        && run.spec.pod_template.as_ref().is_some_and(|template| template.affinity.is_some())
}
