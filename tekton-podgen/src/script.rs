//! Scripts of steps and sidecars: an init container writes them to a volume, and the containers run the files.

use crate::names::{self, DEBUG_INFO_DIR, DEBUG_SCRIPTS_DIR, PLACE_SCRIPTS, RUN_DIR, SCRIPTS_DIR};
use crate::security::SecurityContextConfig;
use crate::suffix::Suffixes;
use crate::volumes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Container;
use std::fmt::Write as _;
use tekton_types::v1::TaskRunDebug;

const PREAMBLE: &str = "#!/bin/sh\nset -e\n";

/// Images of the init container that writes scripts.
#[derive(Clone, Copy, Debug)]
pub struct ShellImages<'a> {
    /// For Linux.
    pub linux: &'a str,
    /// For Windows; empty when Windows scripts are not enabled.
    pub windows: &'a str,
}

/// A container together with the script that it is to run.
#[derive(Clone, Debug, Default)]
pub struct Scripted {
    /// The container.
    pub container: Container,
    /// Its script; empty for none.
    pub script: String,
}

/// Places the scripts of steps and sidecars, and the scripts that serve breakpoints. Returns the init container, or
/// `None` when there is nothing to write. Suffixes are drawn for steps, then breakpoints, then sidecars.
pub fn place(
    images: ShellImages<'_>,
    steps: &mut [Scripted],
    sidecars: &mut [Scripted],
    debug: Option<&TaskRunDebug>,
    security: SecurityContextConfig,
    suffixes: &mut Suffixes,
) -> Option<Container> {
    let debug = debug.filter(|debug| debug.needs_debug());
    let windows = steps.iter().chain(sidecars.iter()).any(|scripted| scripted.script.trim().starts_with("#!win"));
    let needed = debug.is_some() || steps.iter().chain(sidecars.iter()).any(|scripted| !scripted.script.is_empty());

    let mut text = String::new();
    for (index, step) in steps.iter_mut().enumerate() {
        place_one(step, "script", index, &mut text, suffixes);
    }
    if let Some(debug) = debug {
        place_debug(steps, debug, &mut text, suffixes);
    }
    for (index, sidecar) in sidecars.iter_mut().enumerate() {
        place_one(sidecar, "sidecar-script", index, &mut text, suffixes);
    }
    if !needed {
        return None;
    }

    let (image, shell, flag) = if windows { (images.windows, "pwsh", "-Command") } else { (images.linux, "sh", "-c") };
    let mut mounts =
        vec![volumes::mount(volumes::SCRIPTS, SCRIPTS_DIR, false), volumes::mount(volumes::BIN, names::BIN_DIR, false)];
    if debug.is_some() {
        mounts.push(volumes::mount(volumes::DEBUG_SCRIPTS, DEBUG_SCRIPTS_DIR, false));
    }
    Some(Container {
        name: PLACE_SCRIPTS.to_owned(),
        image: Some(image.to_owned()),
        command: Some(vec![shell.to_owned()]),
        args: Some(vec![flag.to_owned(), text]),
        volume_mounts: Some(mounts),
        security_context: security.context(windows),
        ..Container::default()
    })
}

fn place_one(scripted: &mut Scripted, prefix: &str, index: usize, text: &mut String, suffixes: &mut Suffixes) {
    let script = &scripted.script;
    if script.is_empty() {
        return;
    }
    let file = format!("{SCRIPTS_DIR}/{}", suffixes.append(&format!("{prefix}-{index}")));
    let container = &mut scripted.container;
    let trimmed = script.trim();
    if trimmed.starts_with("#!win") {
        let windows = WindowsScript::parse(script, file);
        let _ = writeln!(text, "@\"\n{}\n\"@ | Out-File -FilePath {}", windows.body, windows.file);
        container.command = Some(windows.command);
        let mut args = windows.args;
        args.extend(container.args.take().unwrap_or_default());
        container.args = (!args.is_empty()).then_some(args);
    } else {
        let encoded = if trimmed.starts_with("#!") {
            STANDARD.encode(script)
        } else {
            STANDARD.encode(format!("{PREAMBLE}{script}"))
        };
        // Base64 keeps the kubelet from expanding `$(…)` and `$$` that belong to the script.
        let _ = writeln!(
            text,
            "scriptfile=\"{file}\"\ntouch ${{scriptfile}} && chmod +x ${{scriptfile}}\ncat > ${{scriptfile}} << '_EOF_'\n\
             {encoded}\n_EOF_\n/tekton/bin/entrypoint decode-script \"${{scriptfile}}\""
        );
        container.command = Some(vec![file]);
    }
    container.volume_mounts.get_or_insert_default().push(volumes::mount(volumes::SCRIPTS, SCRIPTS_DIR, true));
}

struct WindowsScript {
    command: Vec<String>,
    args: Vec<String>,
    body: String,
    file: String,
}

impl WindowsScript {
    /// Reads the interpreter off the `#!win` line; without one the script becomes a `.cmd` file.
    fn parse(script: &str, mut file: String) -> Self {
        let (first, rest) = script.split_once('\n').unwrap_or((script, ""));
        let mut words = first.split(' ').skip(1).map(str::to_owned);
        let Some(interpreter) = words.next() else {
            file.push_str(".cmd");
            return Self { command: vec![file.clone()], args: Vec::new(), body: rest.to_owned(), file };
        };
        // Old PowerShell runs only files that are called `.ps1`.
        if interpreter.starts_with("powershell") {
            file.push_str(".ps1");
        }
        let mut args: Vec<String> = words.collect();
        args.push(file.clone());
        Self { command: vec![interpreter], args, body: script.to_owned(), file }
    }
}

fn place_debug(steps: &mut [Scripted], debug: &TaskRunDebug, text: &mut String, suffixes: &mut Suffixes) {
    let count = steps.len();
    let mut before_step = false;
    for (index, step) in steps.iter_mut().enumerate() {
        before_step |= debug.needs_debug_before_step(&step.container.name);
        let mounts = step.container.volume_mounts.get_or_insert_default();
        mounts.push(volumes::mount(volumes::DEBUG_SCRIPTS, DEBUG_SCRIPTS_DIR, true));
        mounts.push(volumes::mount(volumes::DEBUG_INFO, &format!("{DEBUG_INFO_DIR}/{index}"), false));
    }
    let mut scripts = Vec::new();
    if debug.needs_debug_on_failure() {
        scripts.push(("continue", Resume::AfterFailure { ok: true }));
        scripts.push(("fail-continue", Resume::AfterFailure { ok: false }));
    }
    if before_step {
        scripts.push(("beforestep-continue", Resume::BeforeStep { ok: true }));
        scripts.push(("beforestep-fail-continue", Resume::BeforeStep { ok: false }));
    }
    for (name, resume) in scripts {
        let marker = suffixes.append(&format!("debug-{name}-heredoc-randomly-generated"));
        let _ = writeln!(
            text,
            "tmpfile=\"{DEBUG_SCRIPTS_DIR}/debug-{name}\"\ntouch ${{tmpfile}} && chmod +x ${{tmpfile}}\n\
             cat > ${{tmpfile}} << '{marker}'\n{}\n{marker}",
            resume.script(count)
        );
    }
}

/// What a debug script tells the entrypoint that waits at a breakpoint.
#[derive(Clone, Copy)]
enum Resume {
    AfterFailure { ok: bool },
    BeforeStep { ok: bool },
}

impl Resume {
    fn script(self, steps: usize) -> String {
        let (action, done) = match self {
            Self::AfterFailure { ok: true } => (
                "\ttouch ${tektonRun}/${stepNumber}/out # Mark step as success\n\
                 \techo \"0\" > ${tektonRun}/${stepNumber}/out.breakpointexit",
                "breakpoint exiting !",
            ),
            Self::AfterFailure { ok: false } => (
                "\ttouch ${tektonRun}/${stepNumber}/out.err # Mark step as a failure\n\
                 \techo \"1\" > ${tektonRun}/${stepNumber}/out.breakpointexit",
                "breakpoint exiting !",
            ),
            Self::BeforeStep { ok: true } => {
                ("\techo \"0\" > ${tektonRun}/${stepNumber}/out.beforestepexit", "before step breakpoint exiting !")
            }
            Self::BeforeStep { ok: false } => {
                ("\techo \"1\" > ${tektonRun}/${stepNumber}/out.beforestepexit.err", "before step breakpoint exiting !")
            }
        };
        format!(
            "{PREAMBLE}\nnumberOfSteps={steps}\ndebugInfo={DEBUG_INFO_DIR}\ntektonRun={RUN_DIR}\n\n\
             postFile=\"$(ls ${{debugInfo}} | grep -E '[0-9]+' | tail -1)\"\n\
             stepNumber=\"$(echo ${{postFile}} | sed 's/[^0-9]*//g')\"\n\n\
             if [ $stepNumber -lt $numberOfSteps ]; then\n{action}\n\techo \"Executing step $stepNumber...\"\nelse\n\
             \techo \"Last step (no. $stepNumber) has already been executed, {done}\"\n\texit 0\nfi"
        )
    }
}
