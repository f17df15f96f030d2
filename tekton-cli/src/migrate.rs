//! `tekton migrate`: manifests of older releases become those of today. The rewriting is that of `tekton_types::migrate`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use similar::{ChangeTag, TextDiff};
use tekton_types::migrate::{self, Migration, Note};
use tekton_validate::check::{Finding, Report, Source};
use tekton_validate::{Diagnostic, Severity, render};

use crate::args::MigrateArguments;
use crate::run::style::{Paint, Tone};
use crate::{files, printed};

/// Lines around a change.
const CONTEXT: usize = 3;

/// Rewrites the files, or shows what would change.
///
/// Errors: a file that cannot be read or written.
pub(crate) fn migrate(arguments: &MigrateArguments) -> Result<ExitCode, String> {
    let sources = files::read_all(&arguments.files)?;
    let options = migrate::Options { cluster_task_namespace: arguments.cluster_task_namespace.clone() };
    let migrations: Vec<Migration> = sources.iter().map(|source| migrate::migrate(&source.text, &options)).collect();
    let mut shown = String::new();
    let paint = Paint::for_stream(&std::io::stdout());
    for (source, done) in sources.iter().zip(&migrations) {
        let stdin = source.name == files::STDIN;
        if arguments.in_place && stdin {
            shown.push_str(&done.text);
        } else if arguments.in_place && done.changed > 0 {
            std::fs::write(&source.name, &done.text).map_err(|error| format!("{}: {error}", source.name))?;
        } else if !arguments.in_place {
            diff(&mut shown, source, &done.text, paint);
        }
    }
    printed(shown);
    report(&sources, &migrations, arguments.in_place);
    let pending = arguments.check && migrations.iter().any(|done| done.changed > 0);
    let left = migrations.iter().any(Migration::needs_a_person);
    Ok(ExitCode::from(u8::from(left || pending)))
}

/// A unified diff, coloured for terminals.
fn diff(out: &mut String, source: &Source, new: &str, paint: Paint) {
    if source.text == new {
        return;
    }
    let diff = TextDiff::from_lines(source.text.as_str(), new);
    let name = source.name.trim_start_matches("./");
    let _ = writeln!(out, "{}", paint.tone(Tone::Red, &format!("--- a/{name}")));
    let _ = writeln!(out, "{}", paint.tone(Tone::Green, &format!("+++ b/{name}")));
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        let _ = writeln!(out, "{}", paint.tone(Tone::Blue, &hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let line = change.value();
            let (text, end) = line.strip_suffix('\n').map_or((line, "\n\\ No newline at end of file\n"), |l| (l, "\n"));
            let _ = match change.tag() {
                ChangeTag::Equal => write!(out, " {text}{end}"),
                ChangeTag::Delete => write!(out, "{}{end}", paint.tone(Tone::Red, &format!("-{text}"))),
                ChangeTag::Insert => write!(out, "{}{end}", paint.tone(Tone::Green, &format!("+{text}"))),
            };
        }
    }
}

/// What a person should know or do, then a line that sums up, on standard error.
fn report(sources: &[Source], migrations: &[Migration], in_place: bool) {
    let findings =
        sources.iter().zip(migrations).flat_map(|(source, done)| done.notes.iter().map(|note| finding(source, note)));
    let report = Report { findings: findings.collect(), ..Report::default() };
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let changed: usize = migrations.iter().map(|done| done.changed).sum();
    let files = migrations.iter().filter(|done| done.changed > 0).count();
    let verb = if in_place { "rewritten" } else { "to rewrite" };
    let mut line = format!("{} {verb} in {}", count(changed, "document"), count(files, "file"));
    match report.errors() {
        0 => {}
        left => line = format!("{line}; {} left to you", count(left, "thing")),
    }
    if !in_place && changed > 0 {
        line.push_str("; -w writes the files");
    }
    let text = format!("{}{line}\n", render::findings(&report, sources));
    // A reader that has gone away is no error of ours.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn finding(source: &Source, note: &Note) -> Finding {
    let severity = if note.blocks { Severity::Error } else { Severity::Warning };
    let mut diagnostic = Diagnostic::new(note.code, severity, note.message.clone(), []);
    diagnostic.help.clone_from(&note.help);
    Finding {
        file: source.name.clone(),
        document: note.document,
        object: note.object.clone(),
        diagnostic,
        spans: vec![note.span],
        fix: None,
    }
}
