//! `tekton describe`: everything about one run, as `tkn` lays it out.

use std::collections::BTreeMap;
use std::process::ExitCode;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams};
use serde_json::Value;
use tekton_types::yaml;

use super::select::{Run, one, runs, told};
use super::{History, text};
use crate::args::{DescribeArguments, OutputFormat, RunFilter, RunKind};
use crate::run::style::Paint;

/// Prints one run.
///
/// Errors: there is no such run, or the data directory cannot be read.
pub(crate) async fn describe(arguments: &DescribeArguments) -> Result<ExitCode, String> {
    let history = History::open(arguments.data.data_dir.as_deref()).await?;
    let described = async {
        let run = one(history.client(), &arguments.filter, arguments.name.as_deref()).await?;
        Ok::<_, String>(match arguments.output {
            OutputFormat::Json => format!("{:#}\n", run.value),
            OutputFormat::Yaml => yaml::to_string(&run.value),
            OutputFormat::Text => Page::of(history.client(), &run).await?.lines.join("\n") + "\n",
        })
    }
    .await;
    history.close().await;
    described.map(crate::printed)
}

/// The text that is being written.
struct Page {
    lines: Vec<String>,
    paint: Paint,
    now: Timestamp,
}

impl Page {
    async fn of(client: &kube::Client, run: &Run) -> Result<Self, String> {
        let mut page = Self { lines: Vec::new(), paint: Paint::for_stream(&std::io::stdout()), now: Timestamp::now() };
        page.head(run);
        page.status(run);
        page.pairs("Params", "VALUE", &run.value["spec"]["params"]);
        page.pairs("Results", "VALUE", &run.value["status"]["results"]);
        page.workspaces(run);
        page.steps(run);
        page.children(client, run).await?;
        page.skipped(run);
        page.events(client, run).await?;
        Ok(page)
    }

    fn section(&mut self, title: &str, head: &[&str], rows: &[Vec<String>], states: bool) {
        if rows.is_empty() {
            return;
        }
        self.lines.extend([String::new(), title.to_owned(), String::new()]);
        self.lines.extend(text::table(head, rows, states, self.paint).into_iter().map(|line| format!(" {line}")));
    }

    fn head(&mut self, run: &Run) {
        let spec = &run.value["spec"];
        let reference = |field: &str| spec[field]["name"].as_str().or(spec[field]["resolver"].as_str());
        let account = spec["taskRunTemplate"]["serviceAccountName"].as_str().or(spec["serviceAccountName"].as_str());
        let mut facts = vec![
            ("Name", run.meta("name").to_owned()),
            ("Namespace", run.meta("namespace").to_owned()),
            ("Kind", run.kind.names().0.to_owned()),
        ];
        let named = [
            ("Pipeline", reference("pipelineRef")),
            ("Task", reference("taskRef")),
            ("Custom Task", reference("customRef")),
            ("Service Account", account),
            ("Timeout", spec["timeouts"]["pipeline"].as_str().or(spec["timeout"].as_str())),
            ("Pod", run.value["status"]["podName"].as_str()),
        ];
        facts.extend(named.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))));
        for (name, field) in [("Labels", "labels"), ("Annotations", "annotations")] {
            let entries = run.value["metadata"][field].as_object().into_iter().flatten();
            for (index, (key, value)) in entries.enumerate() {
                let name = if index == 0 { name } else { "" };
                facts.push((name, format!("{key}={}", value.as_str().unwrap_or_default())));
            }
        }
        for (name, value) in facts {
            let name = if name.is_empty() { String::new() } else { format!("{name}:") };
            self.lines.push(format!("{name:17}{value}"));
        }
    }

    fn status(&mut self, run: &Run) {
        self.section("Status", &["STARTED", "DURATION", "STATUS"], &[text::times(run, self.now).to_vec()], true);
        let message = run.condition().and_then(|condition| condition["message"].as_str()).unwrap_or_default();
        if !message.is_empty() {
            self.lines.extend([String::new(), "Message".to_owned(), String::new(), format!(" {}", message.trim_end())]);
        }
    }

    fn pairs(&mut self, title: &str, what: &str, list: &Value) {
        let rows: Vec<Vec<String>> = list
            .as_array()
            .into_iter()
            .flatten()
            .map(|pair| vec![pair["name"].as_str().unwrap_or_default().to_owned(), shown(&pair["value"])])
            .collect();
        self.section(title, &["NAME", what], &rows, false);
    }

    fn workspaces(&mut self, run: &Run) {
        let rows: Vec<Vec<String>> = run.value["spec"]["workspaces"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|binding| {
                let path = binding["subPath"].as_str().unwrap_or(text::NONE).to_owned();
                vec![binding["name"].as_str().unwrap_or_default().to_owned(), path, bound(binding)]
            })
            .collect();
        self.section("Workspaces", &["NAME", "SUB PATH", "BINDING"], &rows, false);
    }

    fn steps(&mut self, run: &Run) {
        for (title, list) in [("Steps", "steps"), ("Sidecars", "sidecars")] {
            let rows: Vec<Vec<String>> = run.value["status"][list]
                .as_array()
                .into_iter()
                .flatten()
                .map(|step| vec![step["name"].as_str().unwrap_or_default().to_owned(), step_state(step)])
                .collect();
            self.section(title, &["NAME", "STATUS"], &rows, true);
        }
    }

    async fn children(&mut self, client: &kube::Client, run: &Run) -> Result<(), String> {
        let references = run.value["status"]["childReferences"].as_array().cloned().unwrap_or_default();
        if references.is_empty() {
            return Ok(());
        }
        let filter = RunFilter { namespace: Some(run.meta("namespace").to_owned()), ..RunFilter::default() };
        let mut known = BTreeMap::new();
        for kind in [RunKind::Taskrun, RunKind::Customrun, RunKind::Pipelinerun] {
            for child in runs(client, &filter, Some(kind)).await? {
                known.insert((kind.names().0, child.meta("name").to_owned()), child);
            }
        }
        let rows: Vec<Vec<String>> = references
            .iter()
            .map(|reference| {
                let field = |name: &str| reference[name].as_str().unwrap_or_default().to_owned();
                let child =
                    known.iter().find(|((kind, name), _)| reference["kind"] == **kind && reference["name"] == **name);
                let times = child.map_or([text::NONE; 3].map(str::to_owned), |(_, child)| text::times(child, self.now));
                [vec![field("name"), field("pipelineTaskName")], times.to_vec()].concat()
            })
            .collect();
        self.section("Tasks", &["NAME", "TASK NAME", "STARTED", "DURATION", "STATUS"], &rows, true);
        Ok(())
    }

    fn skipped(&mut self, run: &Run) {
        let rows: Vec<Vec<String>> = run.value["status"]["skippedTasks"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|task| ["name", "reason"].map(|field| task[field].as_str().unwrap_or_default().to_owned()).to_vec())
            .collect();
        self.section("Skipped Tasks", &["NAME", "REASON"], &rows, false);
    }

    async fn events(&mut self, client: &kube::Client, run: &Run) -> Result<(), String> {
        let api: Api<Event> = Api::namespaced(client.clone(), run.meta("namespace"));
        let about = ListParams::default().fields(&format!("involvedObject.uid={}", run.meta("uid")));
        let mut events = api.list(&about).await.map_err(told)?.items;
        let time = |event: &Event| {
            event.last_timestamp.as_ref().map(|time| time.0).or(event.event_time.as_ref().map(|time| time.0))
        };
        events.sort_by_key(time);
        let rows: Vec<Vec<String>> = events
            .iter()
            .map(|event| {
                vec![
                    event.type_.clone().unwrap_or_default(),
                    event.reason.clone().unwrap_or_default(),
                    text::ago(time(event), self.now),
                    event.message.clone().unwrap_or_default().trim_end().to_owned(),
                ]
            })
            .collect();
        self.section("Events", &["TYPE", "REASON", "AGE", "MESSAGE"], &rows, false);
        Ok(())
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim_end_matches('\n').replace('\n', "⏎"),
        other => other.to_string(),
    }
}

/// What a workspace is bound to.
fn bound(binding: &Value) -> String {
    let of = |field: &str, name: &str| binding[field][name].as_str().map(str::to_owned);
    let claim = of("persistentVolumeClaim", "claimName").map(|name| format!("PersistentVolumeClaim {name}"));
    claim
        .or_else(|| of("configMap", "name").map(|name| format!("ConfigMap {name}")))
        .or_else(|| of("secret", "secretName").map(|name| format!("Secret {name}")))
        .or_else(|| binding["volumeClaimTemplate"].is_object().then(|| "VolumeClaimTemplate".to_owned()))
        .or_else(|| binding["emptyDir"].is_object().then(|| "EmptyDir".to_owned()))
        .unwrap_or_else(|| {
            let kinds = binding.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
            kinds.filter(|name| !matches!(*name, "name" | "subPath")).collect::<Vec<_>>().join(", ")
        })
}

/// The state of a step: what it says itself, or where its container is.
fn step_state(step: &Value) -> String {
    let ended = &step["terminated"];
    let reason = |value: &Value| value["reason"].as_str().unwrap_or_default().to_owned();
    if ended.is_object() {
        match (ended["exitCode"].as_i64().unwrap_or(0), step["terminationReason"].as_str().unwrap_or_default()) {
            (0, "" | "Completed") => "Completed".to_owned(),
            (_, "") => reason(ended),
            (code, "Error") => format!("Error(exit code {code})"),
            (_, reason) => reason.to_owned(),
        }
    } else if step["running"].is_object() {
        "Running".to_owned()
    } else {
        Some(reason(&step["waiting"])).filter(|reason| !reason.is_empty()).unwrap_or_else(|| text::NONE.to_owned())
    }
}
