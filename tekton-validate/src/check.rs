//! Whole files: parse, decode, default, validate, check documents together, lint; every finding with its place.

use tekton_types::Object;
use tekton_types::config::Config;
use tekton_types::decode::{DecodeError, Problem};
use tekton_types::yaml::{self, Document, Span};

use crate::config_map::validate_config_map;
use crate::diagnostic::{Diagnostic, Severity};
use crate::locate::locate;
use crate::object::{Operation, validate_with_source};
use crate::presence::without_a_value;
use crate::{crossdoc, lint, suggest};

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

/// An object that was read, with where it came from.
pub(crate) struct Checked<'a> {
    pub(crate) source: usize,
    pub(crate) document: Document<'a>,
    pub(crate) object: Object,
    /// Paths of values that could not be read; rules about them would say nothing new.
    unreadable: Vec<String>,
}

/// Checks files together.
pub fn check_files(sources: &[Source], options: &Options) -> Report {
    let mut report = Report::default();
    let mut objects: Vec<Checked<'_>> = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        for document in yaml::parse_each(&source.text) {
            match document {
                Ok(document) => read(index, source, document, options, &mut objects, &mut report),
                Err(error) => {
                    let mut diagnostic = Diagnostic::new("yaml", Severity::Error, error.message, []);
                    diagnostic.help = suggest::for_text(&diagnostic.message, line_of(&source.text, error.span));
                    report.findings.push(Finding {
                        file: source.name.clone(),
                        document: error.document,
                        object: String::new(),
                        diagnostic,
                        spans: vec![error.span],
                    });
                }
            }
        }
    }
    for checked in &objects {
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
        found.retain(|d| !d.paths.iter().any(|path| checked.unreadable.contains(path)));
        if options.lint {
            found.extend(lint::lint(&checked.object));
        }
        report.findings.extend(found.into_iter().map(|d| place(&sources[checked.source].name, checked, d)));
    }
    if !options.alone {
        let all: Vec<(usize, &Object)> = objects.iter().map(|c| (c.source, &c.object)).collect();
        for (index, diagnostic) in crossdoc::check(&all) {
            let checked = &objects[index];
            report.findings.push(place(&sources[checked.source].name, checked, diagnostic));
        }
    }
    let order = |name: &str| sources.iter().position(|s| s.name == name);
    report.findings.sort_by_key(|f| (order(&f.file), f.document, f.spans.first().map(|s| s.start)));
    report
}

fn has_generate_name(object: &Object) -> bool {
    object.metadata().and_then(|m| m.generate_name.as_deref()).is_some_and(|n| !n.is_empty())
}

fn read<'a>(
    index: usize,
    source: &Source,
    document: Document<'a>,
    options: &Options,
    objects: &mut Vec<Checked<'a>>,
    report: &mut Report,
) {
    let (object, errors) = Object::observe(&document);
    if let Some(Object::Other(other)) = &object {
        report.skipped += usize::from(!other.is_null());
        report.findings.extend(validate_config_map(other).into_iter().map(|diagnostic| Finding {
            file: source.name.clone(),
            document: document.index,
            object: object.as_ref().map(title).unwrap_or_default(),
            spans: vec![locate(&document.root, "data")],
            diagnostic,
        }));
        return;
    }
    report.checked += 1;
    let title = object.as_ref().map(title).unwrap_or_default();
    let unreadable = errors.iter().filter(|e| e.problem == Problem::BadValue).map(|e| e.path.clone()).collect();
    report.findings.extend(errors.into_iter().map(|error| Finding {
        file: source.name.clone(),
        document: document.index,
        object: title.clone(),
        spans: vec![error.span],
        diagnostic: of_decode(&error, object.as_ref(), line_of(&source.text, error.span)),
    }));
    if let Some(mut object) = object {
        object.set_defaults(&options.config, true);
        objects.push(Checked { source: index, document, object, unreadable });
    }
}

fn title(object: &Object) -> String {
    let name = object.name();
    let generated = || object.metadata().and_then(|m| m.generate_name.as_deref()).unwrap_or_default();
    format!("{} {}", object.kind(), if name.is_empty() { generated() } else { name })
}

fn place(file: &str, checked: &Checked<'_>, mut diagnostic: Diagnostic) -> Finding {
    suggest::help(&mut diagnostic, &checked.document.root);
    let mut spans: Vec<Span> = diagnostic.paths.iter().map(|path| locate(&checked.document.root, path)).collect();
    if spans.is_empty() {
        spans.push(locate(&checked.document.root, "spec"));
    }
    spans.sort_by_key(|s| s.start);
    spans.dedup();
    Finding {
        file: file.to_owned(),
        document: checked.document.index,
        object: title(&checked.object),
        diagnostic,
        spans,
    }
}

/// Fields that moved from v1beta1 to v1, or are often looked for elsewhere: end of the path, and what to write.
const MOVED: &[(&str, &str, &str)] = &[
    ("PipelineRun", "spec.serviceAccountName", "spec.taskRunTemplate.serviceAccountName"),
    ("PipelineRun", "spec.podTemplate", "spec.taskRunTemplate.podTemplate"),
    ("PipelineRun", "podTemplate.serviceAccountName", "spec.taskRunTemplate.serviceAccountName"),
    ("PipelineRun", "spec.timeout", "spec.timeouts.pipeline"),
    ("PipelineRun", "taskServiceAccountName", "serviceAccountName"),
    ("PipelineRun", "taskPodTemplate", "podTemplate"),
    ("TaskRun", "podTemplate.serviceAccountName", "spec.serviceAccountName"),
    ("", "stepOverrides", "stepSpecs"),
    ("", "sidecarOverrides", "sidecarSpecs"),
    ("", "taskRef.bundle", "the bundles resolver: `resolver: bundles` with params `bundle`, `name` and `kind`"),
    ("", "pipelineRef.bundle", "the bundles resolver: `resolver: bundles` with params `bundle`, `name` and `kind`"),
    ("", "inputs", "spec.params and spec.workspaces"),
    ("", "outputs", "spec.results and spec.workspaces"),
    ("", "conditions", "when"),
];

fn line_of(text: &str, span: Span) -> &str {
    text.lines().nth(span.line.saturating_sub(1)).unwrap_or_default()
}

fn of_decode(error: &DecodeError, object: Option<&Object>, line: &str) -> Diagnostic {
    let (code, severity) = match &error.problem {
        Problem::UnknownField { .. } => ("unknown-field", Severity::Error),
        Problem::DuplicateKey => ("duplicate-key", Severity::Warning),
        Problem::RemovedKind { .. } => ("removed-kind", Severity::Error),
        Problem::UnknownKind => ("unknown-kind", Severity::Error),
        _ => ("wrong-type", Severity::Error),
    };
    let mut diagnostic = Diagnostic::new(code, severity, error.message.clone(), [error.path.clone()]);
    if error.problem == Problem::BadValue {
        diagnostic.help = suggest::for_text(&error.message, line);
    }
    if let Problem::UnknownField { suggestion, .. } = &error.problem {
        let kind = object.map_or("", Object::kind);
        let is_step_resources = error.path.ends_with("].resources") && error.path.contains("teps[");
        let moved = MOVED.iter().find(|(of, end, _)| {
            (of.is_empty() || *of == kind) && (error.path == *end || error.path.ends_with(&format!(".{end}")))
        });
        diagnostic.help = if let Some((_, _, now)) = moved {
            Some(format!("did you mean {now}?"))
        } else if is_step_resources {
            Some("did you mean computeResources?".to_owned())
        } else {
            suggestion.map(|name| format!("did you mean {name}?"))
        };
    }
    diagnostic
}
