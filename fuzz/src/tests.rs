//! Every target over manifests and over mutations of them, on a stable toolchain and without a fuzzer.

use std::path::{Path, PathBuf};

use super::*;

type Target = fn(&[u8]);

const TARGETS: &[(&str, Target)] = &[
    ("yaml_decode", yaml_decode),
    ("references", references),
    ("param_value", param_value),
    ("duration_quantity", duration_quantity),
    ("convert", convert),
    ("migrate", migrate),
];

/// Texts from which inputs are made.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        ["$(params.a)$(x)$(params[\"c d\"]", "[\"a\", {\"b\": 1}]", "1h2m3.5s", "1.5Gi", "1e3", "{a: &x [1], b: *x}"]
            .map(|text| text.as_bytes().to_vec())
            .into();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/yaml");
    let mut folders = vec![examples];
    folders.extend(std::env::var_os("FUZZ_SEEDS").map(PathBuf::from));
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
                seeds.extend(std::fs::read(&path));
            }
        }
    }
    seeds
}

/// A small generator of numbers; the same seed gives the same run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap_or_default()
    }
}

/// Pieces that parsers care about.
const PIECES: &[&str] = &[
    "$(", ")", "- ", ": ", "\n", "  ", "{", "}", "[", "]", "&a ", "*a", "<<: ", "|\n", "\"", "'", "#", "null", "v1beta1",
    "resources:", "ports: []", "kind: ClusterTask", "bundle: b", "inputs.params.", "\t", "\u{e9}", "---\n", "!!str ", "? ",
];

fn mutated(numbers: &mut Numbers, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[numbers.below(seeds.len())].clone();
    data.truncate(4000);
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(data.len() + 1);
        let to = (at + numbers.below(20)).min(data.len());
        match numbers.below(4) {
            0 => drop(data.drain(at..to)),
            1 => drop(data.splice(at..at, PIECES[numbers.below(PIECES.len())].bytes())),
            2 => drop(data.splice(at..to, PIECES[numbers.below(PIECES.len())].bytes())),
            _ => {
                let other = &seeds[numbers.below(seeds.len())];
                let from = numbers.below(other.len() + 1);
                drop(data.splice(at..to, other[from..(from + numbers.below(60)).min(other.len())].to_vec()));
            }
        }
    }
    data
}

/// `FUZZ_RUNS` says how many inputs each target gets.
#[test]
fn the_targets_hold_on_manifests_and_mutations_of_them() {
    let runs: usize = std::env::var("FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(2000);
    let seeds = seeds();
    for (name, target) in TARGETS {
        seeds.iter().for_each(|seed| target(seed));
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for run in 0..runs {
            let data = mutated(&mut numbers, &seeds);
            let outcome = std::panic::catch_unwind(|| target(&data));
            assert!(outcome.is_ok(), "{name}, run {run}:\n{}", String::from_utf8_lossy(&data));
        }
    }
}
