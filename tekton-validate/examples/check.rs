//! Checks the files named on the command line and prints what is wrong: `cargo run --example check -- FILE…`.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::process::ExitCode;

use tekton_validate::{Options, Source, check_files, render};

fn main() -> ExitCode {
    let mut sources = Vec::new();
    for name in std::env::args().skip(1) {
        match std::fs::read_to_string(&name) {
            Ok(text) => sources.push(Source { name, text }),
            Err(problem) => {
                println!("{name}: {problem}");
                return ExitCode::from(2);
            }
        }
    }
    let report = check_files(&sources, &Options { lint: true, ..Options::default() });
    println!("{}", render::text(&report, &sources));
    ExitCode::from(report.exit_code())
}
