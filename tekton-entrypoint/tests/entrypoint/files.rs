//! Files that can not be written, read or run: full disks, devices, directories and paths that are none.

use std::{fs, process::Output};

use crate::step::{BINARY, Step, stderr};

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

#[test]
fn a_termination_message_on_a_device_fails_the_step_because_it_can_not_be_synced() {
    let step = Step::new();
    let output = step.command(&["-termination_path", "/dev/null"], "exit 3").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.ends_with("Error while writing message: sync /dev/null: invalid argument\n"), "{text}");
}

#[test]
fn bytes_that_are_no_text_count_as_the_escapes_in_their_place() {
    let step = Step::new();
    let script = "head -c 680 /dev/zero | tr '\\0' '\\377' > status/results/r";
    let output = step.command(&["-step_results", "r"], script).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("above max allowed size 4096"), "{}", stderr(&output));
    assert!(!step.text("termination").contains("\"r\""));
}

#[test]
fn a_copy_that_fails_names_its_target() {
    let step = Step::new();
    let output = step.with_environment(BINARY, &["cp", "/etc", "copy"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.ends_with("cp error: write copy: copy_file_range: is a directory\n"), "{text}");
    let output = step.with_environment(BINARY, &["cp", BINARY, "/dev/full"]).output().expect("it runs");
    let text = stderr(&output);
    assert!(text.ends_with("cp error: write /dev/full: no space left on device\n"), "{text}");
}

#[test]
fn a_command_without_a_name_and_a_directory_are_not_run() {
    let step = Step::new();
    let platforms = ["amd64", "arm64", "arm", "386", "ppc64le", "riscv64", "s390x"];
    let platforms: Vec<_> = platforms.iter().map(|platform| format!("\"linux/{platform}\":[\"\"]")).collect();
    let commands = format!("{{{}}}", platforms.join(","));
    let output = step
        .with_environment(BINARY, &["-termination_path", "termination"])
        .env("TEKTON_PLATFORM_COMMANDS", commands)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).ends_with("Error executing command: exec: no command\n"), "{}", stderr(&output));
    let args = ["-termination_path", "termination", "-entrypoint", "/"];
    let output = step.with_environment(BINARY, &args).output().expect("it runs");
    assert!(stderr(&output).ends_with("exec: \"/\": is a directory\n"), "{}", stderr(&output));
}

#[test]
fn a_result_without_an_end_is_too_long_and_is_not_held_in_memory() {
    let step = Step::new();
    let mut limited = step.with_environment("/bin/sh", &["-c", "ulimit -v 200000; exec \"$0\" \"$@\"", BINARY]);
    limited.args(["-termination_path", "termination", "-step_metadata_dir", "status", "-step_results", "r"]);
    limited.args(["-entrypoint", "/bin/ln", "--", "-s", "/dev/zero", "status/results/r"]);
    let output = limited.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("above max allowed size 4096"), "{}", stderr(&output));
}
