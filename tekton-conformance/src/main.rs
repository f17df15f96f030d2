//! Runs recorded conformance cases and prints how many pass, suite by suite.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use serde_json::json;
use tekton_conformance::{Floor, Report, cases_dir, read_suite, run_suite, suite_names, suites};

#[cfg(feature = "engine")]
mod simulate;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs recorded conformance cases against every layer and prints `suite passed total`.
///
/// Exit code: 0 when no suite is below its floor, 1 when one is, 2 for bad usage or unreadable cases.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Folder of recorded cases [default: $TEKTON_CONFORMANCE_DIR, else ../shared/conformance].
    #[arg(long, value_name = "D")]
    dir: Option<PathBuf>,
    /// Only this suite; may be given more than once.
    #[arg(long = "suite", value_name = "S")]
    suites: Vec<String>,
    /// Only the case with this id.
    #[arg(long, value_name = "ID")]
    case: Option<String>,
    /// Print the first N failures of each suite.
    #[arg(long, value_name = "N", default_value_t = 0)]
    failures: usize,
    /// Print `{"suites":{"<suite>":{"passed":n,"total":m}}}` alone on standard output.
    #[arg(long)]
    json: bool,
    /// Fail when a suite is below the floor that this file records.
    #[arg(long, value_name = "FILE")]
    floor: Option<PathBuf>,
    /// Raise the floors in `conformance.floor.toml` (or the file of --floor) to what passes now.
    #[arg(long)]
    raise_floor: bool,
}

/// What else the program can do.
#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "engine")]
    Simulate(simulate::Simulate),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[cfg(feature = "engine")]
    if let Some(Command::Simulate(simulate)) = &arguments.command {
        return if simulate::run(simulate) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stdout, reason = "the figures are this program's output")]
fn run(arguments: &Arguments) -> Result<bool, Box<dyn std::error::Error>> {
    let Some(dir) = arguments.dir.clone().or_else(cases_dir) else {
        // Without the recordings there is nothing to compare with; that is not a failure of the code.
        eprintln!("skipped: no folder of recorded cases; name one with --dir or TEKTON_CONFORMANCE_DIR");
        if arguments.json {
            println!("{}", json!({"suites": {}}));
        }
        return Ok(true);
    };
    // Panics are caught and reported with their case.
    std::panic::set_hook(Box::new(|_| {}));

    let names = if arguments.suites.is_empty() { suite_names(&dir)? } else { arguments.suites.clone() };
    let bindings = suites::bindings();
    let mut reports = BTreeMap::new();
    for name in names {
        let mut cases = read_suite(&dir, &name)?;
        if let Some(id) = &arguments.case {
            cases.retain(|case| case.id == *id);
        }
        let started = Instant::now();
        let report = match bindings.iter().find(|binding| binding.suite == name) {
            Some(binding) => run_suite(binding, &cases),
            None => Report { passed: 0, total: cases.len(), failures: Vec::new() },
        };
        if !arguments.json {
            println!("{name} {} {}", report.passed, report.total);
            if arguments.failures > 0 {
                print_failures(&report, arguments.failures, started.elapsed().as_secs_f64());
            }
        }
        reports.insert(name, report);
    }
    if arguments.json {
        let suites: BTreeMap<_, _> = reports
            .iter()
            .map(|(name, report)| (name, json!({"passed": report.passed, "total": report.total})))
            .collect();
        println!("{}", json!({"suites": suites}));
    } else {
        let (passed, total) = reports.values().fold((0, 0), |(p, t), r| (p + r.passed, t + r.total));
        println!("all {passed} {total}");
    }
    hold_floor(arguments, &reports)
}

#[expect(clippy::print_stdout, reason = "the figures are this program's output")]
fn print_failures(report: &Report, most: usize, seconds: f64) {
    for failure in report.failures.iter().take(most) {
        println!("  FAIL {} ({})", failure.id, failure.source);
        for line in failure.differences.lines() {
            println!("    {line}");
        }
    }
    println!("  in {seconds:.2} s");
}

fn hold_floor(arguments: &Arguments, reports: &BTreeMap<String, Report>) -> Result<bool, Box<dyn std::error::Error>> {
    if arguments.raise_floor {
        let path = arguments.floor.clone().unwrap_or_else(|| PathBuf::from("conformance.floor.toml"));
        let mut floor = if path.exists() { Floor::read(&path)? } else { Floor::default() };
        floor.raise(reports);
        floor.write(&path)?;
        return Ok(true);
    }
    let Some(path) = &arguments.floor else { return Ok(true) };
    let floor = Floor::read(path)?;
    let broken = floor.broken(reports);
    for (suite, floor, passed) in &broken {
        eprintln!("error: suite {suite} passed {passed} cases, below its floor of {floor}");
    }
    Ok(broken.is_empty())
}
