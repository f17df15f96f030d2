//! Documents checked together: what a reference leads to among the given objects must fit the referrer.

use std::collections::HashMap;

use tekton_types::Object;
use tekton_types::refs::{ResultRef, result_refs};
use tekton_types::suggest::nearest;
use tekton_types::v1::{
    Param, ParamSpec, Pipeline, PipelineRun, PipelineSpec, PipelineTask, Step, Task, TaskRun, TaskSpec,
};
use tekton_types::v1beta1::StepActionSpec;

use crate::beta;
use crate::binding::{self, ResolvedTask};
use crate::diagnostic::{Diagnostic, Severity};
use crate::text::quote;

/// Objects that references can lead to, by name.
#[derive(Debug, Default)]
struct Index<'a> {
    tasks: Named<'a, TaskSpec>,
    pipelines: Named<'a, PipelineSpec>,
    step_actions: Named<'a, StepActionSpec>,
}

/// Specs by name, each with the file that it is in.
#[derive(Debug)]
struct Named<'a, T>(HashMap<&'a str, Vec<(usize, &'a T)>>);

impl<T> Default for Named<'_, T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<'a, T> Named<'a, T> {
    fn add(&mut self, file: usize, name: &'a str, spec: &'a T) {
        self.0.entry(name).or_default().push((file, spec));
    }

    /// The one of the same file, else the only one; nobody can say which of several is meant.
    fn get(&self, file: usize, name: &str) -> Option<&'a T> {
        let all = self.0.get(name)?;
        let mut near = all.iter().filter(|(of, _)| *of == file);
        match (near.next(), near.next()) {
            (Some((_, spec)), None) => Some(spec),
            (None, _) if all.len() == 1 => Some(all[0].1),
            _ => None,
        }
    }
}

/// What is found, with the position of the object that it is about.
pub(crate) fn check(given: &[(usize, &Object)]) -> Vec<(usize, Diagnostic)> {
    let converted: Vec<Option<Object>> = given.iter().map(|(_, o)| beta::to_v1(o)).collect();
    let objects: Vec<(usize, &Object)> =
        given.iter().zip(&converted).map(|((file, o), c)| (*file, c.as_ref().unwrap_or(o))).collect();
    let mut index = Index::default();
    for &(file, object) in &objects {
        match object {
            Object::Task(task) => {
                index.tasks.add(file, object.name(), &task.spec);
            }
            Object::Pipeline(pipeline) => {
                index.pipelines.add(file, object.name(), &pipeline.spec);
            }
            Object::StepAction(action) => {
                index.step_actions.add(file, object.name(), &action.spec);
            }
            Object::V1Alpha1StepAction(action) => {
                index.step_actions.add(file, object.name(), &action.spec);
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (position, &(file, object)) in objects.iter().enumerate() {
        let mut checker = Checker { index: &index, file, found: Vec::new() };
        match object {
            Object::Task(task) => checker.task(task),
            Object::TaskRun(run) => checker.task_run(run),
            Object::Pipeline(pipeline) => checker.pipeline(pipeline),
            Object::PipelineRun(run) => checker.pipeline_run(run),
            _ => {}
        }
        found.extend(checker.found.into_iter().map(|d| (position, d)));
    }
    found
}

/// What helps against a finding of each code.
const HELP: &[(&str, &str)] = &[
    ("step-action-params", "give the StepAction the parameters that it declares without a default, and no others"),
    ("param-enum", "give one of the values that `enum` lists"),
    ("param-type", "give a list for an array, a map for an object, a text for a string"),
    ("object-keys", "give every key that `properties` names and `default` does not"),
    ("array-index", "give as many elements as are referred to"),
    ("overrides", "name a step or sidecar of the Task"),
    ("task-run-specs", "name a task of the pipeline"),
    (
        "workspaces",
        "bind each workspace that is declared and not optional, and no others: `- name: …` with a claim or `emptyDir: {}`",
    ),
    ("results", "declare the result under `results` of the task, or correct the name"),
];

/// What helps when parameters do not fit.
fn params_help(declared: &[ParamSpec], given: &[Param]) -> String {
    let missing: Vec<&str> = declared
        .iter()
        .filter(|d| d.default.is_none() && !given.iter().any(|p| p.name == d.name))
        .map(|d| d.name.as_str())
        .collect();
    let mut unknown = given.iter().filter(|p| !declared.iter().any(|d| d.name == p.name));
    let slip = unknown.find_map(|p| Some((&p.name, nearest(&p.name, missing.iter().copied())?)));
    match (slip, missing.as_slice()) {
        (Some((written, meant)), _) => format!("`{written}` is given and not declared: did you mean `{meant}`?"),
        (None, []) => "give a list for an array, a map for an object, a text for a string".to_owned(),
        (None, [name]) => format!("give it under `params`: `- name: {name}` with a `value`"),
        (None, _) => "give each of them under `params`, with a `value`".to_owned(),
    }
}

/// The spec of a pipeline task, in place or among the given objects.
fn spec_of<'t>(index: &'t Index<'t>, file: usize, task: &'t PipelineTask) -> Option<&'t TaskSpec> {
    if let Some(embedded) = &task.task_spec {
        return Some(&embedded.task_spec).filter(|_| !embedded.is_custom_task());
    }
    let reference = task.task_ref.as_ref().filter(|r| r.resolver.is_empty() && r.api_version.is_empty())?;
    index.tasks.get(file, &reference.name)
}

struct Checker<'a> {
    index: &'a Index<'a>,
    file: usize,
    found: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn verdict(&mut self, code: &'static str, verdict: binding::Result, path: &str) {
        self.verdict_with(code, verdict, path, || {
            HELP.iter().find(|(of, _)| *of == code).map(|(_, h)| (*h).to_owned())
        });
    }

    /// A verdict on names of which one is perhaps a slip.
    fn verdict_near<'n>(
        &mut self,
        code: &'static str,
        verdict: binding::Result,
        path: &str,
        mut given: impl Iterator<Item = &'n str>,
        known: &[&str],
    ) {
        self.verdict_with(code, verdict, path, || {
            let slip = given.find_map(|name| nearest(name, known.iter().copied()).filter(|_| !known.contains(&name)));
            let general = HELP.iter().find(|(of, _)| *of == code).map(|(_, help)| (*help).to_owned());
            slip.map(|near| format!("did you mean `{near}`?")).or(general)
        });
    }

    fn verdict_with(
        &mut self,
        code: &'static str,
        verdict: binding::Result,
        path: &str,
        help: impl FnOnce() -> Option<String>,
    ) {
        if let Err(problem) = verdict {
            let mut found = Diagnostic::new(code, Severity::Error, problem.0, [path.to_owned()]);
            found.help = help();
            self.found.push(found);
        }
    }

    /// Parameters that a run or a pipeline task gives to what it refers to.
    fn params(&mut self, verdict: binding::Result, path: &str, declared: &[ParamSpec], given: &[Param]) {
        match &verdict {
            Err(problem) if problem.0.starts_with("missing keys") => self.verdict("object-keys", verdict, path),
            Err(problem) if problem.0.starts_with("param types") => self.verdict("param-type", verdict, path),
            _ => self.verdict_with("params", verdict, path, || Some(params_help(declared, given))),
        }
    }

    fn task(&mut self, task: &Task) {
        self.steps(&task.spec.steps, "spec");
    }

    fn steps(&mut self, steps: &[Step], path: &str) {
        for (index, step) in steps.iter().enumerate() {
            let Some(reference) = step.r#ref.as_ref().filter(|r| r.resolver.is_empty()) else { continue };
            if let Some(action) = self.index.step_actions.get(self.file, &reference.name) {
                let verdict = binding::step_action_parameters(&step.params, &action.params);
                self.verdict("step-action-params", verdict, &format!("{path}.steps[{index}].params"));
            }
        }
    }

    fn task_run(&mut self, run: &TaskRun) {
        let spec = &run.spec;
        if let Some(inline) = &spec.task_spec {
            self.steps(&inline.steps, "spec.taskSpec");
            self.run_of_task(run, inline, false);
        } else if let Some(reference) = spec.task_ref.as_ref().filter(|r| r.resolver.is_empty())
            && let Some(task) = self.index.tasks.get(self.file, &reference.name)
        {
            self.run_of_task(run, task, true);
        }
    }

    fn run_of_task(&mut self, run: &TaskRun, task: &TaskSpec, by_reference: bool) {
        let spec = &run.spec;
        let verdict = binding::task_params(&task.params, &spec.params, &[]);
        self.params(verdict, "spec.params", &task.params, &spec.params);
        self.verdict("param-enum", binding::enum_param(&spec.params, &task.params), "spec.params");
        self.verdict("array-index", binding::task_param_array_index(task, &spec.params), "spec.params");
        let steps: Vec<&str> = task.steps.iter().map(|s| s.name.as_str()).collect();
        let settings = spec.step_specs.iter().map(|s| s.name.as_str());
        self.verdict_near("overrides", binding::overrides(task, spec), "spec.stepSpecs", settings, &steps);
        if by_reference {
            self.verdict("workspaces", binding::task_workspaces(&task.workspaces, &spec.workspaces), "spec.workspaces");
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        self.pipeline_spec(&pipeline.spec, "spec", &[]);
    }

    fn pipeline_run(&mut self, run: &PipelineRun) {
        let spec = &run.spec;
        let pipeline = match (&spec.pipeline_spec, &spec.pipeline_ref) {
            (Some(inline), _) => {
                self.pipeline_spec(inline, "spec.pipelineSpec", &spec.params);
                inline
            }
            (None, Some(reference)) if reference.resolver.is_empty() => {
                match self.index.pipelines.get(self.file, &reference.name) {
                    Some(pipeline) => pipeline,
                    None => return,
                }
            }
            _ => return,
        };
        let verdict = binding::required_parameters_provided(&pipeline.params, &spec.params);
        self.params(verdict, "spec.params", &pipeline.params, &spec.params);
        self.verdict("param-type", binding::param_types_matching(pipeline, &spec.params), "spec.params");
        self.verdict("object-keys", binding::object_param_required_keys(&pipeline.params, &spec.params), "spec.params");
        self.verdict("param-enum", binding::enum_param(&spec.params, &pipeline.params), "spec.params");
        self.verdict("array-index", binding::pipeline_param_array_index(pipeline, &spec.params), "spec.params");
        self.verdict("workspaces", binding::pipeline_workspaces(pipeline, &spec.workspaces), "spec.workspaces");
        let tasks: Vec<&str> = pipeline.tasks.iter().chain(&pipeline.r#finally).map(|t| t.name.as_str()).collect();
        let settings = spec.task_run_specs.iter().map(|s| s.pipeline_task_name.as_str());
        let verdict = binding::task_run_specs(pipeline, spec);
        self.verdict_near("task-run-specs", verdict, "spec.taskRunSpecs", settings, &tasks);
    }

    fn pipeline_spec(&mut self, pipeline: &PipelineSpec, path: &str, params: &[tekton_types::v1::Param]) {
        let index_of_objects = self.index;
        let mut resolved: Vec<ResolvedTask<'_>> = Vec::new();
        let mut all_known = true;
        for (field, tasks) in [("tasks", &pipeline.tasks), ("finally", &pipeline.r#finally)] {
            for (index, task) in tasks.iter().enumerate() {
                let path = format!("{path}.{field}[{index}]");
                let spec = spec_of(index_of_objects, self.file, task);
                let is_custom = task.task_ref.as_ref().is_some_and(tekton_types::v1::TaskRef::is_custom_task)
                    || task.task_spec.as_ref().is_some_and(tekton_types::v1::EmbeddedTask::is_custom_task);
                all_known &= spec.is_some() || is_custom;
                if let Some(spec) = spec.filter(|_| task.task_ref.is_some()) {
                    self.referenced_task(task, spec, &path);
                } else if let Some(embedded) = &task.task_spec {
                    self.steps(&embedded.task_spec.steps, &format!("{path}.taskSpec"));
                    let declared: Vec<ParamSpec> = embedded
                        .task_spec
                        .params
                        .iter()
                        .filter(|d| {
                            // What the pipeline or the run has under this name is handed down.
                            !pipeline.params.iter().any(|p| p.name == d.name)
                                && !params.iter().any(|p| p.name == d.name)
                        })
                        .cloned()
                        .collect();
                    let verdict = binding::resolved_task(&task.name, &declared, &task.params, task.matrix.as_ref());
                    self.params(verdict, &format!("{path}.params"), &declared, &task.params);
                }
                resolved.push(ResolvedTask { task, spec, is_custom });
            }
        }
        if all_known {
            self.results(&resolved, path);
            self.verdict("results", binding::pipeline_results(pipeline, &resolved), &format!("{path}.results"));
        }
        let verdict = binding::optional_workspaces(&pipeline.workspaces, &resolved);
        self.verdict("workspaces", verdict, &format!("{path}.workspaces"));
    }

    /// Results that tasks refer to; a task's wrong reference is told where it stands.
    fn results(&mut self, resolved: &[ResolvedTask<'_>], path: &str) {
        let Err(problem) = binding::pipeline_task_results(resolved) else { return };
        let mut found = Diagnostic::new("results", Severity::Error, problem.0, [path.to_owned()])
            .with_help("declare the result under `results` of the task, or correct the name");
        let target = |name: &str| resolved.iter().find(|t| t.task.name == name).and_then(|t| t.spec);
        let references = resolved.iter().flat_map(|task| result_refs(task.task));
        let missing = references.filter_map(|r| Some((r, target(r.pipeline_task)?)));
        let wrong = |(r, spec): &(ResultRef<'_>, &TaskSpec)| !spec.results.iter().any(|known| known.name == r.result);
        if let Some((reference, spec)) = missing.into_iter().find(wrong) {
            found.about = Some(format!("$(tasks.{}.results.{}", reference.pipeline_task, reference.result));
            if let Some(near) = nearest(reference.result, spec.results.iter().map(|r| r.name.as_str())) {
                found.help = Some(format!("did you mean `{near}`?"));
            }
        }
        self.found.push(found);
    }

    /// A task by reference: its parameters and workspaces, each problem at its place.
    fn referenced_task(&mut self, task: &PipelineTask, spec: &TaskSpec, path: &str) {
        let verdict = binding::resolved_task(&task.name, &spec.params, &task.params, task.matrix.as_ref());
        self.params(verdict, &format!("{path}.params"), &spec.params, &task.params);
        let name = task.task_ref.as_ref().map_or("", |r| r.name.as_str());
        for declared in spec.workspaces.iter().filter(|d| !d.optional) {
            if !task.workspaces.iter().any(|b| b.name == declared.name) {
                let message = format!(
                    "Task {} requires workspace {}, which pipeline task {} does not bind",
                    quote(name),
                    quote(&declared.name),
                    quote(&task.name)
                );
                let help = format!("bind it: `workspaces: [{{name: {}, workspace: …}}]`", declared.name);
                let path = format!("{path}.workspaces");
                let found = Diagnostic::new("unbound-workspace", Severity::Error, message, [path]);
                self.found.push(found.with_help(help));
            }
        }
        for (index, bound) in task.workspaces.iter().enumerate() {
            if !spec.workspaces.iter().any(|d| d.name == bound.name) {
                let message = format!(
                    "pipeline task {} binds workspace {}, which Task {} does not declare",
                    quote(&task.name),
                    quote(&bound.name),
                    quote(name)
                );
                let help = format!(
                    "declare it in Task {}: `workspaces: [{{name: {}}}]`, or take this binding away",
                    quote(name),
                    bound.name
                );
                let path = format!("{path}.workspaces[{index}]");
                let found = Diagnostic::new("undeclared-workspace", Severity::Error, message, [path]);
                self.found.push(found.with_help(help));
            }
        }
    }
}
