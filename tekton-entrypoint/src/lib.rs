//! The program that starts every step of a Tekton Task: it waits for its turn, runs the command, collects what
//! the command left behind, and lets the next step go.
//!
//! ```no_run
//! // What the binary does: read the command line, act, and give back the exit code.
//! std::process::exit(tekton_entrypoint::main());
//! ```
//!
//! One binary answers to four names, those of upstream's images: `entrypoint` (also with the subcommands `cp`,
//! `init`, `step-init` and `decode-script`), `nop`, `workingdirinit` and `sidecarlogresults`. Flags, files, exit
//! codes and texts are upstream's; the flags are parsed by [`tekton_contract::argv::EntrypointArgs`], the very type
//! that prints them. Waiting is by inotify with a poll of one second behind it, on one thread.
//!
//! It signs no results: with `-enable_spire` a step that has results to sign fails, as upstream's does without
//! an agent.

mod artifacts;
mod breakpoint;
mod calendar;
mod cel;
mod creds;
mod fs;
mod log;
mod nop;
mod platform;
mod run;
mod sidecar;
mod spire;
mod step;
mod subcommand;
mod substitute;
#[cfg_attr(unix, path = "sys/unix.rs")]
#[cfg_attr(windows, path = "sys/windows.rs")]
mod sys;
mod wait;
mod when;
mod workingdir;

use std::ffi::OsString;

use tekton_contract::argv::{self, EntrypointArgs, Refused};

/// [`main`] for a binary without the standard library's start-up: closed standard streams are opened first, and the
/// arguments are those that the C library gave.
pub fn start(args: impl IntoIterator<Item = OsString>) -> i32 {
    sys::open_standard_descriptors();
    run_program(args)
}

/// Runs the program that `argv[0]` names, and gives back its exit code.
pub fn main() -> i32 {
    run_program(std::env::args_os())
}

fn run_program(args: impl IntoIterator<Item = OsString>) -> i32 {
    let mut args = args.into_iter().map(|arg| match arg.into_string() {
        Ok(arg) => arg,
        // Kubernetes passes text only; what a person passes by hand may be anything.
        Err(arg) => tekton_contract::json::text(arg.as_encoded_bytes()),
    });
    let program = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    match sys::program_name(&program) {
        "nop" => nop::main(&args),
        "workingdirinit" => workingdir::main(&args),
        "sidecarlogresults" => sidecar::main(&program, &args),
        _ => entrypoint(&program, &args),
    }
}

fn entrypoint(program: &str, args: &[String]) -> i32 {
    sys::install_signal_dispositions();
    let mut credentials = creds::Credentials::default();
    let parsed = match EntrypointArgs::parse_with(args, |credential| credentials.add(credential)) {
        Ok(parsed) => parsed,
        Err(Refused::Help) => {
            log::raw(&argv::usage(program));
            return 0;
        }
        Err(Refused::Flag(text)) => {
            log::raw(&format!("{text}\n{}", argv::usage(program)));
            return 2;
        }
    };
    if let Some(code) = subcommand::process(&parsed.positional) {
        return code;
    }
    step::main(&parsed.flags, &credentials)
}
