//! Whole files: parse, decode, default, validate, check documents together, lint; every finding with its place.

use tekton_types::Object;
use tekton_types::config::Config;
use tekton_types::decode::{DecodeError, Problem};
use tekton_types::yaml::{self, Document, Node, Span, Value};

use crate::config_map::validate_config_map;
use crate::diagnostic::{Diagnostic, Severity};
use crate::fix::Fix;
use crate::locate::{locate, places};
use crate::object::{Operation, validate_with_source};
use crate::presence::without_a_value;
use crate::{crossdoc, lint, misread, suggest};

/// A file to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name, as findings tell it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What to check, and under which configuration.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Feature gates and defaults.
    pub config: Config,
    /// Whether to lint as well.
    pub lint: bool,
    /// Whether each document is looked at alone.
    pub alone: bool,
}

/// A finding with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Name of the file.
    pub file: String,
    /// The document in the file, from 0.
    pub document: usize,
    /// Kind and name of the object, such as `Task build`; empty when it could not be read.
    pub object: String,
    /// What was found.
    pub diagnostic: Diagnostic,
    /// Where, one for each path; at least one.
    pub spans: Vec<Span>,
    /// A change that settles it, when there is a mechanical one.
    pub fix: Option<Fix>,
}

/// What a check came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was found, in the order of files and lines.
    pub findings: Vec<Finding>,
    /// How many of Tekton's objects were looked at.
    pub checked: usize,
    /// How many documents of other APIs were passed over.
    pub skipped: usize,
}

impl Report {
    /// How many findings are errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|f| f.diagnostic.severity == Severity::Error).count()
    }

    /// How many findings are warnings.
    pub fn warnings(&self) -> usize {
        self.findings.len() - self.errors()
    }

    /// 0 when all is well, 1 when there are errors. (2 is for files that could not be read, which the caller knows.)
    pub fn exit_code(&self) -> u8 {
        u8::from(self.errors() > 0)
    }
}

/// What is known of one file before it is seen together with others.
#[derive(Debug)]
pub struct FileReport<'a> {
    source: &'a Source,
    report: Report,
    objects: Vec<Checked<'a>>,
}

/// An object that was read.
#[derive(Debug)]
struct Checked<'a> {
    document: Document<'a>,
    object: Object,
    /// Paths of values that could not be read, and of fields that are there under a misspelt name; rules about them
    /// would say nothing new.
    unreadable: Vec<String>,
}

/// Checks files together.
pub fn check_files(sources: &[Source], options: &Options) -> Report {
    together(sources.iter().map(|source| check_file(source, options)).collect(), options)
}

/// Checks the documents of one file, each by itself. Files can be checked side by side and then [`together`].
pub fn check_file<'a>(source: &'a Source, options: &Options) -> FileReport<'a> {
    let mut file = FileReport { source, report: Report::default(), objects: Vec::new() };
    for document in yaml::parse_each(&source.text) {
        match document {
            Ok(document) => file.read(document, options),
            Err(error) => {
                let mut diagnostic = Diagnostic::new("yaml", Severity::Error, error.message, []);
                diagnostic.help =
                    Some(suggest::for_yaml(&diagnostic.message, line_of(&source.text, error.span)).to_owned());
                file.report.findings.push(Finding {
                    file: source.name.clone(),
                    document: error.document,
                    object: String::new(),
                    diagnostic,
                    spans: vec![error.span],
                    fix: None,
                });
            }
        }
    }
    for checked in &file.objects {
        let findings = validated(source, checked, options);
        file.report.findings.extend(findings);
    }
    file
}

/// Puts the reports of files together, and checks across them unless each document is looked at alone.
pub fn together(files: Vec<FileReport<'_>>, options: &Options) -> Report {
    let mut report = Report::default();
    let mut findings: Vec<(usize, Finding)> = Vec::new();
    let mut objects = Vec::new();
    for (index, file) in files.into_iter().enumerate() {
        report.checked += file.report.checked;
        report.skipped += file.report.skipped;
        findings.extend(file.report.findings.into_iter().map(|finding| (index, finding)));
        objects.extend(file.objects.into_iter().map(|checked| (index, file.source, checked)));
    }
    if !options.alone {
        let all: Vec<(usize, &Object)> = objects.iter().map(|(file, _, checked)| (*file, &checked.object)).collect();
        for (position, diagnostic) in crossdoc::check(&all) {
            let (index, source, checked) = &objects[position];
            findings.push((*index, place(source, checked, diagnostic, None)));
        }
    }
    findings.sort_by_key(|(index, f)| (*index, f.document, f.spans.first().map(|s| s.start)));
    report.findings = findings.into_iter().map(|(_, finding)| finding).collect();
    report
}

/// What rules and lint say about an object.
fn validated(source: &Source, checked: &Checked<'_>, options: &Options) -> Vec<Finding> {
    let json = checked.document.to_json();
    let mut found = validate_with_source(&checked.object, &json, &options.config, Operation::Create);
    if checked.object.name().is_empty() && has_generate_name(&checked.object) {
        // The API server makes up the name before rules look at it.
        found.retain(|d| d.paths != ["metadata.name"]);
    }
    found.extend(without_a_value(&json).into_iter().map(|path| {
        Diagnostic::new("no-value", Severity::Error, "there is no value", [path])
            .with_help("write `value: \"\"` for an empty one")
    }));
    found.retain(|d| !checked.unreadable.iter().any(|path| follows(d, path)));
    let mut findings: Vec<Finding> = found.into_iter().map(|d| place(source, checked, d, None)).collect();
    if options.lint {
        let given = lint::Given { text: &source.text, root: &checked.document.root, config: &options.config };
        let found = lint::lint(&checked.object, &given);
        findings.extend(found.into_iter().map(|found| place(source, checked, found.diagnostic, found.fix)));
    }
    findings
}

/// Whether a finding says no more than that this value could not be read: it is about the value or what is in it, or
/// it misses what is declared there.
fn follows(diagnostic: &Diagnostic, unreadable: &str) -> bool {
    let is_within = |path: &String| {
        let head = path.get(..unreadable.len()).is_some_and(|head| head.eq_ignore_ascii_case(unreadable));
        head && (path.len() == unreadable.len() || path[unreadable.len()..].starts_with(['.', '[']))
    };
    if diagnostic.paths.iter().any(is_within) {
        return true;
    }
    let (list, field) = match unreadable.rsplit_once('.') {
        Some((parent, field)) if parent.ends_with(']') => (parent, field),
        _ => (unreadable, ""),
    };
    let list = list.rsplit('.').next().unwrap_or_default();
    let list = list.split('[').next().unwrap_or_default();
    // What tells one element of a list from others, and how it may be referred to.
    if !matches!(field, "" | "name" | "type" | "default" | "properties") {
        return false;
    }
    match diagnostic.code {
        "unknown-variable" | "variable-type" | "variable-isolated" => {
            let scope = diagnostic.about.as_deref().unwrap_or_default().trim_start_matches("$(");
            let scope = scope.strip_prefix("inputs.").unwrap_or(scope);
            scope.starts_with(list) || (list == "params" && scope.is_empty())
        }
        "unknown-task" | "status-reference" => matches!(list, "tasks" | "finally"),
        "unknown-workspace" => list == "workspaces",
        _ => false,
    }
}

fn has_generate_name(object: &Object) -> bool {
    object.metadata().and_then(|m| m.generate_name.as_deref()).is_some_and(|n| !n.is_empty())
}

impl<'a> FileReport<'a> {
    fn read(&mut self, document: Document<'a>, options: &Options) {
        let is_list = document.root.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List"));
        if let (true, Some(Value::Seq(items))) = (is_list, document.root.get("items").map(|items| &items.value)) {
            for item in items.clone() {
                self.read(Document { index: document.index, root: item, duplicates: Vec::new() }, options);
            }
            return;
        }
        let (object, errors) = Object::observe(&document);
        let title = object.as_ref().map(title).unwrap_or_default();
        let finding = |diagnostic, span, fix| Finding {
            file: self.source.name.clone(),
            document: document.index,
            object: title.clone(),
            diagnostic,
            spans: vec![span],
            fix,
        };
        if let Some(Object::Other(other)) = &object {
            self.report.skipped += usize::from(!other.is_null());
            let found = validate_config_map(other).into_iter().map(|diagnostic| {
                let key = diagnostic.about.as_deref().and_then(|key| document.root.get("data")?.get(key));
                let span = key.map_or_else(|| locate(&document.root, "data"), |value| value.span);
                finding(diagnostic, span, None)
            });
            self.report.findings.extend(found);
            return;
        }
        self.report.checked += 1;
        let unreadable = errors.iter().filter_map(unreadable).collect();
        let found: Vec<Finding> = errors
            .into_iter()
            .map(|error| {
                let (diagnostic, fix) = misread::explain(&error, object.as_ref(), &self.source.text);
                finding(diagnostic, error.span, fix)
            })
            .collect();
        self.report.findings.extend(found);
        if let Some(mut object) = object {
            object.set_defaults(&options.config, true);
            self.objects.push(Checked { document, object, unreadable });
        }
    }
}

/// The path that an error makes rules pass over.
fn unreadable(error: &DecodeError) -> Option<String> {
    match &error.problem {
        Problem::BadValue => Some(error.path.clone()),
        Problem::UnknownField { suggestion: Some(name), .. } => {
            let parent = error.path.rsplit_once('.').map_or("", |(parent, _)| parent);
            Some(format!("{parent}.{name}"))
        }
        _ => None,
    }
}

fn title(object: &Object) -> String {
    let name = object.name();
    let generated = || object.metadata().and_then(|m| m.generate_name.as_deref()).unwrap_or_default();
    format!("{} {}", object.kind(), if name.is_empty() { generated() } else { name }).trim_end().to_owned()
}

fn place(source: &Source, checked: &Checked<'_>, mut diagnostic: Diagnostic, fix: Option<Fix>) -> Finding {
    suggest::help(&mut diagnostic, &checked.document.root);
    Finding {
        file: source.name.clone(),
        document: checked.document.index,
        object: title(&checked.object),
        spans: places(&source.text, &checked.document.root, &diagnostic),
        diagnostic,
        fix,
    }
}

/// The line that a span begins in.
pub(crate) fn line_of(text: &str, span: Span) -> &str {
    let at = span.start.min(text.len());
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    text[start..].lines().next().unwrap_or_default()
}
