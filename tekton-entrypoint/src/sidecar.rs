//! `sidecarlogresults`: prints the results of all steps to its log, once the steps are done.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    time::Duration,
};

use tekton_contract::{
    argv::boolean,
    duration,
    json::{self, Error, Value},
    paths,
    var::extract::go_quote,
    volumes,
};

use crate::{
    artifacts::Artifacts,
    fs::{self, PathError},
    log,
    sys::{self, EndSignals},
};

/// The flags of the program.
#[derive(Debug, Default, PartialEq, Eq)]
struct Flags {
    results_dir: String,
    result_names: String,
    step_results: String,
    step_names: String,
    sidecar_mode: bool,
}

/// Why the program does not run: what it prints, and its exit code.
type Refused = (String, i32);

impl Flags {
    fn parse(program: &str, args: &[String]) -> Result<Self, Refused> {
        let mut flags = Self { results_dir: paths::RESULTS.to_owned(), ..Self::default() };
        let usage = || {
            format!(
                "Usage of {program}:\n  -kubernetes-sidecar-mode\n    \tIf true, wait indefinitely after processing results (for Kubernetes native sidecar support)\n  -result-names string\n    \tcomma separated result names to expect from the steps running in the pod. eg. foo,bar,baz\n  -results-dir string\n    \tPath to the results directory. Default is {results} (default \"{results}\")\n  -step-names string\n    \tcomma separated step names. eg. foo,bar,baz\n  -step-results string\n    \tjson containing a map of step Name as key and list of result Names. eg. {{\"stepName\":[\"foo\",\"bar\",\"baz\"]}}\n",
                results = paths::RESULTS,
            )
        };
        let refuse = |text: String| (format!("{text}\n{}", usage()), 2);
        let mut rest = args.iter();
        while let Some(arg) = rest.as_slice().first().filter(|arg| arg.len() > 1 && arg.starts_with('-')) {
            rest.next();
            if arg == "--" {
                break;
            }
            let flag = arg.strip_prefix("--").unwrap_or(&arg[1..]);
            if flag.is_empty() || flag.starts_with(['-', '=']) {
                return Err(refuse(format!("bad flag syntax: {arg}")));
            }
            let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
            let target = match name {
                "results-dir" => &mut flags.results_dir,
                "result-names" => &mut flags.result_names,
                "step-results" => &mut flags.step_results,
                "step-names" => &mut flags.step_names,
                "kubernetes-sidecar-mode" => {
                    let value = value.unwrap_or("true");
                    flags.sidecar_mode = boolean(value).ok_or_else(|| {
                        refuse(format!("invalid boolean value {} for -{name}: parse error", go_quote(value)))
                    })?;
                    continue;
                }
                "h" | "help" => return Err((usage(), 0)),
                _ => return Err(refuse(format!("flag provided but not defined: -{name}"))),
            };
            let Some(value) = value.or_else(|| rest.next().map(String::as_str)) else {
                return Err(refuse(format!("flag needs an argument: -{name}")));
            };
            value.clone_into(target);
        }
        Ok(flags)
    }
}

/// How the program ends.
enum End {
    /// With a line on standard error.
    Failed(String),
    /// Not at all: upstream's readers wait for each other when a result can not be read.
    Stuck,
}

impl<T: ToString> From<T> for End {
    fn from(error: T) -> Self {
        Self::Failed(error.to_string())
    }
}

pub(crate) fn main(program: &str, args: &[String]) -> i32 {
    let flags = match Flags::parse(program, args) {
        Ok(flags) => flags,
        Err((text, code)) => {
            log::raw(&text);
            return code;
        }
    };
    let end = flags.sidecar_mode.then(EndSignals::hold);
    match (print_all(&flags), end) {
        (Err(End::Failed(text)), _) => return log::fatal(&text),
        // Go's runtime ends a program in which nothing can go on, unless it also waits for signals.
        (Err(End::Stuck), None) => {
            log::raw("fatal error: all goroutines are asleep - deadlock!\n");
            return 2;
        }
        (Err(End::Stuck), Some(end)) => loop {
            end.wait();
        },
        (Ok(()), Some(end)) => {
            end.wait();
        }
        (Ok(()), None) => {}
    }
    0
}

fn list(names: &str) -> Vec<&str> {
    if names.is_empty() { Vec::new() } else { names.split(',').collect() }
}

fn print_all(flags: &Flags) -> Result<(), End> {
    let step_results = step_results(&flags.step_results)?;
    let interval = interval().map_err(|error| format!("error getting polling interval: {error}"))?;
    wait_for_steps(interval).map_err(|error| format!("error while waiting for the steps to finish  {error}"))?;
    for name in list(&flags.result_names) {
        print_result(name, &fs::join(&[&flags.results_dir, name]), "task")?;
    }
    for (step, results) in &step_results {
        for result in results {
            let path = fs::join(&[&fs::join(&[paths::STEPS, step, paths::STEP_RESULTS_DIR]), result]);
            print_result(&format!("{step}.{result}"), &path, "step")?;
        }
    }
    wait_for_steps(interval)?;
    for name in list(&flags.step_names) {
        let path = fs::join(&[paths::STEPS, name, paths::STEP_ARTIFACTS_DIR, paths::PROVENANCE_FILE]);
        if is_file(&path)? {
            let content = fs::read(&path).map_err(|error| format!("error reading the results file {error}"))?;
            let artifacts = Artifacts::parse(&content).map_err(|error| format!("invalid artifacts : {error}"))?;
            print(name, artifacts.encode().as_bytes(), "stepArtifact")?;
        }
    }
    Ok(())
}

fn step_results(text: &str) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let members = match json::parse(text.as_bytes())? {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Object(members) => members,
        value => return Err(Error::unmarshal(&value, "map[string][]string")),
    };
    let names = |value: &Value| match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items
            .iter()
            .map(|item| match item {
                Value::String(name) => Ok(name.clone()),
                Value::Null => Ok(String::new()),
                item => Err(Error::unmarshal(item, "string")),
            })
            .collect(),
        value => Err(Error::unmarshal(value, "[]string")),
    };
    // One by one: `collect` would bring in a sort, of 20 KB.
    let mut results = BTreeMap::new();
    for (step, value) in &members {
        results.insert(step.clone(), names(value)?);
    }
    Ok(results)
}

fn interval() -> Result<Duration, String> {
    let text = std::env::var(volumes::ENV_SIDECAR_LOG_POLLING_INTERVAL).unwrap_or_default();
    let text = if text.is_empty() { "100ms" } else { &text };
    let nanoseconds = duration::parse(text).ok_or_else(|| format!("time: {}", duration::reason(text)))?;
    Ok(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default()))
}

/// An interval of 0 is no reason to keep a processor busy.
const SHORTEST_POLL: Duration = Duration::from_millis(10);

/// Waits until every step has ended, or one has failed.
fn wait_for_steps(interval: Duration) -> Result<(), String> {
    let unreadable =
        |error: io::Error| format!("error parsing the run dir  {}", PathError::new("open", paths::RUN, error));
    let mut steps = Vec::new();
    for entry in std::fs::read_dir(paths::RUN).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let step = fs::join(&[paths::RUN, &name.to_string_lossy(), "out"]);
        let at = steps.partition_point(|known| *known < step);
        steps.insert(at, step);
    }
    // A step that ends is seen at once where inotify works; the interval is for where it does not.
    let inotify = sys::inotify().ok();
    if let Some(inotify) = &inotify {
        for step in &steps {
            if let Ok(directory) = std::ffi::CString::new(fs::dir(step)) {
                sys::watch(inotify, &directory, false);
            }
        }
    }
    while !steps.is_empty() {
        let mut failed = false;
        let mut error = None;
        steps.retain(|step| {
            let mut ended = |path: &str| {
                is_file(path).unwrap_or_else(|text| {
                    error.get_or_insert(text);
                    false
                })
            };
            let done = ended(step);
            failed |= !done && ended(&format!("{step}.err"));
            !done
        });
        if let Some(error) = error {
            return Err(format!("error checking for out file's existence {error}"));
        }
        if failed {
            return Ok(());
        }
        // Upstream sleeps once more after the last step has ended.
        if steps.is_empty() {
            std::thread::sleep(interval);
        } else {
            sys::poll(&[inotify.as_ref()], Some(interval.max(SHORTEST_POLL)));
            if let Some(inotify) = &inotify {
                sys::drain(inotify);
            }
        }
    }
    Ok(())
}

fn is_file(path: &str) -> Result<bool, String> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(!found.is_dir()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("error checking for file existence {}", PathError::new("stat", path, error))),
    }
}

/// Prints one result; one that was not written is left out.
fn print_result(name: &str, path: &str, kind: &str) -> Result<(), End> {
    match fs::read(path) {
        Ok(content) => print(name, &content, kind),
        Err(error) if error.not_found() => Ok(()),
        Err(_) => Err(End::Stuck),
    }
}

fn print(name: &str, value: &[u8], kind: &str) -> Result<(), End> {
    let mut line = String::from("{\"name\":");
    json::quote(&mut line, name);
    line.push_str(",\"value\":");
    json::quote_bytes(&mut line, value);
    line.push_str(",\"type\":");
    json::quote(&mut line, kind);
    line.push_str("}\n");
    let mut output = io::stdout();
    output
        .write_all(line.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| End::Failed(format!("error writing results: write /dev/stdout: {}", fs::reason(&error))))
}
