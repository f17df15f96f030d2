//! Decides what a PipelineRun does next.
//!
//! The order of the checks is upstream's, because it can be observed: long overdue, done, start, cancelled, children,
//! pending, definition, graph and binding checks, substitution, task definitions, guards, first start, deadlines, plan,
//! condition, results.

mod assistant;
mod bind;
mod cancel;
mod checks;
mod children;
mod find;
mod labels;
pub(crate) mod life;
pub mod part;
mod resolve;
mod schedule;
mod start;
mod task_definition;
mod workspaces;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_contract::labels as keys;
use tekton_dag::deadline::Deadlines;
use tekton_types::defaults::SetDefaults;
use tekton_types::reason::pipelinerun as reasons;
use tekton_types::v1::{ChildStatusReference, PipelineRun, PipelineRunStatus, PipelineSpec, pipelinerun_spec_status};

use crate::decision::{Class, Decision};
use crate::explain;
use crate::finish::{emit, finish};
use crate::object::Kind;
use crate::pass::{Pass, Stop};
use crate::run::{Env, Run, Snapshot};
use crate::span;
use children::Children;

impl Run for PipelineRun {
    type Status = PipelineRunStatus;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn status(&self) -> &PipelineRunStatus {
        &self.status
    }

    fn status_mut(&mut self) -> &mut PipelineRunStatus {
        &mut self.status
    }

    fn managed_by(&self) -> &str {
        self.spec.managed_by.as_deref().unwrap_or_default()
    }

    fn decide(snapshot: &Snapshot<'_, Self>, env: &Env<'_>) -> Decision<PipelineRunStatus> {
        let mut pass = Pass::new(env, snapshot.facts);
        let frozen = snapshot.run.status.pipeline_spec.as_ref();
        let mut run = without_definition(snapshot.run);
        let end = reconcile(&mut pass, &mut run, frozen);
        // What only waits is provisional.
        if !matches!(end, Err(Stop::Wait)) {
            // A pass that ended before it came to the definition leaves it as it was.
            if run.status.pipeline_spec.is_none() {
                run.status.pipeline_spec = frozen.cloned();
            }
            pass.notes.extend(explain::pipeline_run_note(&run, env.now));
        }
        let deadline = match &end {
            Err(Stop::Fault(_)) => next_deadline(&run, env).or_else(|| last_deadline(&run, env)),
            _ => None,
        };
        let mut decision = finish(pass, snapshot.run, run, end);
        // What went wrong in this pass does not let the run live longer.
        decision.wake_at = decision.wake_at.or(deadline);
        decision
    }
}

/// When the run has to be looked at next because of the time; a deadline that has passed was acted on.
fn next_deadline(run: &PipelineRun, env: &Env<'_>) -> Option<Timestamp> {
    if run.spec.status == pipelinerun_spec_status::CANCELLED || life::is_done(run) {
        return None;
    }
    Deadlines::of(run, life::default_timeout(env.config), env.now).next()
}

/// When the run ends whatever goes wrong in its passes.
fn last_deadline(run: &PipelineRun, env: &Env<'_>) -> Option<Timestamp> {
    if life::is_done(run) {
        return None;
    }
    Deadlines::of(run, life::default_timeout(env.config), env.now).pipeline_long_passes().filter(|at| *at > env.now)
}

/// A copy of the run without the definition in its status, which is by far the largest part.
fn without_definition(run: &PipelineRun) -> PipelineRun {
    let PipelineRunStatus {
        observed_generation,
        conditions,
        annotations,
        start_time,
        completion_time,
        results,
        pipeline_spec: _,
        skipped_tasks,
        child_references,
        finally_start_time,
        provenance,
        span_context,
    } = &run.status;
    PipelineRun {
        metadata: run.metadata.clone(),
        spec: run.spec.clone(),
        status: PipelineRunStatus {
            observed_generation: *observed_generation,
            conditions: conditions.clone(),
            annotations: annotations.clone(),
            start_time: start_time.clone(),
            completion_time: completion_time.clone(),
            results: results.clone(),
            pipeline_spec: None,
            skipped_tasks: skipped_tasks.clone(),
            child_references: child_references.clone(),
            finally_start_time: finally_start_time.clone(),
            provenance: provenance.clone(),
            span_context: span_context.clone(),
        },
    }
}

/// `frozen` is the definition in the status as it is stored; that of `run` is set once it is known.
fn reconcile(pass: &mut Pass<'_>, run: &mut PipelineRun, frozen: Option<&PipelineSpec>) -> Result<(), Stop> {
    span::take_over(&mut run.status.span_context, &run.metadata, keys::PIPELINE_RUN_SPAN_CONTEXT);
    let now = pass.now();
    let default = life::default_timeout(pass.env.config);
    let mut before = life::succeeded(run).cloned();
    let overdue = Deadlines::of(run, default, now).pipeline_long_passed();
    if !life::is_done(run) && overdue && !life::is_timed_out(run) {
        // What could not be stopped in all that time will not be stopped now; ending keeps the request small.
        cancel::time_out(pass, run)?;
        emit(pass, before.as_ref(), life::succeeded(run));
        return Err(Stop::permanent("PipelineRun has timed out for a long time"));
    }
    if life::is_done(run) {
        let end = assistant::clean_up(pass, run);
        if !matches!(end, Err(Stop::Wait)) {
            emit(pass, before.as_ref(), life::succeeded(run));
        }
        return end;
    }
    if run.status.start_time.is_none() && !life::is_pending(run) {
        life::start(run, now);
        emit(pass, None, life::succeeded(run));
        before = life::succeeded(run).cloned();
    }
    let mut end = live(pass, run, frozen);
    if matches!(end, Err(Stop::Wait)) {
        return end;
    }
    let cancelled = run.spec.status == pipelinerun_spec_status::CANCELLED;
    if life::is_done(run) && !cancelled {
        end = joined(end, assistant::clean_up(pass, run));
        if matches!(end, Err(Stop::Wait)) {
            return end;
        }
    }
    emit(pass, before.as_ref(), life::succeeded(run));
    end?;
    match next_deadline(run, &pass.env) {
        Some(at) => Err(Stop::After(at.duration_since(now))),
        None => Ok(()),
    }
}

/// Two ends of one pass: what went wrong in either is told.
fn joined(first: Result<(), Stop>, second: Result<(), Stop>) -> Result<(), Stop> {
    match (first, second) {
        (_, Err(Stop::Wait)) => Err(Stop::Wait),
        (Err(Stop::Fault(mut a)), Err(Stop::Fault(b))) => {
            a.text = format!("{}\n{}", a.text, b.text);
            if b.class == Class::Permanent {
                a.class = Class::Permanent;
            }
            Err(Stop::Fault(a))
        }
        (Ok(()), second) => second,
        (first, _) => first,
    }
}

/// The pass over a run that is not done.
fn live(pass: &mut Pass<'_>, run: &mut PipelineRun, frozen: Option<&PipelineSpec>) -> Result<(), Stop> {
    labels::name_pipeline(run)?;
    let children = Children::list(pass, run)?;
    let listed = run.status.child_references.clone();
    let recovered = children.recover(run);
    if run.spec.status == pipelinerun_spec_status::CANCELLED {
        // Upstream cancels what the status lists; a child that was created just before a crash would live on. Child
        // pipelines cannot be cancelled: one that is not listed must not keep the run from ending.
        let is_listed = |child: &ChildStatusReference| listed.iter().any(|other| other.name == child.name);
        run.status.child_references.retain(|child| child.kind != Kind::PipelineRun.as_str() || is_listed(child));
        if run.status.child_references.len() == listed.len() {
            run.status.child_references = listed;
        }
        return cancel::cancel(pass, run);
    }
    let none_found = children.is_empty().then(|| run.status.child_references.clone());
    let end = match recovered {
        Ok(()) => go_on(pass, run, frozen, &children),
        Err(stop) => Err(stop),
    };
    // Upstream puts the references in order once it finds a child, and writes them anew at the end of a full pass.
    if (end.is_err() || life::is_pending(run)) && none_found.is_some_and(|none| none == run.status.child_references) {
        run.status.child_references = listed;
    }
    end
}

/// The pass over a run that is neither done nor cancelled.
fn go_on<'a>(
    pass: &mut Pass<'a>,
    run: &mut PipelineRun,
    frozen: Option<&PipelineSpec>,
    children: &Children<'a>,
) -> Result<(), Stop> {
    run.set_defaults(pass.env.config);
    if life::is_pending(run) {
        let message = format!(
            "PipelineRun {} is pending",
            tekton_dag::graph::quote(run.metadata.name.as_deref().unwrap_or_default())
        );
        life::mark_running(&mut run.status, reasons::PENDING, message, pass.now());
        return Ok(());
    }
    let bound = bind::bind(pass, run, frozen)?;
    let end = schedule::schedule(pass, run, &bound, children);
    run.status.pipeline_spec = Some(bound.spec);
    end
}
