//! `tekton validate`, and the same check before a run. The rules are those of `tekton-validate`.

use std::process::ExitCode;

use tekton_types::config::Config;
use tekton_validate::check::{Options, Source, check_files};
use tekton_validate::render;

use crate::args::{ReportFormat, ValidateArguments};
use crate::run::style::Paint;
use crate::{files, printed, settings};

/// Checks the files together and prints what was found.
///
/// Errors: a file or a setting that cannot be read.
pub(crate) fn validate(arguments: &ValidateArguments) -> Result<ExitCode, String> {
    let sources = files::read_all(&arguments.files)?;
    let config = settings::config(&settings::config_maps(&arguments.settings)?)?;
    let report = check_files(&sources, &Options { config, lint: arguments.lint, alone: false });
    let text = match arguments.output {
        ReportFormat::Human => render::text(&report, &sources),
        ReportFormat::Json => render::json(&report).to_string() + "\n",
        ReportFormat::Sarif => render::sarif(&report).to_string() + "\n",
        ReportFormat::Github => render::github(&report),
    };
    printed(text);
    Ok(ExitCode::from(report.exit_code()))
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
