//! Reports as people and machines read them: compiler-like text, JSON, SARIF, GitHub annotations.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::ops::Range;

use serde_json::{Value, json};
use tekton_types::yaml::Span;

use crate::catalogue::{self, rule};
use crate::check::{Finding, Report, Source};
use crate::diagnostic::{Diagnostic, Severity};
use crate::fix::Fix;

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A report as text: each finding with its lines and carets, then a summary.
pub fn text(report: &Report, sources: &[Source]) -> String {
    let mut out = findings(report, sources);
    let _ = writeln!(out, "{}", summary(report));
    out
}

/// The findings of a report as text, without a summary.
pub fn findings(report: &Report, sources: &[Source]) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let source = sources.iter().find(|s| s.name == finding.file);
        one(&mut out, finding, source.map_or("", |s| &s.text));
        out.push('\n');
    }
    out
}

/// One line about how much was checked and found.
pub fn summary(report: &Report) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let mut line = format!(
        "{} checked: {}, {}",
        count(report.checked, "object"),
        count(report.errors(), "error"),
        count(report.warnings(), "warning")
    );
    if report.skipped > 0 {
        let _ = write!(line, "; {} of other APIs passed over", count(report.skipped, "document"));
    }
    line
}

fn one(out: &mut String, finding: &Finding, text: &str) {
    let diagnostic = &finding.diagnostic;
    let _ = writeln!(out, "{}[{}]: {}", word(diagnostic.severity), diagnostic.code, headline(finding));
    let width = finding.spans.iter().map(|s| s.line).max().unwrap_or(1).to_string().len();
    let pad = " ".repeat(width);
    for (index, span) in finding.spans.iter().enumerate().take(4) {
        let arrow = if index == 0 { "-->" } else { ":::" };
        let _ = writeln!(out, "{pad}{arrow} {}:{}:{}", finding.file, span.line, span.column);
        snippet(out, text, *span, width);
    }
    if !finding.object.trim().is_empty() {
        let _ = writeln!(out, "{pad} = in {}", finding.object);
    }
    for line in diagnostic.details.lines() {
        let _ = writeln!(out, "{pad} = note: {line}");
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "{pad} = help: {help}");
    }
    if let Some(fix) = &finding.fix {
        let _ = writeln!(out, "{pad} = --fix: {}", fix.title);
    }
}

fn headline(finding: &Finding) -> String {
    let diagnostic = &finding.diagnostic;
    if let Some(problem) = cel_problem(diagnostic) {
        return format!("invalid CEL expression: {problem}");
    }
    let message = shortened(diagnostic);
    let paths: Vec<&str> = diagnostic.paths.iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
    if paths.is_empty() || message.contains(paths[0]) {
        return message.into_owned();
    }
    format!("{message}: {}", paths.join(", "))
}

/// What the compiler of CEL expressions says first; upstream puts it among the paths.
fn cel_problem(diagnostic: &Diagnostic) -> Option<&str> {
    if diagnostic.code != "cel" {
        return None;
    }
    let (_, said) = diagnostic.paths.iter().find_map(|path| path.split_once("ERROR: <input>:"))?;
    // Line and column of the expression come before it.
    said.lines().next()?.splitn(3, ':').nth(2).map(str::trim)
}

/// The message; upstream quotes a whole script where one of its variables is wrong, here the variable is enough.
fn shortened(diagnostic: &Diagnostic) -> Cow<'_, str> {
    const LONG: usize = 120;
    let message = diagnostic.message.as_str();
    match (&diagnostic.about, message.split_once(" in \"")) {
        (Some(about), Some((head, _))) if message.len() > LONG => format!("{head} in \"{about}\"").into(),
        _ => message.into(),
    }
}

fn snippet(out: &mut String, text: &str, span: Span, width: usize) {
    let Some(line) = text.lines().nth(span.line.saturating_sub(1)) else { return };
    let pad = " ".repeat(width);
    let before: String =
        line.chars().take(span.column.saturating_sub(1)).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let covered = text.get(span.start..span.end).unwrap_or_default();
    let length = covered.lines().next().unwrap_or_default().trim_end().chars().count().max(1);
    let _ = writeln!(out, "{pad} |");
    let _ = writeln!(out, "{:>width$} | {line}", span.line);
    let _ = writeln!(out, "{pad} | {before}{}", "^".repeat(length));
}

/// A report as JSON.
pub fn json(report: &Report) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let diagnostic = &finding.diagnostic;
            let places: Vec<Value> = finding
                .spans
                .iter()
                .map(|s| json!({ "line": s.line, "column": s.column, "start": s.start, "end": s.end }))
                .collect();
            json!({
                "file": finding.file,
                "document": finding.document,
                "object": finding.object,
                "code": diagnostic.code,
                "severity": word(diagnostic.severity),
                "message": diagnostic.message,
                "paths": diagnostic.paths,
                "details": diagnostic.details,
                "help": diagnostic.help,
                "places": places,
                "fix": finding.fix.as_ref().map(fix_json),
                "url": rule(diagnostic.code).map(catalogue::Rule::url),
            })
        })
        .collect();
    json!({
        "checked": report.checked,
        "skipped": report.skipped,
        "errors": report.errors(),
        "warnings": report.warnings(),
        "findings": findings,
    })
}

fn fix_json(fix: &Fix) -> Value {
    let edits = fix.edits.iter().map(|e| json!({ "start": e.range.start, "end": e.range.end, "text": e.text }));
    json!({ "title": fix.title, "edits": edits.collect::<Vec<_>>() })
}

/// A report as SARIF 2.1.0, for code hosts.
pub fn sarif(report: &Report, sources: &[Source]) -> Value {
    let lines = Lines::of(sources);
    let codes: BTreeSet<&str> = report.findings.iter().map(|f| f.diagnostic.code).collect();
    let rules: Vec<Value> = codes
        .into_iter()
        .map(|code| match rule(code) {
            Some(rule) => json!({
                "id": code,
                "shortDescription": { "text": rule.title },
                "fullDescription": { "text": rule.text },
                "helpUri": rule.url(),
            }),
            None => json!({ "id": code }),
        })
        .collect();
    let results: Vec<Value> = report.findings.iter().map(|finding| sarif_result(finding, &lines)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "tekton",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn sarif_result(finding: &Finding, lines: &Lines<'_>) -> Value {
    let uri = uri(&finding.file);
    let mut locations = finding.spans.iter().enumerate().map(|(id, span)| {
        json!({ "id": id, "physicalLocation": {
            "artifactLocation": { "uri": uri },
            "region": lines.region(&finding.file, span.start..span.end),
        }})
    });
    let mut text = headline(finding);
    if let Some(help) = &finding.diagnostic.help {
        let _ = write!(text, "\nhelp: {help}");
    }
    let mut result = json!({
        "ruleId": finding.diagnostic.code,
        "level": word(finding.diagnostic.severity),
        "message": { "text": text },
        "locations": locations.next().into_iter().collect::<Vec<_>>(),
    });
    // Several locations would mean that all of them must change.
    let related: Vec<Value> = locations.collect();
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    if let Some(fix) = &finding.fix {
        let replacements: Vec<Value> = fix
            .edits
            .iter()
            .map(|e| {
                json!({
                    "deletedRegion": lines.region(&finding.file, e.range.clone()),
                    "insertedContent": { "text": e.text },
                })
            })
            .collect();
        result["fixes"] = json!([{
            "description": { "text": fix.title },
            "artifactChanges": [{ "artifactLocation": { "uri": uri }, "replacements": replacements }],
        }]);
    }
    result
}

/// Where the lines of each file begin.
struct Lines<'s>(HashMap<&'s str, (&'s str, Vec<usize>)>);

impl<'s> Lines<'s> {
    fn of(sources: &'s [Source]) -> Self {
        let starts = |text: &str| std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self(sources.iter().map(|s| (s.name.as_str(), (s.text.as_str(), starts(&s.text)))).collect())
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    fn position(&self, file: &str, at: usize) -> (usize, usize) {
        let Some((text, starts)) = self.0.get(file) else { return (1, 1) };
        let line = starts.partition_point(|start| *start <= at).max(1);
        let before = text.get(starts[line - 1]..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// A region as SARIF has it, in lines and in bytes.
    fn region(&self, file: &str, range: Range<usize>) -> Value {
        let (line, column) = self.position(file, range.start);
        let (end_line, end_column) = self.position(file, range.end.max(range.start));
        json!({
            "startLine": line,
            "startColumn": column,
            "endLine": end_line,
            "endColumn": end_column,
            "byteOffset": range.start,
            "byteLength": range.len(),
        })
    }
}

/// A path as a relative reference: what a URI does not take is written in hexadecimal.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A report as workflow commands, which GitHub shows beside the lines.
pub fn github(report: &Report, sources: &[Source]) -> String {
    let lines = Lines::of(sources);
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
    let mut out = String::new();
    for finding in &report.findings {
        let span = finding.spans.first().copied().unwrap_or_default();
        let (end_line, end_column) = lines.position(&finding.file, span.end);
        let mut message = headline(finding);
        if let Some(help) = &finding.diagnostic.help {
            let _ = write!(message, "\nhelp: {help}");
        }
        let _ = writeln!(
            out,
            "::{} file={},line={},endLine={end_line},col={},endColumn={end_column},title={}::{}",
            word(finding.diagnostic.severity),
            property(finding.file.trim_start_matches("./")),
            span.line,
            span.column,
            finding.diagnostic.code,
            escape(&message)
        );
    }
    out
}
