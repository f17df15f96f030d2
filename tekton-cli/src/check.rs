//! `tekton validate`, and the same check before a run. The rules are those of `tekton-validate`.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tekton_types::config::Config;
use tekton_validate::catalogue::{RULES, rule};
use tekton_validate::check::{Options, Report, Source, check_file, check_files, together};
use tekton_validate::fix::fix;
use tekton_validate::render;

use crate::args::{ReportFormat, ValidateArguments};
use crate::run::style::Paint;
use crate::{files, printed, settings};

/// Rounds of fixes at most: mending a field may bring others into view.
const ROUNDS: usize = 5;

/// Checks the files together and prints what was found.
///
/// Errors: a file or a setting that cannot be read, a file that cannot be written, an unknown code.
pub(crate) fn validate(arguments: &ValidateArguments) -> Result<ExitCode, String> {
    if let Some(code) = &arguments.explain {
        return explain(code).map(printed);
    }
    let mut sources = files::read_all(&arguments.files)?;
    let config = settings::config(&settings::config_maps(&arguments.settings)?)?;
    let options = Options { config, lint: arguments.lint, alone: false };
    let mut report = check_side_by_side(&sources, &options);
    let mut on_stdout = true;
    if arguments.fix {
        for _ in 0..ROUNDS {
            if !mend(&mut sources, &report)? {
                break;
            }
            report = check_side_by_side(&sources, &options);
        }
        if let Some(source) = sources.iter().find(|source| source.name == files::STDIN) {
            printed(source.text.clone());
            on_stdout = false;
        }
    }
    let text = match arguments.output {
        ReportFormat::Human => render::text(&report, &sources) + &more_about(&report),
        ReportFormat::Json => render::json(&report).to_string() + "\n",
        ReportFormat::Sarif => render::sarif(&report, &sources).to_string() + "\n",
        ReportFormat::Github => render::github(&report, &sources),
    };
    if on_stdout {
        printed(text);
    } else {
        eprint!("{text}");
    }
    Ok(ExitCode::from(report.exit_code()))
}

/// Checks files on all cores; the report does not depend on how many there are.
fn check_side_by_side(sources: &[Source], options: &Options) -> Report {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(sources.len());
    if workers < 2 {
        return check_files(sources, options);
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = sources.get(index) else { return done };
            done.push((index, check_file(source, options)));
        }
    };
    let mut reports: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("checking a file does not panic")).collect()
    });
    reports.sort_by_key(|(index, _)| *index);
    together(reports.into_iter().map(|(_, report)| report).collect(), options)
}

/// Mends what can be mended, writes the files that change and tells what was done: whether anything was.
fn mend(sources: &mut [Source], report: &Report) -> Result<bool, String> {
    let mut changed = false;
    for source in sources {
        let fixed = fix(source, &report.findings);
        if fixed.text == source.text {
            continue;
        }
        for finding in &fixed.settled {
            let place = finding.spans.first().copied().unwrap_or_default();
            let title = finding.fix.as_ref().map_or("", |fix| fix.title.as_str());
            eprintln!("fixed[{}] {}:{}:{}: {title}", finding.diagnostic.code, source.name, place.line, place.column);
        }
        let text = fixed.text;
        if source.name != files::STDIN {
            std::fs::write(&source.name, &text).map_err(|error| format!("{}: {error}", source.name))?;
        }
        source.text = text;
        changed = true;
    }
    Ok(changed)
}

/// What a code means.
fn explain(code: &str) -> Result<String, String> {
    let Some(rule) = rule(code) else {
        let known: Vec<&str> = RULES.iter().map(|rule| rule.code).collect();
        return Err(format!("no finding has the code {code:?}; there are {}", known.join(", ")));
    };
    let fix = if rule.fixable { "\n\n`tekton validate --fix` mends it where that is mechanical." } else { "" };
    Ok(format!("{}: {}\n\n{}{fix}\n\n{}\n", rule.code, rule.title, rule.text, rule.url()))
}

/// Where to read on, when anything was found.
fn more_about(report: &Report) -> String {
    match report.findings.first() {
        Some(finding) => format!("`tekton validate --explain {}` says more\n", finding.diagnostic.code),
        None => String::new(),
    }
}

/// Refuses what a cluster would refuse at once; what the documents together will come to is only told, since a run
/// ends with the reason for it.
///
/// Errors: the findings, as text.
pub(crate) fn before_run(sources: &[Source], config: &Config) -> Result<(), String> {
    let options = |alone| Options { config: config.clone(), lint: false, alone };
    let alone = check_files(sources, &options(true));
    if alone.errors() > 0 {
        return Err(format!("the manifests are not valid\n\n{}", render::text(&alone, sources).trim_end()));
    }
    let together = check_files(sources, &options(false));
    if together.errors() > 0 {
        let text = render::text(&together, sources);
        let head = Paint::for_stream(&std::io::stderr()).warning("this run cannot succeed:");
        eprintln!("{head}\n\n{}\n", text.trim_end());
    }
    Ok(())
}
