//! `workingdirinit`: makes the working directories of steps.

use tekton_contract::{paths, var::extract::go_quote};

use crate::{fs, log};

/// Makes every directory that is relative or below the workspace; all others are left alone.
pub(crate) fn main(args: &[String]) -> i32 {
    let workspace = format!("{}/", paths::WORKSPACE);
    for path in args.iter().map(|path| fs::clean(path)) {
        if path.starts_with('/') && !path.starts_with(&workspace) {
            continue;
        }
        if let Err(error) = fs::make_all(&path, 0o755) {
            return log::fatal(&format!("Failed to mkdir {}: {error}", go_quote(&path)));
        }
    }
    0
}
