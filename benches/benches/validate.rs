//! From YAML text to the verdict of admission: real manifests, and pipelines of growing size.
//!
//! `cargo bench -p tekton-benches --bench validate` prints documents per second over the folder of real manifests,
//! when there is one (`TEKTON_REALWORLD_DIR`, else `../shared/realworld` beside the workspace), with the median and
//! the 99th percentile per document and the time of the largest file; then microseconds a task for generated
//! pipelines, and the time to check one document again.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]
#![expect(clippy::cast_precision_loss, reason = "figures are printed with three digits")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tekton_types::Object;
use tekton_types::config::Config;
use tekton_types::yaml;
use tekton_validate::{Operation, Options, Source, check_files, validate};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;

fn main() {
    real();
    for size in [100, 1_000, 10_000] {
        sized("Pipeline, references in a chain", size, &pipeline(size));
    }
    for size in [100, 1_500] {
        sized("PipelineRun, tasks in place", size, &run_in_place(size));
    }
    recheck();
}

/// What an editor does after a key stroke: everything about one document of 500 lines, places and lint included.
fn recheck() {
    let mut text = run_in_place(60);
    text.truncate(text.match_indices('\n').nth(499).map_or(text.len(), |(at, _)| at + 1));
    let options = Options { lint: true, ..Options::default() };
    let source = Source { name: "ci.yaml".to_owned(), text };
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(check_files(std::slice::from_ref(&source), &options));
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("a document of {} lines checked again, with lint: {:?}", source.text.lines().count(), times[25]);
}

fn real() {
    let dir = std::env::var_os("TEKTON_REALWORLD_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/realworld"), PathBuf::from);
    let mut texts = Vec::new();
    collect(&dir, &mut texts);
    if texts.is_empty() {
        println!("no folder of real manifests: skipped");
        return;
    }
    let config = Config::default();
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..ROUNDS {
        for text in &texts {
            let start = Instant::now();
            let documents = verdicts(text, &config);
            let each = start.elapsed() / documents.max(1);
            times.extend(std::iter::repeat_n(each, documents as usize));
        }
    }
    if let Some(largest) = texts.iter().max_by_key(|text| text.len()) {
        sized("the largest of them", largest.matches("taskSpec:").count(), largest);
    }
    times.sort_unstable();
    let total: Duration = times.iter().sum();
    println!(
        "real manifests: {} documents, {:.0} documents/s, p50 {:?}, p99 {:?}, max {:?}",
        times.len() / ROUNDS,
        times.len() as f64 / total.as_secs_f64(),
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1]
    );
}

fn collect(dir: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, texts);
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            texts.extend(fs::read_to_string(&path));
        }
    }
}

/// How many of Tekton's objects were looked at.
fn verdicts(text: &str, config: &Config) -> u32 {
    let mut looked_at = 0;
    for document in yaml::parse_each(text) {
        let Ok(document) = document else { break };
        if let (Some(mut object), _) = Object::observe(&document)
            && !matches!(object, Object::Other(_))
        {
            object.set_defaults(config, true);
            std::hint::black_box(validate(&object, config, Operation::Create));
            looked_at += 1;
        }
    }
    looked_at
}

fn sized(what: &str, size: usize, text: &str) {
    let config = Config::default();
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            verdicts(text, &config);
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    println!("{what}: {size} tasks in {best:?}, {:.1} µs a task", best.as_secs_f64() * 1e6 / size as f64);
}

fn pipeline(size: usize) -> String {
    let mut text =
        "apiVersion: tekton.dev/v1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n  params: [{name: a}]\n  tasks:\n"
            .to_owned();
    for index in 0..size {
        let _ = write!(
            text,
            "  - name: t{index}\n    taskRef: {{name: task}}\n    params:\n    - {{name: x, value: $(params.a)}}\n"
        );
        if index > 0 {
            let _ = writeln!(text, "    - {{name: y, value: $(tasks.t{}.results.r)}}", index - 1);
        }
    }
    text
}

fn run_in_place(size: usize) -> String {
    let mut text = "apiVersion: tekton.dev/v1\nkind: PipelineRun\nmetadata: {name: p}\nspec:\n  params: [{name: a, value: b}]\n  pipelineSpec:\n    params: [{name: a}]\n    tasks:\n".to_owned();
    for index in 0..size {
        let _ = write!(
            text,
            "    - name: t{index}\n      params:\n      - {{name: p{index}, value: $(params.a)}}\n      taskSpec:\n        params: [{{name: p{index}}}]\n        results: [{{name: r}}]\n        steps:\n        - name: main\n          image: alpine\n          command: [sh, -c]\n          args: ['echo \"$0\" > $(results.r.path)', '$(params.p{index})']\n"
        );
        if index > 0 {
            let _ = writeln!(text, "      runAfter: [t{}]", index - 1);
        }
    }
    text
}
