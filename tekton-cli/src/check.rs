//! `tekton validate`, and the same check before a run.

use std::process::ExitCode;

use tekton_types::object::Object;
use tekton_types::yaml;

use crate::args::ValidateArguments;
use crate::files::{self, Source};

/// `tekton validate`.
pub(crate) fn validate(arguments: &ValidateArguments) -> Result<ExitCode, String> {
    let sources = files::read_all(&arguments.files)?;
    Ok(if report(&sources) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The check before a run.
pub(crate) fn before_run(sources: &[Source]) -> Result<(), String> {
    if report(sources) { Ok(()) } else { Err("invalid manifests".to_owned()) }
}

fn report(sources: &[Source]) -> bool {
    let mut good = true;
    for source in sources {
        for document in yaml::parse_each(&source.text) {
            let Ok(document) = document else { good = false; continue };
            let (_, errors) = Object::observe(&document);
            for error in errors {
                good = false;
                eprintln!("{}:{}:{}: {error}", source.name, error.span.line, error.span.column);
            }
        }
    }
    good
}
