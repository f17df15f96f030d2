//! `tekton pod`: decides about a TaskRun in a world that holds the files and nothing else, and prints or compares the Pod.

mod diff;

use std::collections::BTreeMap;
use std::process::ExitCode;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value as Json;
use tekton_engine::{
    ApiFault, ClusterFacts, Effect, Env, Fact, Facts, Kind, Need, Object, ObjectKey, Outcome, Run, Snapshot, Stored,
    Value,
};
use tekton_podgen::ServerVersion;
use tekton_types::condition;
use tekton_types::config::Config;
use tekton_types::v1::TaskRun;
use tekton_types::yaml;

use crate::args::{ObjectFormat, PodArguments};
use crate::run::load::{self, Overrides};
use crate::{check, files, printed, settings};

/// The version that a Pod is generated for.
const KUBERNETES: (&str, &str) = ("1", "33");
/// More rounds of asking than any decision needs.
const MAX_ROUNDS: usize = 32;

/// Prints the Pod of every TaskRun of the files, or of the run of their only Task; or how it differs from another.
///
/// Errors: unreadable files, no TaskRun, or a run that comes to no Pod, with its reason.
pub(crate) fn pod(arguments: &PodArguments) -> Result<ExitCode, String> {
    let is_stdin = |path: &std::path::PathBuf| path.as_os_str() == "-";
    if arguments.diff.as_ref().is_some_and(is_stdin) && arguments.filename.iter().any(is_stdin) {
        return Err("standard input can be read once: give a file to -f or to --diff".to_owned());
    }
    let config = settings::config(&settings::config_maps(&arguments.settings)?)?;
    let sources = files::read_all(&arguments.filename)?;
    check::before_run(&sources, &config)?;
    let overrides = Overrides { params: arguments.param.clone(), ..Overrides::default() };
    let loaded = load::load(files::objects(&sources)?, &overrides)?;
    let world = World::new(&loaded.objects)?;
    let mut pods = Vec::with_capacity(loaded.runs.len());
    for run in loaded.runs {
        let load::Run::Task(run) = run else {
            return Err("a PipelineRun has a Pod for each of its TaskRuns; give a TaskRun or a Task".to_owned());
        };
        pods.push(world.pod_of(*run, &config)?);
    }
    match &arguments.diff {
        Some(other) => diff::report(&pods, other),
        None => Ok(printed(text(&pods, arguments.output))),
    }
}

fn text(pods: &[Pod], format: ObjectFormat) -> String {
    let texts = pods.iter().map(|pod| match format {
        ObjectFormat::Json => {
            let text = serde_json::to_string_pretty(pod).expect("a Pod is representable in JSON");
            text + "\n"
        }
        ObjectFormat::Yaml => yaml::to_string(pod),
    });
    texts.collect::<Vec<_>>().join(if format == ObjectFormat::Yaml { "---\n" } else { "" })
}

/// The objects of the files by kind and name.
struct World {
    objects: BTreeMap<(Kind, String), Object>,
}

impl World {
    fn new(objects: &[Json]) -> Result<Self, String> {
        let mut world = BTreeMap::new();
        for object in objects {
            let kind = Kind::ALL
                .iter()
                .find(|kind| object["kind"] == kind.as_str() && object["apiVersion"] == kind.api_version());
            let Some(&kind) = kind else { continue };
            let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let typed = Object::from_json(kind, object.clone()).map_err(|error| format!("{name}: {error}"))?;
            world.insert((kind, name), typed);
        }
        Ok(Self { objects: world })
    }

    fn pod_of(&self, mut run: TaskRun, config: &Config) -> Result<Pod, String> {
        let metadata = &mut run.metadata;
        if metadata.name.is_none() {
            metadata.name = metadata.generate_name.as_ref().map(|prefix| format!("{prefix}run"));
        }
        metadata.namespace.get_or_insert_with(|| "default".to_owned());
        tekton_types::defaults::SetDefaults::set_defaults(&mut run, config);
        let cluster = ClusterFacts {
            images: tekton_local::images(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            ..ClusterFacts::default()
        };
        let env = Env { now: Timestamp::now(), config, cluster: &cluster };
        let mut facts = Facts::new();
        for _ in 0..MAX_ROUNDS {
            let decision = TaskRun::decide(&Snapshot { run: &run, facts: &facts }, &env);
            for effect in &decision.effects {
                if let Effect::Create(Object::Pod(pod)) = effect {
                    return Ok((**pod).clone());
                }
            }
            if decision.is_settled() {
                let why = condition::succeeded(&decision.status.conditions);
                return Err(match why {
                    Some(why) => format!("the run comes to no Pod: {}: {}", why.reason, why.message),
                    None => "the run comes to no Pod".to_owned(),
                });
            }
            for need in facts.unanswered(&decision.needs).cloned().collect::<Vec<_>>() {
                let fact = self.answer(&need);
                facts.set(need, fact);
            }
            for effect in &decision.effects {
                let done = match effect {
                    Effect::Create(object) | Effect::Update(object) => Some(object.clone()),
                    _ => None,
                };
                facts.set_outcome(effect.key(), Outcome::Done(done));
            }
        }
        Err("the decision about the run did not settle".to_owned())
    }

    fn answer(&self, need: &Need) -> Fact {
        match need {
            Need::Object(key) | Need::Fresh(key) => self.object(key),
            Need::List { kind, .. } => {
                let of_kind = self.objects.iter().filter(|((other, _), _)| other == kind);
                Fact::Known(Value::List(of_kind.map(|(_, object)| object.clone()).collect()))
            }
            Need::ServerVersion => Fact::Known(Value::Version(ServerVersion {
                major: KUBERNETES.0.to_owned(),
                minor: KUBERNETES.1.to_owned(),
            })),
            Need::Image { image, .. } => Fact::Denied(ApiFault {
                text: format!("the entrypoint of image {image} is not known offline; give the step a `command`"),
                ..ApiFault::default()
            }),
            other => Fact::Denied(ApiFault { text: format!("{other:?} is not known offline"), ..ApiFault::default() }),
        }
    }

    fn object(&self, key: &ObjectKey) -> Fact {
        if let Some(object) = self.objects.get(&(key.kind, key.name.clone())) {
            return Fact::Known(Value::Object(object.clone()));
        }
        if key.kind == Kind::ServiceAccount {
            let account = ServiceAccount {
                metadata: ObjectMeta {
                    name: Some(key.name.clone()),
                    namespace: Some(key.namespace.clone()),
                    ..ObjectMeta::default()
                },
                ..ServiceAccount::default()
            };
            return Fact::Known(Value::Object(account.into_object()));
        }
        Fact::Denied(ApiFault::not_found(key))
    }
}
