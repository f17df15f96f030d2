//! Files that can not be written: full disks and paths that are none.

use std::{fs, process::Output};

use crate::step::{Step, stderr};

/// A file system in `full` that holds no byte more.
const NO_SPACE: &str = "mount -t tmpfs -o size=4k none full && head -c 4096 /dev/zero > full/all";
/// The same, that holds no file more either.
const NO_FILE: &str = "mount -t tmpfs -o size=4k,nr_inodes=2 none full && head -c 4096 /dev/zero > full/all";

/// Runs a step that has something to write on a full file system; `None` where this machine lets nobody mount one.
fn run_on(full: &str, flags: [&str; 2]) -> Option<(Step, Output)> {
    let step = Step::new();
    fs::create_dir(step.path("full")).expect("a directory can be made");
    let output = step.command_in_namespace(full, &flags, "echo ran")?.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    Some((step, output))
}

#[test]
fn a_termination_message_that_can_not_be_written_fails_the_step_whose_successor_goes_on() {
    for (full, operation) in [(NO_FILE, "open"), (NO_SPACE, "write")] {
        let Some((step, output)) = run_on(full, ["-termination_path", "full/message"]) else { return };
        let text = stderr(&output);
        let reason = format!("Error while writing message: {operation} full/message: no space left on device");
        assert!(text.contains(&reason), "{text}");
        assert!(step.path("out").exists());
    }
}

#[test]
fn a_post_file_that_can_not_be_made_ends_the_step_without_a_message() {
    let Some((step, output)) = run_on(NO_FILE, ["-post_file", "full/out"]) else { return };
    let text = stderr(&output);
    assert!(text.contains("Creating \"full/out\": open full/out: no space left on device"), "{text}");
    assert!(!step.path("termination").exists());
}

#[test]
fn an_exit_code_that_does_not_fit_ends_the_step_without_a_message() {
    let Some((step, output)) = run_on(NO_SPACE, ["-step_metadata_dir", "full/status"]) else { return };
    let text = stderr(&output);
    let reason = "Writing \"full/status/exitCode\": write full/status/exitCode: no space left on device";
    assert!(text.contains(reason), "{text}");
    assert!(step.path("out").exists() && !step.path("termination").exists());
}

#[test]
fn metadata_that_can_not_be_made_fails_the_step_before_its_command() {
    let step = Step::new();
    fs::write(step.path("file"), "").expect("a file can be made");
    let output = step.command(&["-step_metadata_dir", "file/status"], "echo ran").output().expect("it runs");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    assert!(stderr(&output).contains("mkdir file: not a directory"), "{}", stderr(&output));
    assert_eq!(step.text("termination"), "[]");
    assert!(!step.path("out").exists() && !step.path("out.err").exists());
}
