//! The command line of the entrypoint: printed by the controller, read by the binary.
//!
//! One type does both, so that the two can not drift apart. Parsing follows Go's `flag` package:
//! `-f v`, `--f v`, `-f=v`; booleans only `-f` or `-f=v`; it stops at the first positional.

use std::fmt::{self, Write as _};

use crate::{duration, paths, var::extract::go_quote};

/// A credential that a step gets: one of the repeatable flags, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// `-basic-docker=secret=url`
    BasicDocker(String),
    /// `-docker-config=secret`
    DockerConfig(String),
    /// `-docker-cfg=secret`
    DockerCfg(String),
    /// `-basic-git=secret=url`
    BasicGit(String),
    /// `-ssh-git=secret=url`
    SshGit(String),
}

impl Credential {
    /// The flag without its dash, and its value.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::BasicDocker(value) => ("basic-docker", value),
            Self::DockerConfig(value) => ("docker-config", value),
            Self::DockerCfg(value) => ("docker-cfg", value),
            Self::BasicGit(value) => ("basic-git", value),
            Self::SshGit(value) => ("ssh-git", value),
        }
    }
}

/// The arguments of one step. Empty strings, `false`, 0 and `None` are not printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct EntrypointArgs {
    /// Files to wait for, in order, separated by commas.
    pub wait_file: String,
    /// The files must not be empty either.
    pub wait_file_content: bool,
    /// The file to write at the end; `.err` is added on failure.
    pub post_file: String,
    /// The termination message; `None` is `/tekton/termination`.
    pub termination_path: Option<String>,
    /// Directory of results, artifacts and exit code.
    pub step_metadata_dir: String,
    /// Sign results.
    pub enable_spire: bool,
    /// The SPIRE agent; `None` is its usual socket.
    pub spire_socket_path: Option<String>,
    /// Credentials, in order.
    pub credentials: Vec<Credential>,
    /// Where results go; `None` is `termination-message`.
    pub result_from: Option<String>,
    /// Compress the termination message when that makes it shorter.
    pub compress_termination_message: bool,
    /// `continue` lets the task go on after a failure.
    pub on_error: String,
    /// Nanoseconds after which the command is killed; 0 is never.
    pub timeout: Option<i64>,
    /// File to copy the standard output to; `Some("")` is printed.
    pub stdout_path: Option<String>,
    /// File to copy the standard error to; `Some("")` is printed.
    pub stderr_path: Option<String>,
    /// Names of the step results, separated by commas.
    pub step_results: String,
    /// When expressions as a JSON list.
    pub when_expressions: String,
    /// Names of the task results, separated by commas; `Some("")` is printed.
    pub results: Option<String>,
    /// Stop after a failure and wait for a person.
    pub breakpoint_on_failure: bool,
    /// Stop before the command and wait for a person.
    pub debug_before_step: bool,
    /// The program; `None` and empty take it from the platform commands.
    pub entrypoint: Option<String>,
    /// Arguments of the program.
    pub args: Vec<String>,
}

/// The value of `-result_from` that keeps results in the termination message.
pub const RESULT_FROM_TERMINATION_MESSAGE: &str = "termination-message";
/// The value of `-result_from` that leaves results to the sidecar.
pub const RESULT_FROM_SIDECAR_LOGS: &str = "sidecar-logs";
/// The value of `-on_error` that has a meaning.
pub const ON_ERROR_CONTINUE: &str = "continue";

/// What a command line turned out to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// All flags, and what stands behind `--`.
    pub flags: EntrypointArgs,
    /// What stands between the flags and `--`: a subcommand, or nothing.
    pub positional: Vec<String>,
}

/// Why a command line is not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// `-h` or `-help` was given.
    Help,
    /// A flag is wrong, in Go's words.
    Flag(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help => f.write_str("flag: help requested"),
            Self::Flag(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Refused {}

enum Kind {
    Bool,
    Text(&'static str),
    Duration,
    /// Repeatable; the word stands for the type in the usage text.
    Credential,
}

/// Name, kind and explanation of every flag, sorted by name.
const FLAGS: [(&str, Kind, &str); 23] = [
    ("basic-docker", Kind::Credential, "List of secret=url pairs."),
    ("basic-git", Kind::Credential, "List of secret=url pairs."),
    ("breakpoint_on_failure", Kind::Bool, "If specified, expect steps to not skip on failure"),
    ("compress_termination_message", Kind::Bool, "If specified, compress the termination message"),
    ("debug_before_step", Kind::Bool, "If specified, wait for a debugger to attach before executing the step"),
    ("docker-cfg", Kind::Credential, "Docker .dockercfg secret file."),
    ("docker-config", Kind::Credential, "Docker config.json secret file."),
    ("enable_spire", Kind::Bool, "If specified by configmap, this enables spire signing and verification"),
    ("entrypoint", Kind::Text(""), "Original specified entrypoint to execute"),
    (
        "on_error",
        Kind::Text(""),
        "Set to \"continue\" to ignore an error and continue when a container terminates with a non-zero exit code. Set to \"stopAndFail\" to declare a failure with a step error and stop executing the rest of the steps.",
    ),
    ("post_file", Kind::Text(""), "If specified, file to write upon completion"),
    ("result_from", Kind::Text(RESULT_FROM_TERMINATION_MESSAGE), "The result extraction method that is used"),
    ("results", Kind::Text(""), "If specified, list of file names that might contain task results"),
    (
        "spire_socket_path",
        Kind::Text(paths::SPIRE_SOCKET),
        "Experimental: The SPIRE agent socket for SPIFFE workload API.",
    ),
    ("ssh-git", Kind::Credential, "List of secret=url pairs."),
    ("stderr_path", Kind::Text(""), "If specified, file to copy stderr to"),
    ("stdout_path", Kind::Text(""), "If specified, file to copy stdout to"),
    ("step_metadata_dir", Kind::Text(""), "If specified, create directory to store the step metadata"),
    ("step_results", Kind::Text(""), "step results if specified"),
    ("termination_path", Kind::Text(paths::TERMINATION), "If specified, file to write upon termination"),
    ("timeout", Kind::Duration, "If specified, sets timeout for step"),
    ("wait_file", Kind::Text(""), "Comma-separated list of paths to wait for"),
    ("wait_file_content", Kind::Bool, "If specified, expect wait_file to have actual content"),
];

/// The last flag, which sorts behind all of [`FLAGS`].
const WHEN_EXPRESSIONS: (&str, Kind, &str) =
    ("when_expressions", Kind::Text(""), "If specified, when expressions are evaluated before the step is executed");

fn flags() -> impl Iterator<Item = &'static (&'static str, Kind, &'static str)> {
    FLAGS.iter().chain(std::iter::once(&WHEN_EXPRESSIONS))
}

/// The list of flags that is printed with an error, and for `-help`.
pub fn usage(program: &str) -> String {
    let mut out = format!("Usage of {program}:\n");
    for (name, kind, text) in flags() {
        let word = match kind {
            Kind::Bool => "",
            Kind::Text(_) => " string",
            Kind::Duration => " duration",
            Kind::Credential => " value",
        };
        let default = match kind {
            Kind::Text(default) if !default.is_empty() => format!(" (default {})", go_quote(default)),
            _ => String::new(),
        };
        writeln!(out, "  -{name}{word}\n    \t{text}{default}").expect("writing to a String can not fail");
    }
    out
}

/// A text that is printed unless it is empty.
fn given(value: &str) -> Option<&str> {
    (!value.is_empty()).then_some(value)
}

impl EntrypointArgs {
    /// Prints the arguments in the order of upstream's controller.
    pub fn to_args(&self) -> Vec<String> {
        let Self {
            wait_file,
            wait_file_content,
            post_file,
            termination_path,
            step_metadata_dir,
            enable_spire,
            spire_socket_path,
            credentials,
            result_from,
            compress_termination_message,
            on_error,
            timeout,
            stdout_path,
            stderr_path,
            step_results,
            when_expressions,
            results,
            breakpoint_on_failure,
            debug_before_step,
            entrypoint,
            args,
        } = self;
        // Ten flags with values are usual.
        let mut out = Vec::with_capacity(20 + credentials.len() + args.len());
        let text = |out: &mut Vec<String>, flag: &str, value: Option<&str>| {
            if let Some(value) = value {
                out.extend([flag.to_owned(), value.to_owned()]);
            }
        };
        text(&mut out, "-wait_file", given(wait_file));
        out.extend(wait_file_content.then(|| "-wait_file_content".to_owned()));
        text(&mut out, "-post_file", given(post_file));
        text(&mut out, "-termination_path", termination_path.as_deref());
        text(&mut out, "-step_metadata_dir", given(step_metadata_dir));
        out.extend(enable_spire.then(|| "-enable_spire".to_owned()));
        text(&mut out, "-spire_socket_path", spire_socket_path.as_deref());
        for credential in credentials {
            let (flag, value) = credential.parts();
            out.push(format!("-{flag}={value}"));
        }
        text(&mut out, "-result_from", result_from.as_deref());
        out.extend(compress_termination_message.then(|| "-compress_termination_message=true".to_owned()));
        text(&mut out, "-on_error", given(on_error));
        text(&mut out, "-timeout", timeout.map(duration::format).as_deref());
        text(&mut out, "-stdout_path", stdout_path.as_deref());
        text(&mut out, "-stderr_path", stderr_path.as_deref());
        text(&mut out, "-step_results", given(step_results));
        text(&mut out, "--when_expressions", given(when_expressions));
        text(&mut out, "-results", results.as_deref());
        out.extend(breakpoint_on_failure.then(|| "-breakpoint_on_failure".to_owned()));
        out.extend(debug_before_step.then(|| "-debug_before_step".to_owned()));
        text(&mut out, "-entrypoint", entrypoint.as_deref());
        out.push("--".to_owned());
        out.extend_from_slice(args);
        out
    }

    /// Reads a command line without its program name.
    pub fn parse<S: AsRef<str>>(args: &[S]) -> Result<Parsed, Refused> {
        Self::parse_with(args, |_| Ok(()))
    }

    /// Reads a command line; `credential` sees each credential as it is parsed, and may refuse it.
    pub fn parse_with<S: AsRef<str>>(
        args: &[S],
        mut credential: impl FnMut(&Credential) -> Result<(), String>,
    ) -> Result<Parsed, Refused> {
        // A `--` is looked for before the flags are, so it is never the value of one. As the very
        // first argument it is left to the flag parser, which drops it.
        let split = args.iter().skip(1).position(|arg| arg.as_ref() == "--").map(|at| at + 1);
        let (own, command) = match split {
            Some(at) => (&args[..at], &args[at + 1..]),
            None => (args, &args[args.len()..]),
        };
        let mut parsed = Parsed::default();
        parsed.flags.args = command.iter().map(|arg| arg.as_ref().to_owned()).collect();
        let mut rest = own.iter().map(AsRef::as_ref);
        while let Some(arg) = rest.clone().next() {
            if arg.len() < 2 || !arg.starts_with('-') {
                break;
            }
            rest.next();
            if arg == "--" {
                break;
            }
            let flag = arg.strip_prefix("--").unwrap_or(&arg[1..]);
            if flag.is_empty() || flag.starts_with(['-', '=']) {
                return Err(Refused::Flag(format!("bad flag syntax: {arg}")));
            }
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            };
            let Some((_, kind, _)) = flags().find(|(known, ..)| *known == name) else {
                if matches!(name, "h" | "help") {
                    return Err(Refused::Help);
                }
                return Err(Refused::Flag(format!("flag provided but not defined: -{name}")));
            };
            if matches!(kind, Kind::Bool) {
                let on = boolean(value.unwrap_or("true")).ok_or_else(|| {
                    let value = go_quote(value.unwrap_or_default());
                    Refused::Flag(format!("invalid boolean value {value} for -{name}: parse error"))
                })?;
                *parsed.flags.boolean_flag(name) = on;
                continue;
            }
            let Some(value) = value.or_else(|| rest.next()) else {
                return Err(Refused::Flag(format!("flag needs an argument: -{name}")));
            };
            parsed.flags.set(name, value, &mut credential).map_err(|reason| {
                Refused::Flag(format!("invalid value {} for flag -{name}: {reason}", go_quote(value)))
            })?;
        }
        parsed.positional = rest.map(str::to_owned).collect();
        Ok(parsed)
    }

    fn boolean_flag(&mut self, name: &str) -> &mut bool {
        match name {
            "breakpoint_on_failure" => &mut self.breakpoint_on_failure,
            "compress_termination_message" => &mut self.compress_termination_message,
            "debug_before_step" => &mut self.debug_before_step,
            "enable_spire" => &mut self.enable_spire,
            _ => &mut self.wait_file_content,
        }
    }

    fn set(
        &mut self,
        name: &str,
        value: &str,
        credential: &mut impl FnMut(&Credential) -> Result<(), String>,
    ) -> Result<(), String> {
        let value = value.to_owned();
        match name {
            "entrypoint" => self.entrypoint = Some(value),
            "on_error" => self.on_error = value,
            "post_file" => self.post_file = value,
            "result_from" => self.result_from = Some(value),
            "results" => self.results = Some(value),
            "spire_socket_path" => self.spire_socket_path = Some(value),
            "stderr_path" => self.stderr_path = Some(value),
            "stdout_path" => self.stdout_path = Some(value),
            "step_metadata_dir" => self.step_metadata_dir = value,
            "step_results" => self.step_results = value,
            "termination_path" => self.termination_path = Some(value),
            "wait_file" => self.wait_file = value,
            "when_expressions" => self.when_expressions = value,
            "timeout" => self.timeout = Some(duration::parse(&value).ok_or("parse error")?),
            _ => {
                let given = match name {
                    "basic-docker" => Credential::BasicDocker(value),
                    "docker-config" => Credential::DockerConfig(value),
                    "docker-cfg" => Credential::DockerCfg(value),
                    "basic-git" => Credential::BasicGit(value),
                    _ => Credential::SshGit(value),
                };
                credential(&given)?;
                self.credentials.push(given);
            }
        }
        Ok(())
    }
}

/// Reads a boolean as Go's `strconv.ParseBool` does.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_boolean_takes_no_separate_value() {
        let parsed = EntrypointArgs::parse(&["-enable_spire", "false", "-timeout", "x"]).unwrap();
        assert!(parsed.flags.enable_spire);
        assert_eq!(parsed.positional, ["false", "-timeout", "x"]);
    }

    #[test]
    fn a_separator_is_never_a_value() {
        assert_eq!(
            EntrypointArgs::parse(&["-entrypoint", "--", "x"]),
            Err(Refused::Flag("flag needs an argument: -entrypoint".to_owned()))
        );
        assert_eq!(EntrypointArgs::parse(&["--", "cp", "a"]).unwrap().positional, ["cp", "a"]);
    }

    #[test]
    fn errors_are_those_of_go() {
        for (args, text) in [
            (["---x"], "bad flag syntax: ---x"),
            (["-nope"], "flag provided but not defined: -nope"),
            (["-timeout=10"], "invalid value \"10\" for flag -timeout: parse error"),
            (["-enable_spire=maybe"], "invalid boolean value \"maybe\" for -enable_spire: parse error"),
        ] {
            assert_eq!(EntrypointArgs::parse(&args), Err(Refused::Flag(text.to_owned())));
        }
        assert_eq!(EntrypointArgs::parse(&["-h"]), Err(Refused::Help));
    }

    proptest! {
        #[test]
        fn what_is_printed_parses(
            texts in proptest::collection::vec("[^\u{0}]{1,12}", 10),
            flags: [bool; 5],
            timeout: Option<i64>,
            results: Option<String>,
            args: Vec<String>,
        ) {
            // A value that is exactly `--` would be taken for the separator, as upstream's would.
            prop_assume!(texts.iter().chain(&results).all(|text| text != "--"));
            let [a, b, c, d, e, f, g, h, i, j] = <[String; 10]>::try_from(texts).unwrap();
            let args = EntrypointArgs {
                wait_file: a,
                wait_file_content: flags[0],
                post_file: b,
                termination_path: Some(c),
                step_metadata_dir: d,
                enable_spire: flags[1],
                spire_socket_path: None,
                credentials: vec![Credential::BasicGit(e.clone()), Credential::DockerCfg(e)],
                result_from: Some(f),
                compress_termination_message: flags[2],
                on_error: g,
                timeout,
                stdout_path: Some(h),
                stderr_path: Some(String::new()),
                step_results: i,
                when_expressions: String::new(),
                results,
                breakpoint_on_failure: flags[3],
                debug_before_step: flags[4],
                entrypoint: Some(j),
                args,
            };
            prop_assert_eq!(EntrypointArgs::parse(&args.to_args()).unwrap(), Parsed { flags: args, positional: vec![] });
        }

        #[test]
        fn any_command_line_is_read_or_refused(args: Vec<String>) {
            let _ = EntrypointArgs::parse(&args);
        }
    }
}
