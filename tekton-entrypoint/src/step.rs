//! One step, from its command line to its exit code.

mod collect;

use std::time::Duration;

use tekton_contract::{
    argv::{EntrypointArgs, ON_ERROR_CONTINUE, RESULT_FROM_TERMINATION_MESSAGE},
    paths,
    termination::{self, ResultType, RunResult},
    var::extract::go_quote,
};

use crate::{
    breakpoint, calendar,
    creds::{self, Credentials},
    fs::{self, PathError},
    log, platform,
    run::{self, Copies, Limits, RunError},
    substitute, sys,
    wait::{self, WaitError},
    when::{self, When},
};

/// Go's exit code of a program that a panic ends.
const PANIC_CODE: i32 = 2;
/// The exit code of a cancelled step: that of a killed process, as a shell counts signals without 128.
const CANCELLED_CODE: i32 = 9;

/// How a step did not succeed.
#[derive(Debug)]
enum StepError {
    /// An earlier step failed.
    Skipped,
    /// A person refused to run the step.
    BreakpointRefused,
    /// Results are larger than the termination message may be.
    TooLong,
    /// The command ended without success, or was ended.
    Run(RunError),
    /// Anything else, in words.
    Failed(String),
    /// The program ends at once with this code, and nothing more is written.
    Left(i32),
    /// The program ends at once with this code; the termination message is written.
    Panicked(String),
}

impl From<PathError> for StepError {
    fn from(error: PathError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Runs a step; its exit code.
pub(crate) fn main(flags: &EntrypointArgs, credentials: &Credentials) -> i32 {
    credentials.write();
    let mut command = match flags.entrypoint.as_ref().filter(|program| !program.is_empty()) {
        Some(program) => vec![program.clone()],
        None => match platform::command() {
            Ok(command) => command,
            Err(text) => return log::fatal(&text),
        },
    };
    command.extend_from_slice(&flags.args);
    let when = if flags.when_expressions.is_empty() {
        Vec::new()
    } else {
        match when::parse(&flags.when_expressions) {
            Ok(when) => when,
            Err(error) => return log::fatal(&error.to_string()),
        }
    };
    let spire = flags.enable_spire && flags.spire_socket_path.as_deref() != Some("");
    if spire {
        log::line("SPIRE is enabled in this build, enableSpire is supported");
    }
    creds::copy_to_home();
    let step = Step {
        flags,
        termination_path: flags.termination_path.as_deref().unwrap_or(paths::TERMINATION),
        to_message: flags.result_from.as_deref().is_none_or(|from| from == RESULT_FROM_TERMINATION_MESSAGE),
        spire,
    };
    step.main(command, when)
}

struct Step<'a> {
    flags: &'a EntrypointArgs,
    termination_path: &'a str,
    /// Results go into the termination message.
    to_message: bool,
    spire: bool,
}

impl Step<'_> {
    fn main(&self, command: Vec<String>, when: Vec<When>) -> i32 {
        let mut output = Vec::new();
        let outcome = self.go(command, when, &mut output);
        if let Err(StepError::Left(code)) = outcome {
            return code;
        }
        if let Err(error) = self.write_message(output) {
            let text = match error {
                StepError::Failed(text) => text,
                _ => termination::TooLong.to_string(),
            };
            return log::fatal(&format!("Error while writing message: {text}"));
        }
        let Err(error) = outcome else { return 0 };
        match error {
            StepError::BreakpointRefused => {
                log::fatal("Skipping execute step script because before step breakpoint fail-continue")
            }
            StepError::Skipped => log::fatal("Skipping step because a previous step failed"),
            StepError::TooLong => log::fatal(&termination::TooLong.to_string()),
            StepError::Run(RunError::Cancelled) => {
                log::line("Step was cancelled");
                CANCELLED_CODE
            }
            StepError::Run(RunError::TimedOut) => log::fatal("context deadline exceeded"),
            StepError::Run(RunError::Exit(code)) => match self.breakpoint_on_failure() {
                Some(code) => code,
                None if self.flags.on_error == ON_ERROR_CONTINUE => 0,
                None => sys::exit_code(code),
            },
            StepError::Run(RunError::Failed(text)) | StepError::Failed(text) => {
                self.breakpoint_on_failure().unwrap_or_else(|| log::fatal(&format!("Error executing command: {text}")))
            }
            StepError::Panicked(text) => {
                log::raw(&format!("panic: {text}\n\ngoroutine 1 [running]:\n"));
                PANIC_CODE
            }
            StepError::Left(code) => code,
        }
    }

    fn go(&self, command: Vec<String>, when: Vec<When>, output: &mut Vec<RunResult>) -> Result<(), StepError> {
        let flags = self.flags;
        for name in [paths::STEP_RESULTS_DIR, paths::STEP_ARTIFACTS_DIR] {
            fs::make_all(&fs::join(&[&flags.step_metadata_dir, name]), 0o777)?;
        }
        // Now, and not between the end of the step before and the start of this one.
        calendar::prepare();
        for file in flags.wait_file.split(',') {
            match wait::wait_for(file, flags.wait_file_content) {
                Ok(()) => {}
                // A step that is being debugged does not stop those after it.
                Err(WaitError::Skip) if flags.breakpoint_on_failure => {}
                Err(error) => return self.wait_failed(error, output),
            }
        }
        let mut outcome = if flags.debug_before_step && !breakpoint::before_step(&flags.post_file) {
            Err(StepError::BreakpointRefused)
        } else {
            Ok(())
        };
        output.push(started_at());
        let timeout = flags.timeout.unwrap_or_default();
        if timeout < 0 {
            outcome = Err(StepError::Failed("negative timeout specified".to_owned()));
        }
        if outcome.is_ok() {
            let timeout = Duration::from_nanos(timeout.unsigned_abs());
            match self.run(command, when, timeout)? {
                Ran::Skipped => {
                    log::line("INFO Step was skipped due to when expressions were evaluated to false.");
                    output.push(internal(termination::REASON, termination::REASON_SKIPPED));
                    self.post(false)?;
                    return self.write_exit_code("0");
                }
                Ran::Ended(ended) => outcome = ended,
            }
        }
        self.report(&outcome, output)?;
        self.collect_results()?;
        if self.to_message {
            self.collect_artifacts(output)?;
        }
        outcome
    }

    fn wait_failed(&self, error: WaitError, output: &mut Vec<RunResult>) -> Result<(), StepError> {
        if !self.flags.breakpoint_on_failure {
            self.post(true)?;
        }
        output.push(started_at());
        Err(match error {
            WaitError::Skip => {
                output.push(internal(termination::REASON, termination::REASON_SKIPPED));
                StepError::Skipped
            }
            WaitError::Unreadable(text) => StepError::Failed(text),
        })
    }

    /// Fills in what earlier steps wrote, and runs the command where the when expressions let it.
    fn run(&self, mut command: Vec<String>, mut when: Vec<When>, timeout: Duration) -> Result<Ran, StepError> {
        let report = |outcome, what: &str| match outcome {
            Err(substitute::Error::Panic(text)) => Err(StepError::Panicked(text)),
            Err(substitute::Error::Reported(text)) => {
                log::error(&format!("Error while substituting step {what}:"), &text);
                Ok(())
            }
            Ok(()) => Ok(()),
        };
        report(substitute::step_results(&mut command, &mut when), "results")?;
        report(substitute::step_artifacts(&mut command), "artifacts")?;
        let mut limits = Limits::start(timeout);
        match when::allows(&when) {
            Ok(true) => {}
            Ok(false) => return Ok(Ran::Skipped),
            Err(text) => return Ok(Ran::Ended(Err(StepError::Failed(text)))),
        }
        let copies = Copies {
            output: self.flags.stdout_path.as_deref().unwrap_or_default(),
            error: self.flags.stderr_path.as_deref().unwrap_or_default(),
        };
        Ok(Ran::Ended(run::run(&command, copies, &mut limits).map_err(StepError::Run)))
    }

    /// Lets the next step go, and says how this one ended.
    fn report(&self, outcome: &Result<(), StepError>, output: &mut Vec<RunResult>) -> Result<(), StepError> {
        let flags = self.flags;
        match outcome {
            Err(StepError::BreakpointRefused) => self.post(true),
            Err(StepError::Run(RunError::Cancelled)) => {
                log::line("INFO Step was canceling");
                output.push(internal(termination::REASON, termination::REASON_CANCELLED));
                self.post(true)?;
                self.write_exit_code("killed")
            }
            Err(StepError::Run(RunError::TimedOut)) => {
                self.post(true)?;
                output.push(internal(termination::REASON, termination::REASON_TIMEOUT_EXCEEDED));
                Ok(())
            }
            Err(_) if flags.breakpoint_on_failure => {
                log::line("INFO Skipping writing to PostFile");
                Ok(())
            }
            Err(StepError::Run(RunError::Exit(code))) if flags.on_error == ON_ERROR_CONTINUE => {
                let code = code.to_string();
                output.push(internal(termination::EXIT_CODE, &code));
                self.post(false)?;
                self.write_exit_code(&code)
            }
            Ok(()) => {
                self.post(false)?;
                self.write_exit_code("0")
            }
            Err(_) => self.post(true),
        }
    }

    /// Waits for a person's decision, where that was asked for; the exit code that it gives.
    fn breakpoint_on_failure(&self) -> Option<i32> {
        self.flags.breakpoint_on_failure.then(|| breakpoint::on_failure(&self.flags.post_file))
    }

    /// Writes the file that the next step waits for.
    fn post(&self, failed: bool) -> Result<(), StepError> {
        let path = &self.flags.post_file;
        if path.is_empty() {
            return Ok(());
        }
        let path = if failed { format!("{path}.err") } else { path.clone() };
        post_file(&path, "")
    }

    fn write_exit_code(&self, code: &str) -> Result<(), StepError> {
        post_file(&fs::join(&[&self.flags.step_metadata_dir, paths::EXIT_CODE_FILE]), code)
    }
}

/// What came of the command.
enum Ran {
    /// A when expression did not hold.
    Skipped,
    /// It ran, or could not.
    Ended(Result<(), StepError>),
}

/// Writes a file that tells others about this step. Where that fails, the program ends at once.
fn post_file(path: &str, content: &str) -> Result<(), StepError> {
    let quoted = go_quote(path);
    let left = |text: String| StepError::Left(log::fatal(&text));
    fs::make_all(&fs::dir(path), 0o777)
        .map_err(|error| left(format!("Error creating parent directory of {quoted}: {error}")))?;
    fs::write(path, content.as_bytes(), 0o666).map(drop).map_err(|error| {
        let verb = if error.operation == "write" { "Writing" } else { "Creating" };
        left(format!("{verb} {quoted}: {error}"))
    })
}

fn internal(key: &str, value: &str) -> RunResult {
    RunResult::new(key, value, ResultType::INTERNAL)
}

fn started_at() -> RunResult {
    let time = calendar::local_time();
    let offset = time.offset / 60;
    let zone = if offset == 0 {
        "Z".to_owned()
    } else {
        let sign = if offset < 0 { '-' } else { '+' };
        format!("{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
    };
    let (year, month, day) = (time.year, time.month, time.day);
    let (hour, minute, second, millisecond) = (time.hour, time.minute, time.second, time.millisecond);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}{zone}");
    internal(termination::STARTED_AT, &text)
}
