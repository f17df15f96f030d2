//! Decides what a TaskRun does next.
//!
//! The order of the checks is upstream's, because it can be observed: start, done, cancelled, pending, timed out, stuck
//! containers, definition, StepActions, binding, volumes, Pod, status.

mod create;
mod fail;
pub(crate) mod life;
pub mod lookup;
mod pod;
mod prepare;
mod progress;
mod sidecars;
mod steps;

pub(crate) use prepare::merge_metadata;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tekton_contract::labels;
use tekton_types::condition::Condition;
use tekton_types::reason::taskrun as reasons;
use tekton_types::v1::{TaskRun, TaskRunStatus};

use crate::decision::Decision;
use crate::explain;
use crate::finish::{emit, finish};
use crate::pass::{Pass, Stop};
use crate::run::{Env, Run, Snapshot};
use crate::span;

impl Run for TaskRun {
    type Status = TaskRunStatus;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }

    fn status(&self) -> &TaskRunStatus {
        &self.status
    }

    fn status_mut(&mut self) -> &mut TaskRunStatus {
        &mut self.status
    }

    fn managed_by(&self) -> &str {
        self.spec.managed_by.as_deref().unwrap_or_default()
    }

    fn may_wait(before: &TaskRunStatus, after: &TaskRunStatus) -> Option<SignedDuration> {
        progress::may_wait(before, after)
    }

    fn decide(snapshot: &Snapshot<'_, Self>, env: &Env<'_>) -> Decision<TaskRunStatus> {
        let mut pass = Pass::new(env, snapshot.facts);
        let mut run = snapshot.run.clone();
        let end = reconcile(&mut pass, &mut run);
        if !matches!(end, Err(Stop::Wait)) {
            pass.notes.extend(explain::task_run_notes(&run, env.now));
        }
        finish(pass, snapshot.run, run, end)
    }
}

fn reconcile(pass: &mut Pass<'_>, run: &mut TaskRun) -> Result<(), Stop> {
    let now = pass.now();
    let config = pass.env.config;
    if !life::is_done(run) {
        run.metadata
            .annotations
            .get_or_insert_default()
            .insert(labels::RELEASE.to_owned(), pass.env.cluster.release.clone());
    }
    span::take_over(&mut run.status.span_context, &run.metadata, labels::TASK_RUN_SPAN_CONTEXT);
    let before = life::succeeded(run).cloned();
    if run.status.start_time.is_none() && !life::is_pending(run) {
        life::start(run, now);
        emit(pass, None, life::succeeded(run));
    }
    if life::is_done(run) {
        fail::remove_unknown_pod(pass, run)?;
        let end = sidecars::stop(pass, run);
        if matches!(end, Ok(())) {
            conclude(pass, run, before.as_ref());
        }
        return end;
    }
    let name = run.metadata.name.clone().unwrap_or_default();
    if life::is_cancelled(run) {
        let message = format!("TaskRun {name:?} was cancelled. {}", run.spec.status_message);
        let message = fail::with_previous(before.as_ref(), message);
        let end = fail::fail(pass, run, reasons::CANCELLED, &message);
        return concluded(pass, run, before.as_ref(), end);
    }
    if life::is_pending(run) {
        life::mark_ongoing(&mut run.status, reasons::PENDING, format!("TaskRun {name:?} is pending"), now);
        conclude(pass, run, before.as_ref());
        return Ok(());
    }
    if life::has_timed_out(run, config, now) {
        pod::refresh_steps(pass, run)?;
        let message = format!("TaskRun {name:?} failed to finish within {:?}", life::timeout_text(run, config));
        let message = fail::with_previous(before.as_ref(), message);
        let end = fail::fail(pass, run, reasons::TIMED_OUT, &message);
        return concluded(pass, run, before.as_ref(), end);
    }
    if let Some((reason, message)) = fail::stuck_container(pass, run)? {
        let end = fail::fail(pass, run, reason, &message);
        return concluded(pass, run, before.as_ref(), end);
    }
    let task = match prepare::prepare(pass, run) {
        Ok(task) => task,
        Err(stop) => return concluded(pass, run, None, Err(stop)),
    };
    let before = life::succeeded(run).cloned();
    let end = pod::run(pass, run, &task);
    concluded(pass, run, before.as_ref(), end)?;
    if life::is_done(run) {
        return Ok(());
    }
    if let Some(start) = run.status.start_time.as_ref() {
        let timeout = life::timeout(run, config);
        if !timeout.is_zero() {
            return Err(Stop::After(timeout - now.duration_since(start.0)));
        }
    }
    Ok(())
}

/// Ends the pass: a failed attempt is archived when retries are left, and the change of the condition is told.
fn conclude(pass: &mut Pass<'_>, run: &mut TaskRun, before: Option<&Condition>) {
    let failed = life::succeeded(run).filter(|condition| condition.is_false());
    if let Some(failed) = failed
        && !life::is_cancelled(run)
        && life::has_retries_left(run)
    {
        let message = failed.message.clone();
        life::archive_attempt(&mut run.status, &message, pass.now());
    }
    life::keep_time(&mut run.status, before);
    emit(pass, before, life::succeeded(run));
}

/// [`conclude`], unless the pass only waits for a fact.
fn concluded(
    pass: &mut Pass<'_>,
    run: &mut TaskRun,
    before: Option<&Condition>,
    end: Result<(), Stop>,
) -> Result<(), Stop> {
    if !matches!(end, Err(Stop::Wait)) {
        conclude(pass, run, before);
    }
    end
}

/// How soon a run is looked at again while a resolver works for it.
pub(crate) const RESOLUTION_POLL: SignedDuration = SignedDuration::from_secs(1);
