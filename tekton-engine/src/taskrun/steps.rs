//! Steps that refer to StepActions: fetched, checked against their parameters, and put in place.

use std::collections::BTreeMap;

use tekton_types::defaults::SetDefaults;
use tekton_types::substitute::{self, Accepts};
use tekton_types::v1::{Provenance, Ref, RefSource, Step, StepState, TaskRun, TaskSpec};
use tekton_types::v1beta1::StepAction;
use tekton_validate::binding;

use crate::definition::{self, Definition};
use crate::owner;
use crate::pass::{Pass, Stop};
use crate::refs::{RefFault, Request};
use crate::scope::task as scope;

/// The steps as they are run. Each of them gets a state in the status that says where it came from.
pub(super) fn resolve(
    pass: &mut Pass<'_>,
    run: &mut TaskRun,
    spec: &TaskSpec,
) -> Result<Result<Vec<Step>, RefFault>, Stop> {
    let mut resolved: Vec<(Step, Option<RefSource>)> = Vec::with_capacity(spec.steps.len());
    let mut waiting = false;
    let mut failed = None;
    // All references are asked for in the same round, also when one of them cannot be had yet.
    for (index, step) in spec.steps.iter().enumerate() {
        if step.r#ref.is_none() {
            resolved.push((step.clone(), None));
            continue;
        }
        match resolve_step(pass, run, spec, step) {
            Ok(Ok(pair)) => resolved.push(pair),
            Ok(Err(fault)) => {
                let words = format!("failed to resolve step ref for step {:?} (index {index}): ", step.name);
                failed.get_or_insert(fault.context(&words));
            }
            Err(Stop::Wait) => waiting = true,
            Err(stop) => return Err(stop),
        }
    }
    if waiting {
        return Err(Stop::Wait);
    }
    if let Some(fault) = failed {
        return Ok(Err(fault));
    }
    let states: BTreeMap<String, usize> =
        run.status.steps.iter().enumerate().map(|(index, state)| (state.name.clone(), index)).collect();
    let mut steps = Vec::with_capacity(resolved.len());
    for (index, (step, source)) in resolved.into_iter().enumerate() {
        if let Some(state) = states.get(&step.name) {
            run.status.steps[*state].provenance.get_or_insert_with(Provenance::default).ref_source = source;
        } else {
            let name = if step.name.is_empty() { format!("unnamed-{index}") } else { step.name.clone() };
            // Upstream does not find the state of a step without a name, and adds another in each pass until the Pod has
            // containers. Here a run comes to rest: no pass adds a fourth.
            if run.status.steps.iter().filter(|state| state.name == name).nth(2).is_none() {
                let provenance = Some(Provenance { ref_source: source, ..Provenance::default() });
                run.status.steps.push(StepState { name, provenance, ..StepState::default() });
            }
        }
        steps.push(step);
    }
    Ok(Ok(steps))
}

fn resolve_step(
    pass: &mut Pass<'_>,
    run: &TaskRun,
    spec: &TaskSpec,
    step: &Step,
) -> Result<Result<(Step, Option<RefSource>), RefFault>, Stop> {
    let Some(reference) = &step.r#ref else { return Ok(Ok((step.clone(), None))) };
    let Definition { object, source, .. } = match fetch(pass, run, spec, reference)? {
        Ok(found) => found,
        Err(fault) => return Ok(Err(fault)),
    };
    let mut action = object.spec;
    action.set_defaults(pass.env.config);
    if let Err(fault) = binding::step_action_parameters(&step.params, &action.params) {
        return Ok(Err(RefFault::Failed(fault.to_string())));
    }
    let mut body = Step {
        image: action.image,
        command: action.command,
        args: action.args,
        working_dir: action.working_dir,
        script: action.script,
        env: action.env,
        volume_mounts: action.volume_mounts,
        security_context: action.security_context,
        results: action.results,
        ..Step::default()
    };
    if let Err(fault) = scope::apply_step_action(&mut body, spec, run, &step.params, &action.params) {
        return Ok(Err(RefFault::Failed(fault.to_string())));
    }
    Ok(Ok((merge(step, body), source)))
}

/// The StepAction that a step refers to: from the cluster, or through a resolver.
pub(super) fn fetch(
    pass: &mut Pass<'_>,
    run: &TaskRun,
    spec: &TaskSpec,
    reference: &Ref,
) -> Result<Result<Definition<StepAction>, RefFault>, Stop> {
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    if reference.resolver.is_empty() {
        return definition::local::<StepAction>(pass, &namespace, &reference.name);
    }
    let mut params = reference.params.clone();
    substitute::params(&mut params, &scope::params(&spec.params, &run.spec.params), Accepts::Objects);
    let request = Request {
        resolver: &reference.resolver,
        owner: owner::controller_of(run),
        namespace: &namespace,
        name: run.metadata.name.as_deref().unwrap_or_default(),
        params,
        url: reference.name.clone(),
    };
    definition::remote::<StepAction>(pass, request, "")
}

/// Puts the body of a StepAction into the step that refers to it.
fn merge(step: &Step, body: Step) -> Step {
    fn set<T>(own: &mut Vec<T>, other: Vec<T>) {
        if !other.is_empty() {
            *own = other;
        }
    }
    let mut merged = step.clone();
    merged.image = body.image;
    merged.security_context = body.security_context;
    merged.working_dir = body.working_dir;
    set(&mut merged.command, body.command);
    set(&mut merged.args, body.args);
    set(&mut merged.env, body.env);
    set(&mut merged.volume_mounts, body.volume_mounts);
    set(&mut merged.results, body.results);
    if !body.script.is_empty() {
        merged.script = body.script;
    }
    merged.r#ref = None;
    merged.params = Vec::new();
    merged
}
