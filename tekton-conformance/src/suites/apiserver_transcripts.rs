//! Suite apiserver-transcripts: HTTP exchanges with a real API server, replayed against the embedded one in-process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tekton_local::http::{Request, Response};
use tekton_local::{ApiService, LocalCluster, Options, TektonAdmission};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};
use tower_service::Service as _;

use super::transcript_match::{diff, fill, fill_all, pointer, show};
use crate::Case;

/// Who the recorded client said it was.
const USER_AGENT: &str = "corpus-replay/1.0";
/// The token that the replayed requests carry unless a step has its own.
const TOKEN: &str = "replay";

/// What placeholders stand for.
pub(super) type Names = BTreeMap<String, Value>;

struct World {
    runtime: Runtime,
    service: ApiService,
    fixtures: Mutex<Vec<String>>,
    _cluster: LocalCluster,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let runtime = Runtime::new().expect("a tokio runtime starts");
        let guard = runtime.enter();
        let options = Options { admission: vec![Arc::new(TektonAdmission::default())], ..Options::default() };
        let cluster = LocalCluster::start(options);
        drop(guard);
        let service = ApiService::new(Arc::clone(cluster.api())).with_token(TOKEN);
        World { runtime, service, fixtures: Mutex::default(), _cluster: cluster }
    })
}

/// Replays one scenario in a namespace of its own.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let world = world();
    let _inside = world.runtime.enter();
    world.runtime.block_on(async {
        prepare(world, case).await?;
        let mut run = Run::default();
        let outcome = run.execute(world, case).await;
        run.clean_up(world).await;
        outcome
    })
}

/// Runs the steps of the fixtures that nobody has run yet.
async fn prepare(world: &World, case: &Case) -> Result<(), String> {
    for fixture in case.input["fixtureLines"].as_array().into_iter().flatten() {
        let name = fixture["fixture"].as_str().unwrap_or_default().to_owned();
        {
            let mut done = world.fixtures.lock().unwrap_or_else(PoisonError::into_inner);
            if done.contains(&name) {
                continue;
            }
            done.push(name.clone());
        }
        for step in fixture["steps"].as_array().into_iter().flatten() {
            let until = Instant::now() + Duration::from_secs(10);
            loop {
                let answer = send(world, &step["request"], &Names::new()).await?.read().await;
                let fits = step["statuses"].as_array().is_none_or(|all| all.contains(&json!(answer.status)));
                if fits && step.get("expect").is_none_or(|e| diff(e, Some(&answer.json), &Names::new(), "$").is_ok()) {
                    break;
                }
                if Instant::now() > until {
                    return Err(format!("fixture {name}: answered {} {}", answer.status, show(Some(&answer.json))));
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
    Ok(())
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    text: String,
    json: Value,
    is_json: bool,
}

struct Open(Response<tekton_local::api::Body>);

impl Open {
    async fn read(self) -> Answer {
        let (parts, body) = self.0.into_parts();
        let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let parsed = serde_json::from_slice(&bytes);
        let headers =
            parts.headers.iter().map(|(n, v)| (n.as_str().to_owned(), v.to_str().unwrap_or_default().to_owned()));
        Answer {
            status: parts.status.as_u16(),
            headers: headers.collect(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
            is_json: parsed.is_ok(),
            json: parsed.unwrap_or(Value::Null),
        }
    }
}

fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

async fn send(world: &World, request: &Value, names: &Names) -> Result<Open, String> {
    let path = fill(request["path"].as_str().unwrap_or("/"), names)?;
    let mut query = Vec::new();
    for (name, value) in request["query"].as_object().into_iter().flatten() {
        let value = fill_all(value, names)?;
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        query.push(format!("{}={}", encode(name), encode(&value)));
    }
    let uri = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
    let body = match request.get("bodyText") {
        Some(text) => fill(text.as_str().unwrap_or_default(), names)?,
        None if request.get("body").is_none_or(Value::is_null) => String::new(),
        None => fill_all(&request["body"], names)?.to_string(),
    };
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    headers.insert("accept".to_owned(), "application/json".to_owned());
    headers.insert("user-agent".to_owned(), USER_AGENT.to_owned());
    headers.insert("authorization".to_owned(), format!("Bearer {TOKEN}"));
    if !body.is_empty() {
        headers.insert("content-type".to_owned(), "application/json".to_owned());
    }
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        headers.insert(name.to_lowercase(), fill(value.as_str().unwrap_or_default(), names)?);
    }
    let mut built = Request::builder().method(request["method"].as_str().unwrap_or("GET")).uri(uri);
    for (name, value) in headers {
        built = built.header(name, value);
    }
    let built = built.body(Full::new(bytes::Bytes::from(body))).map_err(|e| e.to_string())?;
    match world.service.clone().call(built).await {
        Ok(response) => Ok(Open(response)),
        Err(never) => match never {},
    }
}

#[derive(Default)]
struct Run {
    names: Names,
    made: Vec<String>,
    watches: BTreeMap<String, JoinHandle<Result<Vec<Value>, String>>>,
}

impl Run {
    async fn execute(&mut self, world: &'static World, case: &Case) -> Result<(), String> {
        static COUNTER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let namespace = format!("c-{number:08x}");
        self.names.insert("NS".to_owned(), namespace.clone().into());
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let request = json!({"method": "POST", "path": "/api/v1/namespaces", "body": body});
        let made = send(world, &request, &self.names).await?.read().await;
        if made.status != 201 {
            return Err(format!("the namespace was not made: {}", made.text));
        }
        self.made.push(format!("/api/v1/namespaces/{namespace}"));
        for (i, step) in case.input["steps"].as_array().into_iter().flatten().enumerate() {
            self.step(world, step).await.map_err(|e| format!("step {}: {e}", i + 1))?;
        }
        Ok(())
    }

    async fn step(&mut self, world: &'static World, step: &Value) -> Result<(), String> {
        if let Some(seconds) = step["sleep"].as_f64() {
            sleep(Duration::from_secs_f64(seconds)).await;
            return Ok(());
        }
        if let Some(watch) = step.get("watch") {
            let events = open_watch(world, watch, &self.names).await?;
            if let Some(name) = watch["background"].as_str() {
                self.watches.insert(name.to_owned(), tokio::spawn(events));
                // The watch starts to wait before the next step changes something.
                tokio::task::yield_now().await;
                return Ok(());
            }
            return self.events(step, events.await?);
        }
        if let Some(name) = step["await"].as_str() {
            let watch = self.watches.remove(name).ok_or("no such watch")?;
            return self.events(step, watch.await.map_err(|e| e.to_string())??);
        }
        let seconds = step["retry"]["timeoutSeconds"].as_u64().map(|n| n.min(15));
        let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(0));
        let what = || format!("{} {}", step["request"]["method"].as_str().unwrap_or_default(), step["request"]["path"]);
        loop {
            let answer = send(world, &step["request"], &self.names).await?.read().await;
            self.note(&step["request"], &answer)?;
            match self.compare(&step["expect"], &answer) {
                Ok(()) => return self.capture(step, &answer.json),
                Err(difference) if seconds.is_none() || Instant::now() > until => {
                    return Err(format!("({}): {difference}", what()));
                }
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Remembers what has to be deleted at the end.
    fn note(&mut self, request: &Value, answer: &Answer) -> Result<(), String> {
        let path = fill(request["path"].as_str().unwrap_or_default(), &self.names)?;
        let kept = ["/api/v1/namespaces", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"];
        if answer.status == 201
            && kept.contains(&path.as_str())
            && let Some(name) = answer.json["metadata"]["name"].as_str()
        {
            self.made.push(format!("{path}/{name}"));
        }
        Ok(())
    }

    fn compare(&self, expect: &Value, answer: &Answer) -> Result<(), String> {
        if expect["status"] != answer.status {
            let text: String = answer.text.chars().take(300).collect();
            return Err(format!("status: expected {}, got {} {text}", expect["status"], answer.status));
        }
        if let Some(body) = expect.get("body") {
            if !answer.is_json {
                return Err(format!("expected JSON, got {}", answer.text));
            }
            diff(body, Some(&answer.json), &self.names, "$")?;
        } else if let Some(text) = expect.get("bodyText") {
            diff(text, Some(&Value::from(answer.text.clone())), &self.names, "bodyText")?;
        }
        for (name, want) in expect["headers"].as_object().into_iter().flatten() {
            let got: Vec<Value> = answer
                .headers
                .iter()
                .filter(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, v)| v.as_str().into())
                .collect();
            let at = format!("header {name}");
            if want.is_array() {
                diff(want, Some(&got.into()), &self.names, &at)?;
            } else {
                diff(want, got.first(), &self.names, &at)?;
            }
        }
        Ok(())
    }

    fn events(&mut self, step: &Value, mut events: Vec<Value>) -> Result<(), String> {
        if step["ignoreBookmarks"] == true {
            events.retain(|event| event["type"] != "BOOKMARK");
        }
        let events = Value::Array(events);
        diff(&step["expect"], Some(&events), &self.names, "events")?;
        self.capture(step, &events)
    }

    fn capture(&mut self, step: &Value, document: &Value) -> Result<(), String> {
        for (name, at) in step["capture"].as_object().into_iter().flatten() {
            let at = at.as_str().unwrap_or_default();
            let value = pointer(document, at).ok_or_else(|| format!("nothing to capture at {at} as {name}"))?;
            self.names.insert(name.clone(), value.clone());
        }
        Ok(())
    }

    async fn clean_up(self, world: &World) {
        for watch in self.watches.into_values() {
            watch.abort();
        }
        for path in self.made.into_iter().rev() {
            let request = json!({"method": "DELETE", "path": path, "query": {"propagationPolicy": "Background"}});
            // What is gone already needs no deletion, and nothing depends on the answer.
            if let Ok(open) = send(world, &request, &Names::new()).await {
                drop(open.read().await);
            }
        }
    }
}

/// Opens a watch; the future reads its events until there are enough.
async fn open_watch(
    world: &World,
    watch: &Value,
    names: &Names,
) -> Result<impl Future<Output = Result<Vec<Value>, String>> + use<>, String> {
    let open = send(world, watch, names).await?;
    if open.0.status() != 200 {
        return Err(format!("the watch answered {}", open.read().await.text));
    }
    let until = watch["until"].clone();
    let limit = Instant::now() + Duration::from_secs_f64(watch["timeout"].as_f64().unwrap_or(30.0));
    Ok(read_watch(open, until, limit))
}

async fn read_watch(open: Open, until: Value, limit: Instant) -> Result<Vec<Value>, String> {
    let mut body = open.0.into_body();
    let mut events: Vec<Value> = Vec::new();
    let mut rest = Vec::new();
    let enough = |events: &[Value]| match &until {
        Value::Number(n) => n.as_u64().is_some_and(|n| events.len() as u64 >= n),
        Value::String(word) if word == "bookmark" => events.iter().any(|e| e["type"] == "BOOKMARK"),
        Value::String(word) if word == "status" => events.iter().any(|e| e["type"] == "ERROR"),
        _ => false,
    };
    while !enough(&events) {
        let Ok(frame) = timeout_at(limit, body.frame()).await else {
            let kinds: Vec<&Value> = events.iter().map(|e| &e["type"]).collect();
            return Err(format!("the watch did not reach {until}; events so far: {kinds:?}"));
        };
        let Some(Ok(frame)) = frame else { break };
        rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if let Ok(event) = serde_json::from_slice(&line) {
                events.push(event);
            }
        }
    }
    Ok(events)
}
