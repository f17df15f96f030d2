//! Suite `taskspec-resolution`: Tasks and StepActions are found and put in the place of references.

use std::sync::Arc;

use serde_json::{Value, json};
use tekton_contract::base64;
use tekton_engine::lookup::{self, Answer};
use tekton_engine::{ApiFault, ClusterFacts, Effect, Env, Fact, Facts, Kind, Need, Object};
use tekton_types::condition::{self, Condition};
use tekton_types::resolution::ResolutionRequest;
use tekton_types::v1::{Step, Task, TaskRun, TaskSpec};

use super::podgen_support as support;
use crate::world::{World, kind_called};
use crate::{Case, diff};

/// Rounds after which a question without an answer is given up.
const MAX_ROUNDS: usize = 20;
/// The label of a request that names its resolver.
const RESOLVER: &str = "resolution.tekton.dev/type";
/// Namespace for runs of upstream's tests that have none where the fetch is mocked.
const ANY_NAMESPACE: &str = "any";

pub(crate) fn check(case: &Case) -> Result<(), String> {
    let mut expect = case.expect.clone();
    let mut ours = answer(&case.input, &expect)?;
    // Requests are recorded only where the call itself made them.
    if expect["requests"].is_null() {
        expect["requests"] = ours["requests"].clone();
    }
    for side in [&mut expect, &mut ours] {
        for key in ["task", "stepAction"] {
            support::strip_type(&mut side[key]);
        }
    }
    diff::equal(&expect, &ours)
}

fn answer(input: &Value, expect: &Value) -> Result<Value, String> {
    let mut asked = Asked::new(input)?;
    let mut run: TaskRun = support::read_or_default(&input["taskRun"])?;
    let spec: TaskSpec = support::read_or_default(&input["taskSpec"])?;
    let name = support::text(&input["name"]);
    let answer = match input["op"].as_str().unwrap_or_default() {
        "getTaskKind" => {
            let kind = support::text(&input["taskRef"]["kind"]);
            return Ok(json!({"kind": if kind.is_empty() { "Task".to_owned() } else { kind }}));
        }
        "hasStepRefs" => return Ok(json!({"result": spec.steps.iter().any(|step| step.r#ref.is_some())})),
        "getTaskData" => return task_data(input, expect, &mut asked, run),
        "getStepActionsData" => {
            let steps = asked.ask(|env, facts| lookup::task_steps(&mut run, &spec, env, facts))?;
            steps.map(|steps| json!({"steps": steps, "stepStates": run.status.steps}))
        }
        "getTask" | "getLocalTask" => {
            run = support::read_or_default(&input["ownerTaskRun"])?;
            run.spec.task_ref = Some(support::read_or_default(&input["taskRef"])?);
            run.metadata.namespace = Some(support::text(&input["namespace"]));
            if input["op"] == "getTask" {
                // Variables are those of the owner; the name of the request is that of the call.
                run.metadata.name = Some(support::text(&input["runName"])).filter(|name| !name.is_empty());
                run.metadata.name = run.metadata.name.or(owner_name(input));
            }
            referenced(&mut asked, &run, &name)?
        }
        "getTaskFromTaskRun" => referenced(&mut asked, &run, &name)?,
        "getStepAction" | "getLocalStepAction" => {
            let mut step: Step = support::read_or_default(&input["step"])?;
            if input["op"] == "getLocalStepAction" {
                run.metadata.namespace = Some(support::text(&input["namespace"]));
                step.r#ref.get_or_insert_default().name = name;
            }
            let found = asked.ask(|env, facts| lookup::step_action(&run, &spec, &step, env, facts))?;
            found.map(|(action, source)| json!({"stepAction": action, "refSource": source}))
        }
        other => return Err(format!("unknown operation {other:?}")),
    };
    Ok(with_requests(answer, &asked))
}

fn owner_name(input: &Value) -> Option<String> {
    let name = support::text(&input["ownerTaskRun"]["metadata"]["name"]);
    let uses_name = input["taskRef"].to_string().contains("context.taskRun.name");
    uses_name.then_some(name)
}

fn with_requests(answer: Result<Value, String>, asked: &Asked<'_>) -> Value {
    let mut ours = answer.unwrap_or_else(|error| json!({"error": error}));
    ours["requests"] = Value::from(asked.requests.clone());
    ours
}

fn referenced(asked: &mut Asked<'_>, run: &TaskRun, name: &str) -> Result<Result<Value, String>, String> {
    let found = asked.ask(|env, facts| lookup::referenced_task(run, name, env, facts))?;
    Ok(found.map(|found| {
        let task = Task { metadata: found.metadata, spec: found.spec };
        let verified = (!asked.requests.is_empty()).then(|| json!({"type": "skip"}));
        json!({"task": task, "refSource": found.source, "verificationResult": verified})
    }))
}

/// The fetch is mocked: what it returned is laid where our fetch will find it.
fn task_data(input: &Value, expect: &Value, asked: &mut Asked<'_>, mut run: TaskRun) -> Result<Value, String> {
    let mock = &input["getTask"];
    let called_with = support::text(&expect["getTaskCalledWith"]);
    if !mock.is_null() {
        run.status.task_spec = None;
        let namespace = run.metadata.namespace.get_or_insert_with(|| ANY_NAMESPACE.to_owned()).clone();
        let by_resolver = run.spec.task_ref.as_ref().is_some_and(|reference| reference.name.is_empty());
        if let Some(error) = mock["error"].as_str() {
            if by_resolver {
                return Ok(json!({"error": error, "getTaskCalledWith": run.metadata.name}));
            }
            asked.denied = Some(ApiFault { text: error.to_owned(), ..ApiFault::default() });
        } else {
            let mut task: Task = support::read(&mock["task"])?;
            asked.delivered = Some((task.clone(), mock["refSource"].clone()));
            task.metadata.name = Some(called_with.clone());
            task.metadata.namespace = Some(namespace);
            asked.world.put(Object::Task(Arc::new(task)));
            if let Some(reference) = run.spec.task_ref.as_mut().filter(|_| !by_resolver) {
                reference.resolver.clear();
            }
        }
    }
    let found = asked.ask(|env, facts| lookup::task(&run, env, facts))?;
    let found = match found {
        Ok(found) => found,
        Err(error) => return Ok(json!({"error": error, "getTaskCalledWith": called_with})),
    };
    let (metadata, source) = match &asked.delivered {
        Some((task, source)) => (task.metadata.clone(), source.clone()),
        None => (found.metadata, Value::Null),
    };
    Ok(json!({
        "metadata": metadata, "taskSpec": found.spec, "refSource": source,
        "getTaskCalledWith": called_with, "verificationResult": mock["verificationResult"],
    }))
}

/// Asks until there is an answer, as the recorded cluster and resolvers gave it.
struct Asked<'a> {
    input: &'a Value,
    world: World,
    denied: Option<ApiFault>,
    delivered: Option<(Task, Value)>,
    requests: Vec<Value>,
}

impl<'a> Asked<'a> {
    fn new(input: &'a Value) -> Result<Self, String> {
        let mut world = World { config: support::config(&input["config"])?.into(), ..World::default() };
        for object in input["objects"].as_array().into_iter().flatten() {
            let kind = kind_called(object["kind"].as_str().unwrap_or_default()).ok_or("an object of unknown kind")?;
            let mut object = object.clone();
            if kind == Kind::StepAction {
                object["apiVersion"] = json!("tekton.dev/v1beta1");
            }
            world.put(Object::from_json(kind, object).map_err(|error| error.to_string())?);
        }
        Ok(Self { input, world, denied: None, delivered: None, requests: Vec::new() })
    }

    fn ask<T>(&mut self, mut ask: impl FnMut(&Env<'_>, &Facts) -> Answer<T>) -> Result<Result<T, String>, String> {
        let mut facts = Facts::new();
        let (config, cluster) = (self.world.config.clone(), ClusterFacts::default());
        let env = Env { now: self.world.now, config: &config, cluster: &cluster };
        for _ in 0..MAX_ROUNDS {
            match ask(&env, &facts) {
                Answer::Ready(answer) => return Ok(Ok(answer)),
                Answer::Failed(text) => return Ok(Err(text)),
                Answer::Waiting { needs, effects } => {
                    for need in &needs {
                        facts.set(need.clone(), self.answer(need)?);
                    }
                    for effect in &effects {
                        let object = self.request(effect)?;
                        facts.set(Need::Object(object.key()), Fact::Known(tekton_engine::Value::Object(object)));
                    }
                }
            }
        }
        Err("the question was never answered".to_owned())
    }

    fn answer(&self, need: &Need) -> Result<Fact, String> {
        match need {
            Need::Fresh(_) if self.denied.is_some() => Ok(Fact::Denied(self.denied.clone().unwrap_or_default())),
            Need::DryRun { .. } => match self.input["dryRunErrors"][0].as_str() {
                Some(text) => Ok(Fact::Denied(dry_run_fault(text)?)),
                None => Ok(self.world.answer(need)),
            },
            _ => Ok(self.world.answer(need)),
        }
    }

    /// Writes a request down, and answers it as the recorded resolver did.
    fn request(&mut self, effect: &Effect) -> Result<Object, String> {
        let Effect::Create(Object::ResolutionRequest(request)) = effect else {
            return Err(format!("{effect:?} is not a request to a resolver"));
        };
        let mut request = ResolutionRequest::clone(request);
        let resolver = request.metadata.labels.as_ref().and_then(|labels| labels.get(RESOLVER)).cloned();
        let (params, url) = (json!(request.spec.params), request.spec.url.clone());
        if let Some((task, source)) = &self.delivered {
            let data = serde_json::to_string(task).map_err(|error| error.to_string())?;
            finish(&mut request, &data, source)?;
            return Ok(Object::ResolutionRequest(Arc::new(request)));
        }
        self.requests.push(json!({
            "resolver": resolver, "name": request.metadata.name, "namespace": request.metadata.namespace,
            "params": params, "url": url,
        }));
        let known = self.input["resolutions"].as_array().into_iter().flatten();
        let resolution = known
            .filter(|known| known["resolver"].as_str() == resolver.as_deref())
            .find(|known| diff::equal(&known["params"], &params).is_ok() && support::text(&known["url"]) == url)
            .ok_or_else(|| format!("no recorded resolver answers {resolver:?} with {params}"))?;
        if resolution["inProgress"] != true {
            match resolution["error"].as_str() {
                Some(error) => {
                    let failed = Condition::succeeded(condition::FALSE, "ResolutionFailed", error);
                    request.status.conditions = vec![failed];
                }
                None => finish(&mut request, &support::text(&resolution["data"]), &resolution["refSource"])?,
            }
        }
        Ok(Object::ResolutionRequest(Arc::new(request)))
    }
}

fn finish(request: &mut ResolutionRequest, data: &str, source: &Value) -> Result<(), String> {
    request.status.conditions = vec![Condition::succeeded(condition::TRUE, "", "")];
    request.status.data = base64::encode(data.as_bytes(), base64::Padding::Required);
    request.status.ref_source = support::read_or_default(source)?;
    Ok(())
}

/// The API server's own words, without those that the fetch put before them.
fn dry_run_fault(text: &str) -> Result<ApiFault, String> {
    let kinds = [
        ("validation failed for referenced object ", "BadRequest"),
        ("permanent error validating referenced object ", "Invalid"),
        ("retryable error validating referenced object ", "Timeout"),
    ];
    kinds
        .iter()
        .find_map(|(words, reason)| {
            let (_, own) = text.strip_prefix(words)?.split_once(": ")?;
            Some(ApiFault { reason: (*reason).to_owned(), text: own.to_owned(), ..ApiFault::default() })
        })
        .ok_or_else(|| format!("no fault of a dry run reads {text:?}"))
}
