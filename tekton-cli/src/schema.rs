//! `tekton schema`: JSON Schemas of the kinds. They are made by `tekton_types::schema`.

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;
use tekton_types::object::KINDS;
use tekton_types::schema;

use crate::args::SchemaArguments;
use crate::printed;

/// Prints one schema, or writes them all.
///
/// Errors: a kind that Tekton does not have, a directory that cannot be written.
pub(crate) fn schema(arguments: &SchemaArguments) -> Result<ExitCode, String> {
    if let Some(folder) = &arguments.output_dir {
        return write_all(folder);
    }
    let found = match &arguments.kind {
        Some(wanted) => {
            let (api_version, kind) = resolve(wanted)?;
            schema::of(api_version, kind).ok_or_else(|| format!("there is no schema of {wanted}"))?
        }
        None => schema::any(),
    };
    Ok(printed(text(&found)))
}

fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

/// `Task`, `tasks` or `v1beta1/Task` in any case: the stored version unless one is named.
fn resolve(wanted: &str) -> Result<(&'static str, &'static str), String> {
    let (version, name) = wanted.rsplit_once('/').map_or((None, wanted), |(version, name)| (Some(version), name));
    let plural = |kind: &str| kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"));
    let named = |kind: &str| kind.eq_ignore_ascii_case(name) || plural(kind).eq_ignore_ascii_case(name);
    let at = |known: &str| version.is_none_or(|version| known == version || known.ends_with(&format!("/{version}")));
    let found = KINDS.iter().find(|(api_version, kind)| named(kind) && at(api_version));
    found.copied().ok_or_else(|| {
        let mut kinds: Vec<&str> = KINDS.iter().map(|(_, kind)| *kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        format!("{wanted:?} is no kind of Tekton's; there are {}", kinds.join(", "))
    })
}

fn write_all(folder: &Path) -> Result<ExitCode, String> {
    let failed = |path: &Path, error: &std::io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let each = KINDS
        .iter()
        .filter_map(|(api_version, kind)| Some((schema::file_name(api_version, kind), schema::of(api_version, kind)?)));
    for (name, schema) in each.chain([("tekton.json".to_owned(), schema::any())]) {
        let path = folder.join(name);
        std::fs::write(&path, text(&schema)).map_err(|error| failed(&path, &error))?;
    }
    Ok(ExitCode::SUCCESS)
}
