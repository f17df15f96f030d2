//! Files that can not be written: full disks and paths that are none.

use std::fs;

use crate::step::{Step, stderr};

/// A file system that holds nothing more: no byte, and no file.
const FULL: &str = "mount -t tmpfs -o size=4k,nr_inodes=2 none full && head -c 4096 /dev/zero > full/all";

#[test]
fn a_full_disk_under_the_termination_message_fails_the_step_whose_successor_goes_on() {
    let step = Step::new();
    fs::create_dir(step.path("full")).expect("a directory can be made");
    let flags = ["-termination_path", "full/termination"];
    let Some(mut command) = step.command_in_namespace(FULL, &flags, "echo ran") else { return };
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("Error while writing message: open full/termination: no space left on device"), "{text}");
    assert!(step.path("out").exists());
}

#[test]
fn a_termination_message_that_does_not_fit_fails_the_step() {
    let step = Step::new();
    fs::create_dir(step.path("full")).expect("a directory can be made");
    let full = "mount -t tmpfs -o size=4k none full && head -c 4096 /dev/zero > full/all";
    let flags = ["-termination_path", "full/termination"];
    let Some(mut command) = step.command_in_namespace(full, &flags, "echo ran") else { return };
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("Error while writing message: write full/termination: no space left on device"), "{text}");
}

#[test]
fn a_post_file_that_can_not_be_made_ends_the_step_without_a_message() {
    let step = Step::new();
    fs::create_dir(step.path("full")).expect("a directory can be made");
    let flags = ["-post_file", "full/out"];
    let Some(mut command) = step.command_in_namespace(FULL, &flags, "echo ran") else { return };
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("Creating \"full/out\": open full/out: no space left on device"), "{text}");
    assert!(!step.path("termination").exists());
}

#[test]
fn an_exit_code_that_does_not_fit_ends_the_step_without_a_message() {
    let step = Step::new();
    fs::create_dir(step.path("full")).expect("a directory can be made");
    let full = "mount -t tmpfs -o size=4k none full && head -c 4096 /dev/zero > full/all";
    let flags = ["-step_metadata_dir", "full/status"];
    let Some(mut command) = step.command_in_namespace(full, &flags, "echo ran") else { return };
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    let wanted = "Writing \"full/status/exitCode\": write full/status/exitCode: no space left on device";
    assert!(text.contains(wanted), "{text}");
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
