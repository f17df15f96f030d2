//! Subcommands of the entrypoint: what init containers run.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
};

use tekton_contract::{
    base64::{self, Padding},
    paths,
    var::extract::go_quote,
};

use crate::{
    fs::{self, PathError},
    log, sys,
};

/// Runs the subcommand that the arguments name; `None` when they name none.
///
/// A wrong number of arguments is none, too.
pub(crate) fn process(args: &[String]) -> Option<i32> {
    let name = args.first()?.as_str();
    let outcome = match (name, &args[1..]) {
        ("init", [source, target, steps @ ..]) => copy(source, target)
            .map_err(|error| error.to_string())
            .and_then(|()| step_init(steps))
            .map(|()| "Entrypoint initialization".to_owned()),
        ("cp", [source, target]) => {
            copy(source, target).map(|()| format!("Copied {source} to {target}")).map_err(|error| error.to_string())
        }
        ("decode-script", [script]) => decode_script(script).map(|()| format!("Decoded script {script}")),
        ("step-init", steps) => step_init(steps).map(|()| "Setup /step directories".to_owned()),
        _ => return None,
    };
    Some(match outcome {
        Ok(text) => {
            log::line(&text);
            0
        }
        Err(text) if text.is_empty() => 1,
        Err(text) => log::fatal(&format!("{name} error: {text}")),
    })
}

/// Copies a file over another, which is not truncated, as upstream's is not.
fn copy(source: &str, target: &str) -> Result<(), PathError> {
    let mut from = File::open(source).map_err(|error| PathError::new("open", source, error))?;
    let mut to = sys::with_mode(OpenOptions::new().write(true).create(true).truncate(false), 0o311)
        .open(target)
        .map_err(|error| PathError::new("open", target, error))?;
    // The standard library copies inside the kernel where it can.
    match io::copy(&mut from, &mut to) {
        Ok(_) => Ok(()),
        // Go tells of all that goes wrong inside the kernel as of the target.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            let error = io::Error::other(format!("copy_file_range: {}", fs::reason(&error)));
            Err(PathError::new("write", target, error))
        }
        Err(error) => Err(PathError::new("write", target, error)),
    }
}

/// Makes the links by which a step's metadata is found: by name, and by number.
fn step_init(steps: &[String]) -> Result<(), String> {
    if let Err(error) = fs::make_all(&fs::clean(paths::STEPS), 0o777) {
        log::line(&format!("Error creating steps directory {}: {error}", go_quote(&fs::clean(paths::STEPS))));
        return Err(String::new());
    }
    for (index, step) in steps.iter().enumerate() {
        let target = fs::clean(&paths::step_metadata_dir(index));
        for name in [step.as_str(), &index.to_string()] {
            let link = fs::join(&[paths::STEPS, name]);
            match sys::symlink(&target, &link) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(format!("symlink {target} {link}: {}", fs::reason(&error)));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Replaces a script in base64 by the script. On an error the file is as it was.
fn decode_script(path: &str) -> Result<(), String> {
    let quoted = go_quote(path);
    let decoding = |text: String| format!("error decoding script file {quoted}: {text}");
    let (content, mode) =
        read_script(path).map_err(|error| decoding(format!("error reading from script file {quoted}: {error}")))?;
    let script = decode(&content).map_err(|error| decoding(decoding(error.to_string())))?;
    fs::write(path, &script, mode).map_err(|error| format!("error writing decoded script file {quoted}: {error}"))?;
    Ok(())
}

/// Strict standard base64, in which line ends mean nothing.
fn decode(content: &[u8]) -> Result<Vec<u8>, base64::CorruptInput> {
    base64::decode(content, Padding::Required)
}

fn read_script(path: &str) -> Result<(Vec<u8>, u32), PathError> {
    let mut file = File::open(path).map_err(|error| PathError::new("open", path, error))?;
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(|error| PathError::new("read", path, error))?;
    let found = file.metadata().map_err(|error| PathError::new("stat", path, error))?;
    Ok((content, sys::mode(&found)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tekton_contract::base64::{Padding, encode};

    proptest! {
        #[test]
        fn a_script_in_lines_of_base64_decodes_to_itself(script: Vec<u8>, width in 1_usize..80) {
            let text = encode(&script, Padding::Required);
            let lines: Vec<&[u8]> = text.as_bytes().chunks(width).collect();
            prop_assert_eq!(super::decode(&lines.join(&b"\r\n"[..])).expect("it is base64"), script);
        }

        #[test]
        fn a_blank_in_a_script_is_refused(script in proptest::collection::vec(any::<u8>(), 1..100)) {
            let text = [" ", &encode(&script, Padding::Required)].concat();
            prop_assert!(super::decode(text.as_bytes()).is_err());
        }
    }
}
