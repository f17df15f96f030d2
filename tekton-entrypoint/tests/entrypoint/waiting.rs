//! Steps that wait for the step before them.

use std::{
    fs,
    os::unix::{fs::symlink, process::ExitStatusExt as _},
};

use crate::step::{BINARY, Step, await_that, create, signal, stderr, stdout};

#[test]
fn a_waiting_step_is_one_thread_with_little_memory_of_its_own() {
    let step = Step::new();
    let child = step.command(&["-wait_file", "go"], "echo ran").spawn().expect("the step can be started");
    step.settle(&child);
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("the step is there");
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the system says it");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number")
    };
    assert_eq!(number("Threads:"), 1);
    assert!(number("RssAnon:") <= 300, "{status}");
    create(&step.path("go"));
    assert_eq!(stdout(&child.wait_with_output().expect("the step ends")), "ran\n");
}

#[test]
fn a_step_goes_on_without_inotify() {
    let step = Step::new();
    let none = "echo 0 > /proc/sys/user/max_inotify_instances";
    let Some(mut command) = step.command_in_namespace(none, &["-wait_file", "go"], "echo ran") else { return };
    let child = command.spawn().expect("the step can be started");
    step.settle(&child);
    create(&step.path("go"));
    assert_eq!(stdout(&child.wait_with_output().expect("the step ends")), "ran\n");
}

#[test]
fn content_is_seen_through_the_link_that_a_projected_volume_swaps() {
    let step = Step::new();
    for (version, ready) in [("..1", ""), ("..2", "READY")] {
        fs::create_dir(step.path(version)).expect("a version can be made");
        fs::write(step.path(version).join("ready"), ready).expect("a version can be filled");
    }
    symlink("..1", step.path("..data")).expect("a link can be made");
    symlink("..data/ready", step.path("ready")).expect("a link can be made");
    let flags = ["-wait_file", "ready", "-wait_file_content"];
    let child = step.command(&flags, "echo ran").spawn().expect("the step can be started");
    step.settle(&child);
    symlink("..2", step.path("..data_tmp")).expect("a link can be made");
    fs::rename(step.path("..data_tmp"), step.path("..data")).expect("the link can be swapped");
    assert_eq!(stdout(&child.wait_with_output().expect("the step ends")), "ran\n");
}

#[test]
fn a_directory_that_goes_and_comes_back_is_no_reason_to_wait_for_ever() {
    let step = Step::new();
    fs::create_dir(step.path("run")).expect("the directory can be made");
    let child = step.command(&["-wait_file", "run/go"], "echo ran").spawn().expect("the step can be started");
    step.settle(&child);
    fs::remove_dir(step.path("run")).expect("the directory can be removed");
    fs::create_dir(step.path("run")).expect("the directory can be made again");
    create(&step.path("run/go"));
    assert_eq!(stdout(&child.wait_with_output().expect("the step ends")), "ran\n");
}

#[test]
fn a_signal_that_comes_before_the_command_is_not_given_to_it() {
    let step = Step::new();
    let script = "trap 'echo USR1' USR1; trap 'echo ALRM' ALRM; sleep 0.1; echo ran";
    let child = step.command(&["-wait_file", "go"], script).spawn().expect("the step can be started");
    step.settle(&child);
    for name in ["USR1", "ALRM", "PIPE", "64"] {
        signal(&child, name);
    }
    create(&step.path("go"));
    let output = child.wait_with_output().expect("the step ends");
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("ran\n", Some(0)), "{}", stderr(&output));
}

#[test]
fn the_signal_that_go_leaves_alone_ends_a_step_before_and_while_the_command_runs() {
    for (flags, script) in [(["-wait_file", "go"].as_slice(), "echo ran"), (&[], "echo > ready; sleep 2")] {
        let step = Step::new();
        let child = step.command(flags, script).spawn().expect("the step can be started");
        if flags.is_empty() {
            await_that("the command runs", || step.path("ready").exists());
        } else {
            step.settle(&child);
        }
        signal(&child, "34");
        let output = child.wait_with_output().expect("the step ends");
        assert_eq!(output.status.signal(), Some(34), "{}", stderr(&output));
        assert!(!step.path("out").exists() && !step.path("out.err").exists());
    }
}

#[test]
fn a_signal_that_comes_while_the_command_runs_is_given_to_it() {
    let step = Step::new();
    let script = "trap 'echo USR1; exit 3' USR1; echo > ready; while :; do sleep 0.01; done";
    let child = step.command(&[], script).spawn().expect("the step can be started");
    await_that("the command runs", || step.path("ready").exists());
    signal(&child, "USR1");
    let output = child.wait_with_output().expect("the step ends");
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("USR1\n", Some(3)), "{}", stderr(&output));
}

#[test]
fn a_breakpoint_ends_by_a_signal_but_not_by_one_that_means_nothing() {
    let step = Step::new();
    let mut command = step.command(&["-breakpoint_on_failure"], "exit 3");
    let child = command.spawn().expect("the step can be started");
    await_that("the breakpoint is reached", || step.path("termination").exists());
    step.settle(&child);
    for name in ["USR2", "TSTP", "TTIN"] {
        signal(&child, name);
    }
    fs::write(step.path("out.breakpointexit.tmp"), "7\n").expect("the decision can be written");
    fs::rename(step.path("out.breakpointexit.tmp"), step.path("out.breakpointexit")).expect("it can be given");
    let output = child.wait_with_output().expect("the step ends");
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
}

#[test]
fn a_decision_is_read_when_it_is_written_and_not_when_its_file_is_made() {
    let step = Step::new();
    let child = step.command(&["-breakpoint_on_failure"], "exit 3").spawn().expect("the step can be started");
    await_that("the breakpoint is reached", || step.path("termination").exists());
    step.settle(&child);
    // As a shell does it: the file first, and its content when the command has it.
    let script = "(sleep 0.1; echo 7) > out.breakpointexit";
    let written = step.with_environment("/bin/sh", &["-c", script]).status().expect("a shell can be run");
    assert!(written.success());
    let output = child.wait_with_output().expect("the step ends");
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
}

#[test]
fn results_are_printed_as_soon_as_a_step_has_failed_however_long_the_interval() {
    let step = Step::new();
    let program = step.path("sidecarlogresults");
    fs::copy(BINARY, &program).expect("the binary can be copied");
    // The paths below `/tekton` are fixed, so the program gets a root of its own in which they are.
    let script = "mkdir root && mount -t tmpfs none root && for path in /*; do
            if [ -L \"$path\" ]; then cp -d \"$path\" \"root$path\"
            elif [ -d \"$path\" ]; then mkdir \"root$path\" && mount --rbind \"$path\" \"root$path\"; fi
        done && mkdir -p root/tekton/run/0 root/tekton/results && echo value > root/tekton/results/r || exit 100
        (while ! [ -e go ]; do sleep 0.01; done; : > root/tekton/run/0/out.err) &
        echo started >&2
        exec chroot root \"$0\" -step-results null -result-names r";
    let child = step
        .with_environment("unshare", &["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(&program)
        .env("SIDECAR_LOG_POLLING_INTERVAL", "1h")
        .spawn()
        .expect("unshare can be run");
    await_that("the program is asleep, or could not be run", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        stat.contains("(sidecarlogresul) S") || stat.contains(") Z")
    });
    create(&step.path("go"));
    let output = child.wait_with_output().expect("the program ends");
    if output.status.success() {
        assert_eq!(stdout(&output), "{\"name\":\"r\",\"value\":\"value\\n\",\"type\":\"task\"}\n");
    } else {
        assert!(!stderr(&output).contains("started"), "{}", stderr(&output));
        eprintln!("skipped: no user namespace in which a root can be made: {}", stderr(&output));
    }
}
