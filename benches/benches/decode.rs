//! From bytes to objects: reading YAML, decoding it strictly, writing it, converting and migrating, over real manifests.
//!
//! `cargo bench -p tekton-benches --bench decode` prints documents and megabytes per second for each stage over the
//! folder of real manifests, when there is one (`TEKTON_REALWORLD_DIR`, else `../shared/realworld` beside the workspace).

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]
#![expect(clippy::cast_precision_loss, reason = "figures are printed with three digits")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use tekton_types::decode::Mode;
use tekton_types::migrate::{self, migrate};
use tekton_types::v1beta1::convert::to_hub;
use tekton_types::{Object, yaml};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;

fn main() {
    let texts = tekton_benches::real_manifests();
    if texts.is_empty() {
        println!("no folder of real manifests: skipped");
        return;
    }
    let options = migrate::Options::default();
    let trees: Vec<Vec<yaml::Document<'_>>> =
        texts.iter().map(|text| yaml::parse_each(text).flatten().collect()).collect();
    let objects: Vec<Vec<Object>> = trees
        .iter()
        .map(|documents| documents.iter().filter_map(|d| Object::decode(d, Mode::Strict).ok()).collect())
        .collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    let documents: usize = trees.iter().map(Vec::len).sum();
    println!("{} files, {documents} documents, {:.1} MB", texts.len(), bytes as f64 / 1e6);
    let sizes: Vec<usize> = trees.iter().map(Vec::len).collect();
    let stage = |what: &str, work: &dyn Fn(usize)| measure(what, &sizes, bytes, work);
    stage("read YAML", &|at| {
        black_box(yaml::parse_each(&texts[at]).flatten().count());
    });
    stage("decode strictly", &|at| {
        for document in &trees[at] {
            let _ = black_box(Object::decode(document, Mode::Strict));
        }
    });
    stage("read and decode", &|at| {
        for document in yaml::parse_each(&texts[at]).flatten() {
            let _ = black_box(Object::decode(&document, Mode::Strict));
        }
    });
    stage("write JSON", &|at| {
        for object in &objects[at] {
            black_box(object.to_json());
        }
    });
    stage("convert to v1", &|at| {
        for object in &objects[at] {
            let _ = black_box(to_hub(object.clone()));
        }
    });
    stage("migrate as text", &|at| {
        let _ = black_box(migrate(&texts[at], &options));
    });
}

fn measure(what: &str, sizes: &[usize], bytes: usize, work: &dyn Fn(usize)) {
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..ROUNDS {
        for (at, documents) in sizes.iter().enumerate().filter(|(_, documents)| **documents > 0) {
            let start = Instant::now();
            work(at);
            let each = start.elapsed() / u32::try_from(*documents).unwrap_or(u32::MAX);
            times.extend(std::iter::repeat_n(each, *documents));
        }
    }
    times.sort_unstable();
    let total: Duration = times.iter().sum();
    println!(
        "{what}: {:.0} documents/s, {:.1} MB/s, p50 {:?}, p99 {:?}",
        times.len() as f64 / total.as_secs_f64(),
        (bytes * ROUNDS) as f64 / 1e6 / total.as_secs_f64(),
        times[times.len() / 2],
        times[times.len() * 99 / 100],
    );
}
