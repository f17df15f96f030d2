//! What a step left behind: results and artifacts, and the termination message that tells of them.

use tekton_contract::{
    paths,
    termination::{self, ResultType, RunResult},
};

use super::{Step, StepError};
use crate::{
    fs::{self, PathError},
    log, spire,
};

/// A message of 4 KiB cannot hold more than four million bytes, however well they compress: what is behind this many
/// changes nothing, and memory need not hold it.
const READ_LIMIT: u64 = 8 << 20;

fn read(path: &str) -> Result<Vec<u8>, PathError> {
    fs::read_at_most(path, READ_LIMIT)
}

impl Step<'_> {
    pub(super) fn collect_results(&self) -> Result<(), StepError> {
        let step_results = fs::join(&[&self.flags.step_metadata_dir, paths::STEP_RESULTS_DIR]);
        for (names, directory, kind) in [
            (self.flags.results.as_deref().unwrap_or_default(), paths::RESULTS, ResultType::TASK_RUN),
            (&self.flags.step_results, &step_results, ResultType::STEP),
        ] {
            // A list whose first name is empty counts as no list.
            if names.is_empty() || names.starts_with(',') {
                continue;
            }
            self.collect(names, directory, kind).inspect_err(|error| {
                let text = match error {
                    StepError::Failed(text) => text,
                    _ => &termination::TooLong.to_string(),
                };
                log::error("Error while substituting step artifacts:", text);
            })?;
        }
        Ok(())
    }

    fn collect(&self, names: &str, directory: &str, kind: ResultType) -> Result<(), StepError> {
        let mut found = Vec::new();
        for name in names.split(',').filter(|name| !name.is_empty()) {
            match read(&fs::join(&[directory, name])) {
                Ok(content) => found.push(RunResult::from_bytes(name, &content, kind)),
                Err(error) if error.not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.spire {
            let socket = self.flags.spire_socket_path.as_deref().unwrap_or(paths::SPIRE_SOCKET);
            return Err(StepError::Failed(spire::refusal(socket)));
        }
        if self.to_message && !found.is_empty() {
            self.write_message(found)?;
        }
        Ok(())
    }

    pub(super) fn collect_artifacts(&self, output: &mut Vec<RunResult>) -> Result<(), StepError> {
        let step = fs::join(&[&self.flags.step_metadata_dir, paths::STEP_ARTIFACTS_DIR, paths::PROVENANCE_FILE]);
        for (path, kind, what) in [
            (step.as_str(), ResultType::STEP_ARTIFACTS, "step"),
            (paths::ARTIFACTS_PROVENANCE, ResultType::TASK_RUN_ARTIFACTS, "task"),
        ] {
            match read(path) {
                Ok(content) => output.push(RunResult::from_bytes(path, &content, kind)),
                Err(error) if error.not_found() => {}
                Err(error) => {
                    let code = log::fatal(&format!("Error while handling {what} artifacts: {error}"));
                    return Err(StepError::Left(code));
                }
            }
        }
        Ok(())
    }

    /// Adds entries to the termination message.
    pub(super) fn write_message(&self, mut entries: Vec<RunResult>) -> Result<(), StepError> {
        let path = self.termination_path;
        match read(path) {
            Ok(content) => match termination::existing(&content) {
                Ok(mut existing) => {
                    existing.append(&mut entries);
                    entries = existing;
                }
                Err(error) if self.flags.compress_termination_message => log::line(&format!(
                    "WARN Failed to parse existing termination message, previous results will be lost error={} path={}",
                    log::attribute(&error),
                    log::attribute(path)
                )),
                Err(_) => {}
            },
            Err(error) if error.not_found() => {}
            Err(error) => return Err(error.into()),
        }
        let text = termination::message(&entries, self.flags.compress_termination_message)
            .map_err(|termination::TooLong| StepError::TooLong)?;
        let file = fs::write(path, text.as_bytes(), 0o666)?;
        file.sync_all().map_err(|error| PathError::new("sync", path, error).into())
    }
}
