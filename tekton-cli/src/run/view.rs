//! What a person sees while a run goes on: a live tree on a terminal, plain lines elsewhere, or nothing.

use std::collections::BTreeMap;
use std::io::{self, Write};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use tekton_types::condition::Condition;

use super::style::{Paint, Tone};
use super::tree;
use super::world::{RunKey, Timed, World, children};

/// Rows of the terminal that the live tree may take.
const MAX_LIVE_ROWS: usize = 40;

/// Where progress goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output: the run is shown to a person.
    Output,
    /// Standard error: standard output holds objects.
    Error,
}

impl Stream {
    /// Colours for this stream.
    pub(crate) fn paint(self) -> Paint {
        match self {
            Self::Output => Paint::for_stream(&io::stdout()),
            Self::Error => Paint::for_stream(&io::stderr()),
        }
    }

    /// Writes whole lines. A closed pipe is no reason to stop a run.
    pub(crate) fn lines<'a>(self, lines: impl IntoIterator<Item = &'a str>) {
        let mut text = String::new();
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        let _closed = match self {
            Self::Output => io::stdout().write_all(text.as_bytes()),
            Self::Error => io::stderr().write_all(text.as_bytes()),
        };
    }

    fn is_terminal(self) -> bool {
        match self {
            Self::Output => io::IsTerminal::is_terminal(&io::stdout()),
            Self::Error => io::IsTerminal::is_terminal(&io::stderr()),
        }
    }
}

/// Shows a run while it goes on.
#[derive(Debug)]
pub(crate) struct View {
    stream: Stream,
    paint: Paint,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Quiet,
    Plain { said: BTreeMap<String, String> },
    Live { screen: MultiProgress, rows: Vec<ProgressBar> },
}

impl View {
    /// The view that fits the stream.
    pub(crate) fn new(stream: Stream, quiet: bool) -> Self {
        let mode = if quiet {
            Mode::Quiet
        } else if stream.is_terminal() {
            let target = match stream {
                Stream::Output => ProgressDrawTarget::stdout(),
                Stream::Error => ProgressDrawTarget::stderr(),
            };
            Mode::Live { screen: MultiProgress::with_draw_target(target), rows: Vec::new() }
        } else {
            Mode::Plain { said: BTreeMap::new() }
        };
        Self { stream, paint: stream.paint(), mode }
    }

    /// A line that a step wrote.
    pub(crate) fn log(&self, task: &str, step: &str, line: &str) {
        if !matches!(self.mode, Mode::Quiet) {
            self.say(&format!("{} {line}", self.paint.tone(Tone::Blue, &format!("[{task} : {step}]"))));
        }
    }

    /// A line of our own.
    pub(crate) fn say(&self, line: &str) {
        match &self.mode {
            Mode::Quiet => {}
            Mode::Plain { .. } => self.stream.lines([line]),
            Mode::Live { screen, .. } => {
                let _closed = screen.println(line);
            }
        }
    }

    /// A warning, which even who wants quiet is to see.
    pub(crate) fn warn(&self, text: &str) {
        match &self.mode {
            Mode::Quiet | Mode::Plain { .. } => Stream::Error.lines([Stream::Error.paint().warning(text).as_str()]),
            Mode::Live { .. } => self.say(&self.paint.warning(text)),
        }
    }

    /// Something changed, or time has passed.
    pub(crate) fn show(&mut self, world: &World, runs: &[RunKey], now: Timestamp) {
        match &mut self.mode {
            Mode::Quiet => {}
            Mode::Plain { said } => {
                for line in changes(world, runs, said, now) {
                    self.stream.lines([line.as_str()]);
                }
            }
            Mode::Live { screen, rows } => {
                let mut lines: Vec<String> =
                    runs.iter().flat_map(|run| tree::draw(world, run, now, false, self.paint)).collect();
                if lines.len() > MAX_LIVE_ROWS {
                    let hidden = lines.len() - MAX_LIVE_ROWS;
                    lines.truncate(MAX_LIVE_ROWS);
                    lines.push(self.paint.tone(Tone::Dim, &format!("… {hidden} more")));
                }
                while rows.len() < lines.len() {
                    let row = ProgressBar::new_spinner()
                        .with_style(ProgressStyle::with_template("{msg}").expect("the template is well-formed"));
                    rows.push(screen.add(row));
                }
                for row in rows.drain(lines.len()..) {
                    row.finish_and_clear();
                    screen.remove(&row);
                }
                for (row, line) in rows.iter().zip(lines) {
                    row.set_message(line);
                }
            }
        }
    }

    /// Takes the live tree off the screen.
    pub(crate) fn clear(&mut self) {
        if let Mode::Live { screen, rows } = &mut self.mode {
            rows.clear();
            let _closed = screen.clear();
        }
    }
}

/// One line for each run whose state is another than the one that was said.
fn changes(world: &World, runs: &[RunKey], said: &mut BTreeMap<String, String>, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for run in runs {
        let mut pending = vec![(run.clone(), run.describe())];
        while let Some((key, label)) = pending.pop() {
            if let RunKey::Pipeline(name) = &key
                && let Some(pipeline_run) = world.pipeline_runs.get(name)
            {
                let listed = pipeline_run.status.child_references.iter().zip(children(pipeline_run));
                let prefix = if key == *run { String::new() } else { format!("{label} / ") };
                pending.extend(
                    listed.rev().map(|(child, key)| (key, format!("task {prefix}{}", child.pipeline_task_name))),
                );
                for skipped in &pipeline_run.status.skipped_tasks {
                    tell(
                        said,
                        &mut lines,
                        &format!("task {prefix}{}", skipped.name),
                        format!("skipped: {}", skipped.reason),
                    );
                }
            }
            let Some(condition) = world.condition(&key) else { continue };
            let state = match condition.status.as_str() {
                "True" => "succeeded".to_owned(),
                "False" => format!("{}: {}", condition.reason, condition.message.trim()),
                _ => progress(condition),
            };
            let took = world.uid(&key).and_then(|uid| world.took(&Timed::Run(uid), now));
            let key = format!("{label}\u{0}{}", key.describe());
            if said.get(&key) != Some(&state) {
                let time = match (condition.status.as_str(), took) {
                    ("Unknown", _) | (_, None) => String::new(),
                    (_, Some(took)) => format!(" ({})", tree::seconds(took)),
                };
                lines.push(format!("{label}: {state}{time}"));
                said.insert(key, state);
            }
        }
    }
    lines
}

fn tell(said: &mut BTreeMap<String, String>, lines: &mut Vec<String>, label: &str, state: String) {
    if said.get(label) != Some(&state) {
        lines.push(format!("{label}: {state}"));
        said.insert(label.to_owned(), state);
    }
}

/// What a run that goes on does, or what it waits for.
fn progress(condition: &Condition) -> String {
    // A container that comes up waits for a state in one word; a sentence tells of what someone has to mend.
    let trouble = condition.message.split_once("is pending with reason \"").map(|(_, why)| why.trim_end_matches('"'));
    match condition.reason.as_str() {
        "Started" | "Pending" => match trouble.filter(|why| why.contains(' ')) {
            Some(why) => format!("waits: {why}"),
            None => "started".to_owned(),
        },
        "Running" => "running".to_owned(),
        "" => "waiting".to_owned(),
        other => other.to_owned(),
    }
}
