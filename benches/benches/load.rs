//! Load: many PipelineRuns of five tasks in one local cluster whose containers end at once.
//!
//! `cargo bench -p tekton-benches --bench load -- RUNS` prints throughput, requests to the API server for each TaskRun,
//! the delay with which a watch delivers a write while all of that goes on, and the memory that it took. The API server,
//! the node, the controller and this program's own watches are one process on two threads.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use serde_json::json;
use tekton_controller::Options as ControllerOptions;
use tekton_engine::ClusterFacts;
use tekton_local::node::{Node, NodeOptions};
use tekton_local::runtime::{
    Container, ContainerSpec, ExecSpec, Executed, Exit, Runtime, RuntimeChoice, StartError, Started,
};
use tekton_local::{ApiService, LocalCluster, Options, TektonAdmission};
use tekton_types::v1::PipelineRun;
use tower_service::Service;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// PipelineRuns when no number is given.
const RUNS: usize = 1000;
/// Tasks of each.
const TASKS: usize = 5;
/// PipelineRuns that go on at the same time.
const AT_ONCE: usize = 50;

/// A runtime whose containers end well at once.
struct NoOp;
struct Ended;

impl Container for Ended {
    fn id(&self) -> String {
        "noop://0".to_owned()
    }
    fn wait(&self) -> BoxFuture<'_, Exit> {
        Box::pin(std::future::ready(Exit { code: 0, signal: None, out_of_memory: false }))
    }
    fn signal(&self, _: i32) {}
    fn exec(&self, _: ExecSpec) -> BoxFuture<'_, Result<Executed, StartError>> {
        Box::pin(std::future::ready(Err(StartError::Create("nothing runs here".to_owned()))))
    }
}

impl Runtime for NoOp {
    fn name(&self) -> &'static str {
        "no-op"
    }
    fn check(&self) -> BoxFuture<'_, Result<(), StartError>> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn start(&self, _: ContainerSpec) -> BoxFuture<'_, Result<Started, StartError>> {
        let (stdout, stderr) = (Box::pin(tokio::io::empty()), Box::pin(tokio::io::empty()));
        Box::pin(std::future::ready(Ok(Started {
            container: Arc::new(Ended),
            stdout,
            stderr,
            stdin: None,
            terminal: None,
        })))
    }
}

/// How often what was asked of the API server.
type Counts = Arc<Mutex<BTreeMap<String, usize>>>;

/// A front of the API server that counts.
#[derive(Clone)]
struct Counting {
    inner: ApiService,
    counts: Counts,
}

impl Service<Request<kube::client::Body>> for Counting {
    type Response = Response<tekton_local::api::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let path = request.uri().path().trim_end_matches('/');
        let parts: Vec<&str> = path.split('/').skip_while(|part| *part != "namespaces").skip(2).collect();
        let what = match parts.as_slice() {
            [plural, _, subresource] => format!("{plural}/{subresource}"),
            [plural, ..] => (*plural).to_owned(),
            [] => path.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        let key = format!("{} {what}", request.method());
        let counts = Arc::clone(&self.counts);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().map_or(0, |response| response.status().as_u16());
            // What was refused has been asked for too, and is told apart.
            let key = if code < 300 { key } else { format!("{key} ({code})") };
            *counts.lock().expect("nobody panics here").entry(key).or_default() += 1;
            answer
        })
    }
}

fn counting(cluster: &LocalCluster) -> (Client, Counts) {
    let counts = Counts::default();
    let inner = ApiService::new(Arc::clone(cluster.api()));
    (Client::new(Counting { inner, counts: Arc::clone(&counts) }, "default"), counts)
}

fn run(index: usize) -> PipelineRun {
    let step = json!([{"name": "s", "image": "none", "command": ["true"]}]);
    let task = |n: usize| {
        let after: Vec<String> = if n == 0 || n == TASKS - 1 { Vec::new() } else { vec!["t0".to_owned()] };
        json!({"name": format!("t{n}"), "runAfter": after, "taskSpec": {"steps": step}})
    };
    let tasks: Vec<_> = (0..TASKS).map(task).collect();
    let run = json!({"metadata": {"name": format!("run-{index}")}, "spec": {"pipelineSpec": {"tasks": tasks}}});
    serde_json::from_value(run).expect("a PipelineRun")
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let runs = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(RUNS);
    let dir = std::env::temp_dir().join(format!("tekton-load-{}", std::process::id()));
    let cluster = LocalCluster::start(Options {
        namespaces: vec!["tekton-pipelines".to_owned()],
        admission: vec![Arc::new(TektonAdmission::default())],
        ..Options::default()
    });
    let (of_node, node_counts) = counting(&cluster);
    let (of_controller, controller_counts) = counting(&cluster);
    let options =
        NodeOptions { ephemeral: true, runtime: RuntimeChoice::Given(Arc::new(NoOp)), ..NodeOptions::new(&dir) };
    let node = Node::start(of_node, options).await.expect("a node");
    cluster.set_logs(node.logs());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let options = ControllerOptions {
        cluster: ClusterFacts { images: tekton_local::images(), ..ClusterFacts::default() },
        ..ControllerOptions::default()
    };
    let controller = tokio::spawn(tekton_controller::run(of_controller, options, async {
        // A dropped sender means the same as a sent word.
        let _ = stopped.await;
    }));
    let delays = tokio::spawn(delays(cluster.client()));

    let began = Instant::now();
    let api: Api<PipelineRun> = Api::default_namespaced(cluster.client());
    let mut events = watcher(api.clone(), watcher::Config::default()).boxed();
    let (mut created, mut done) = (0, std::collections::BTreeSet::new());
    while done.len() < runs {
        while created < runs && created < done.len() + AT_ONCE {
            api.create(&PostParams::default(), &run(created)).await.expect("created");
            created += 1;
        }
        if let Some(Ok(watcher::Event::Apply(run) | watcher::Event::InitApply(run))) = events.next().await
            && run.status.completion_time.is_some()
        {
            let condition = &run.status.conditions[0];
            assert_eq!(condition.status, "True", "{}", condition.message);
            done.insert(run.name_any());
        }
    }
    let took = began.elapsed();
    delays.abort();
    print(runs, took, &[("controller", controller_counts), ("node", node_counts)]);
    drop(stop);
    // A controller that panicked has ended too.
    let _ = controller.await;
    node.shutdown().await;
    cluster.stop().await;
}

/// Writes a ConfigMap every few milliseconds and prints how long a watch takes to tell of it.
async fn delays(client: Client) {
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let epoch = Instant::now();
    let writer = maps.clone();
    tokio::spawn(async move {
        loop {
            let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "clock"},
                "data": {"at": epoch.elapsed().as_micros().to_string()}});
            let params = PatchParams::apply("load").force();
            if writer.patch("clock", &params, &Patch::Apply(&map)).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let mut events = watcher(maps, watcher::Config::default().fields("metadata.name=clock")).boxed();
    let mut all = Vec::new();
    let mut said = Instant::now();
    while let Some(event) = events.next().await {
        let Ok(watcher::Event::Apply(map)) = event else { continue };
        let at: u128 = map.data.and_then(|data| data.get("at")?.parse().ok()).unwrap_or_default();
        all.push(epoch.elapsed().as_micros().saturating_sub(at));
        if said.elapsed() > Duration::from_secs(2) {
            all.sort_unstable();
            let share = |percent: usize| all[(all.len() - 1) * percent / 100];
            println!("from write to watch so far: median {} µs, p99 {} µs, {} writes", share(50), share(99), all.len());
            said = Instant::now();
        }
    }
}

fn print(runs: usize, took: Duration, counts: &[(&str, Counts)]) {
    let task_runs = runs * TASKS;
    let per = |count: usize| {
        f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / f64::from(u32::try_from(task_runs).unwrap_or(1))
    };
    println!("{runs} PipelineRuns of {TASKS} tasks in {:.1} s", took.as_secs_f64());
    println!("{:.0} TaskRuns a second", 1.0 / (took.as_secs_f64() / f64::from(u32::try_from(task_runs).unwrap_or(1))));
    for (who, counts) in counts {
        let counts = counts.lock().expect("nobody panics here");
        let (reads, writes): (Vec<_>, Vec<_>) = counts.iter().partition(|(what, _)| what.starts_with("GET"));
        let sum = |of: &[(&String, &usize)]| of.iter().map(|(_, count)| **count).sum::<usize>();
        println!("{who}: {:.2} writes and {:.2} reads for each TaskRun", per(sum(&writes)), per(sum(&reads)));
        for (what, count) in writes.iter().chain(&reads).filter(|(_, count)| **count * 20 > task_runs) {
            println!("    {:.2} {what}", per(**count));
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        println!("peak resident memory {}", peak.trim());
    }
}
