//! Reads manifests from files, folders and standard input.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tekton_types::yaml;
use tekton_validate::check::Source;

/// The name of standard input.
pub(crate) const STDIN: &str = "<stdin>";

/// Reads every file; a folder means the `.yaml`, `.yml` and `.json` files in it and below; `-` is standard input.
///
/// Errors: a file that cannot be read, or is not UTF-8.
pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| format!("standard input: {error}"))?;
            sources.push(Source { name: STDIN.to_owned(), text });
        } else if path.is_dir() {
            read_folder(path, &mut sources)?;
        } else {
            sources.push(read_file(path)?);
        }
    }
    Ok(sources)
}

fn read_folder(folder: &Path, sources: &mut Vec<Source>) -> Result<(), String> {
    let named = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(named)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(named)?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            read_folder(&entry, sources)?;
        } else if entry.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json") {
            sources.push(read_file(&entry)?);
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Source, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Source { name: path.display().to_string(), text })
}

/// Every object of the sources, in their order; the items of a `List` stand for it, and empty documents are passed over.
///
/// Errors: a text that is no YAML, with file, line and column.
pub(crate) fn objects(sources: &[Source]) -> Result<Vec<Value>, String> {
    let mut objects = Vec::new();
    for source in sources {
        for document in yaml::parse_each(&source.text) {
            let document = document.map_err(|error| {
                format!("{}:{}:{}: {}", source.name, error.span.line, error.span.column, error.message)
            })?;
            flatten(document.to_json(), &mut objects);
        }
    }
    Ok(objects)
}

fn flatten(mut object: Value, objects: &mut Vec<Value>) {
    let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match object.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) if is_list => items.into_iter().for_each(|item| flatten(item, objects)),
        Some(items) => {
            object["items"] = items;
            objects.push(object);
        }
        None if object.is_null() => {}
        None => objects.push(object),
    }
}

/// Whether the object is of one of Tekton's kinds.
pub(crate) fn is_tekton(object: &Value, kind: &str) -> bool {
    object["kind"] == kind && object["apiVersion"].as_str().is_some_and(|version| version.starts_with("tekton.dev/"))
}
