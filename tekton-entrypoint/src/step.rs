//! One step, from its command line to its exit code.

use std::time::Duration;

use tekton_contract::{
    argv::{EntrypointArgs, ON_ERROR_CONTINUE, RESULT_FROM_TERMINATION_MESSAGE},
    json::{self, Error, Value},
    paths,
    termination::{self, ResultType, RunResult},
    var::extract::go_quote,
    volumes,
};

use crate::{
    calendar,
    creds::{self, Credentials},
    fs::{self, PathError},
    log,
    run::{self, Copies, Limits, RunError},
    spire, substitute, sys,
    wait::{self, WaitError},
    when::{self, When},
};

const BREAKPOINT_EXIT: &str = ".breakpointexit";
const BREAKPOINT_BEFORE_STEP: &str = ".beforestepexit";
const BEFORE_STEP_REFUSED: &str = "before step breakpoint error file, user decided to skip the current step execution";
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
        None => match platform_command() {
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

/// The command of this platform.
fn platform_command() -> Result<Vec<String>, String> {
    let text = std::env::var(volumes::ENV_PLATFORM_COMMANDS).unwrap_or_default();
    let commands = json::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    let members: &[(String, Value)] = match &commands {
        Value::Null => &[],
        Value::Object(members) => members,
        value => return Err(Error::unmarshal(value, "map[string][]string").to_string()),
    };
    let mut parsed = Vec::new();
    for (platform, value) in members {
        let words: &[Value] = match value {
            Value::Null => &[],
            Value::Array(words) => words,
            value => return Err(Error::unmarshal(value, "[]string").to_string()),
        };
        let word = |word: &Value| match word {
            Value::Null => Ok(String::new()),
            Value::String(word) => Ok(word.clone()),
            value => Err(Error::unmarshal(value, "string").to_string()),
        };
        parsed.push((platform, words.iter().map(word).collect::<Result<Vec<_>, _>>()?));
    }
    let platform = platform();
    let shorter = &platform[..platform.rfind('/').unwrap_or_default()];
    for wanted in [platform, shorter] {
        if let Some(at) = parsed.iter().rposition(|(name, _)| *name == wanted) {
            return Ok(parsed.swap_remove(at).1);
        }
    }
    Err(format!("could not find command for platform {}", go_quote(platform)))
}

/// How upstream names this platform.
fn platform() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "linux/amd64",
        "aarch64" => "linux/arm64/v8",
        "arm" => "linux/arm/unknown",
        "x86" => "linux/386",
        "powerpc64" => "linux/ppc64le",
        "riscv64" => "linux/riscv64",
        "s390x" => "linux/s390x",
        _ => "linux/unknown",
    }
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
                // A process that a signal ended has -1, which the system sees as 255.
                None => code & 0xff,
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
        for file in flags.wait_file.split(',') {
            match wait::wait_for(file, flags.wait_file_content) {
                Ok(()) => {}
                // A step that is being debugged does not stop those after it.
                Err(WaitError::Skip) if flags.breakpoint_on_failure => {}
                Err(error) => return self.wait_failed(error, output),
            }
        }
        let mut outcome = if flags.debug_before_step { self.breakpoint_before_step() } else { Ok(()) };
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

    fn collect_results(&self) -> Result<(), StepError> {
        let step_results = fs::join(&[&self.flags.step_metadata_dir, paths::STEP_RESULTS_DIR]);
        for (names, directory, kind) in [
            (self.flags.results.as_deref().unwrap_or_default(), paths::RESULTS, ResultType::TASK_RUN),
            (&self.flags.step_results, &step_results, ResultType::STEP),
        ] {
            // A list whose first name is empty counts as no list.
            if names.is_empty() || names.starts_with(',') {
                continue;
            }
            self.collect(names, directory, kind).inspect_err(|error| {
                let text = match error {
                    StepError::Failed(text) => text,
                    _ => &termination::TooLong.to_string(),
                };
                log::error("Error while substituting step artifacts:", text);
            })?;
        }
        Ok(())
    }

    fn collect(&self, names: &str, directory: &str, kind: ResultType) -> Result<(), StepError> {
        let mut found = Vec::new();
        for name in names.split(',').filter(|name| !name.is_empty()) {
            match fs::read(&fs::join(&[directory, name])) {
                Ok(content) => found.push(RunResult::new(name, json::text(&content), kind)),
                Err(error) if error.not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.spire {
            let socket = self.flags.spire_socket_path.as_deref().unwrap_or(paths::SPIRE_SOCKET);
            return Err(StepError::Failed(spire::refusal(socket)));
        }
        if self.to_message && !found.is_empty() {
            self.write_message(found)?;
        }
        Ok(())
    }

    fn collect_artifacts(&self, output: &mut Vec<RunResult>) -> Result<(), StepError> {
        let step = fs::join(&[&self.flags.step_metadata_dir, paths::STEP_ARTIFACTS_DIR, paths::PROVENANCE_FILE]);
        for (path, kind, what) in [
            (step.as_str(), ResultType::STEP_ARTIFACTS, "step"),
            (paths::ARTIFACTS_PROVENANCE, ResultType::TASK_RUN_ARTIFACTS, "task"),
        ] {
            match fs::read(path) {
                Ok(content) => output.push(RunResult::new(path, json::text(&content), kind)),
                Err(error) if error.not_found() => {}
                Err(error) => {
                    let code = log::fatal(&format!("Error while handling {what} artifacts: {error}"));
                    return Err(StepError::Left(code));
                }
            }
        }
        Ok(())
    }

    /// Adds entries to the termination message.
    fn write_message(&self, mut entries: Vec<RunResult>) -> Result<(), StepError> {
        let path = self.termination_path;
        match fs::read(path) {
            Ok(content) => match termination::existing(&content) {
                Ok(mut existing) => {
                    existing.append(&mut entries);
                    entries = existing;
                }
                Err(error) if self.flags.compress_termination_message => log::line(&format!(
                    "WARN Failed to parse existing termination message, previous results will be lost error={} path={}",
                    log::attribute(&error),
                    log::attribute(path)
                )),
                Err(_) => {}
            },
            Err(error) if error.not_found() => {}
            Err(error) => return Err(error.into()),
        }
        let text = termination::message(&entries, self.flags.compress_termination_message)
            .map_err(|termination::TooLong| StepError::TooLong)?;
        let file = fs::write(path, text.as_bytes(), 0o666)?;
        match file.sync_all() {
            Err(error) if error.raw_os_error() != Some(libc::EINVAL) => Err(PathError::new("sync", path, error).into()),
            _ => Ok(()),
        }
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

    fn breakpoint_before_step(&self) -> Result<(), StepError> {
        log::line(
            "debug before step breakpoint has taken effect, waiting for user's decision:\n\
             1) continue, use cmd: /tekton/debug/scripts/debug-beforestep-continue\n\
             2) fail-continue, use cmd: /tekton/debug/scripts/debug-beforestep-fail-continue",
        );
        let path = format!("{}{BREAKPOINT_BEFORE_STEP}", self.flags.post_file);
        wait::wait_for(&path, false).map_err(|_| {
            log::line(&format!("error occurred while waiting for {path} : {BEFORE_STEP_REFUSED}"));
            StepError::BreakpointRefused
        })
    }

    /// Waits for a person's decision, where that was asked for; the exit code that it gives.
    fn breakpoint_on_failure(&self) -> Option<i32> {
        if !self.flags.breakpoint_on_failure {
            return None;
        }
        log::line(
            "debug onFailure breakpoint has taken effect, waiting for user's decision:\n\
             1) continue, use cmd: /tekton/debug/scripts/debug-continue\n\
             2) fail-continue, use cmd: /tekton/debug/scripts/debug-fail-continue",
        );
        // A person may end the wait by ending the program.
        sys::meaningless_signals().restore();
        let path = format!("{}{BREAKPOINT_EXIT}", self.flags.post_file);
        if let Err(error) = wait::wait_for(&path, false) {
            log::line(&format!("error occurred while waiting for {path} : {error}"));
        }
        Some(breakpoint_code(&path).unwrap_or_else(|(code, text)| {
            log::line(&format!("error occurred while reading breakpoint exit code : {text}"));
            code
        }))
    }
}

/// What came of the command.
enum Ran {
    /// A when expression did not hold.
    Skipped,
    /// It ran, or could not.
    Ended(Result<(), StepError>),
}

/// The exit code that a person wrote; on an error the code to end with, too.
fn breakpoint_code(path: &str) -> Result<i32, (i32, String)> {
    let content = match fs::read(path) {
        Err(error) if error.not_found() => return Err((0, format!("breakpoint postfile {path} not found"))),
        outcome => outcome.unwrap_or_default(),
    };
    let text = json::text(content.strip_suffix(b"\n").unwrap_or(&content));
    log::line(&format!("Breakpoint exiting with exit code {text}"));
    // The system sees the lowest byte.
    let byte = |code: i64| i32::from(code.to_le_bytes()[0]);
    let error = |reason: &str| format!("strconv.Atoi: parsing {}: {reason}", go_quote(&text));
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return Err((0, error("invalid syntax")));
    }
    text.parse().map(byte).map_err(|_| {
        let code = if text.starts_with('-') { i64::MIN } else { i64::MAX };
        (byte(code), error("value out of range"))
    })
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
