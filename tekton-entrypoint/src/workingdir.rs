//! `workingdirinit`: makes the working directories of steps.

use tekton_contract::{paths, var::extract::go_quote};

use crate::{fs, log, sys};

/// Makes every directory that is relative or below the workspace; all others are left alone.
pub(crate) fn main(args: &[String]) -> i32 {
    let workspace = sys::with_volume(fs::clean(paths::WORKSPACE) + sys::SEPARATOR);
    for path in args.iter().map(|path| sys::with_volume(fs::clean(path))) {
        if sys::is_absolute(&path) && !path.starts_with(&workspace) {
            continue;
        }
        if let Err(error) = fs::make_all(&path, 0o755) {
            return log::fatal(&format!("Failed to mkdir {}: {error}", go_quote(&path)));
        }
    }
    0
}
