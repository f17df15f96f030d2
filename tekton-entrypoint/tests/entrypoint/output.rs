//! What a command prints, and the copies of it.

use std::{
    fs::File,
    io::Read as _,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::step::{Step, stderr, stdout};

/// A script that prints numbered lines on both streams, a few megabytes of them.
const LINES: &str = "seq 1 300000; seq 1 200000 >&2";

fn numbers(end: u32) -> String {
    let lines: Vec<_> = (1..=end).map(|number| number.to_string()).collect();
    lines.join("\n") + "\n"
}

#[test]
fn copies_of_both_streams_are_complete_however_slowly_they_are_read() {
    let step = Step::new();
    let mut child =
        step.command(&["-stdout_path", "copy/out", "-stderr_path", "copy/err"], LINES).spawn().expect("it starts");
    let mut read = |slow: bool| {
        let mut stream: Box<dyn std::io::Read + Send> = if slow {
            Box::new(child.stdout.take().expect("it is a pipe"))
        } else {
            Box::new(child.stderr.take().expect("it is a pipe"))
        };
        thread::spawn(move || {
            let mut text = Vec::new();
            let mut buffer = vec![0; 50_000];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                text.extend_from_slice(&buffer[..length]);
                thread::sleep(Duration::from_millis(u64::from(slow)));
            }
            String::from_utf8(text).expect("it is text")
        })
    };
    let (out, err) = (read(true), read(false));
    assert!(child.wait().expect("it ends").success());
    let (out, err) = (out.join().expect("it is read"), err.join().expect("it is read"));
    assert!(out == numbers(300_000) && err == numbers(200_000), "{} and {} bytes", out.len(), err.len());
    assert!(out == step.text("copy/out") && err == step.text("copy/err"));
}

#[test]
fn a_copy_is_complete_where_our_own_output_is_a_file() {
    let step = Step::new();
    let own = File::create(step.path("own")).expect("a file can be made");
    let output = step.command(&["-stdout_path", "copy"], LINES).stdout(own).output().expect("it runs");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(step.text("own") == numbers(300_000) && step.text("copy") == numbers(300_000));
}

#[test]
fn a_copy_is_behind_what_the_file_had_and_beside_what_others_append() {
    let step = Step::new();
    std::fs::write(step.path("copy"), "before\n").expect("the file can be written");
    let script = "echo one; until grep -q one copy; do sleep 0.01; done; echo other >> copy; echo two";
    let output = step.command(&["-stdout_path", "copy"], script).output().expect("it runs");
    assert_eq!(stdout(&output), "one\ntwo\n");
    assert_eq!(step.text("copy"), "before\none\nother\ntwo\n");
}

#[test]
fn a_copy_that_fills_its_disk_fails_the_step_and_what_fitted_is_kept() {
    let step = Step::new();
    std::fs::create_dir(step.path("small")).expect("a directory can be made");
    let small = "mount -t tmpfs -o size=64k none small";
    let flags = ["-stdout_path", "small/copy"];
    let script = "trap '' PIPE; head -c 200000 /dev/zero; exit 0";
    let Some(mut command) = step.command_in_namespace(small, &flags, script) else { return };
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("write small/copy: no space left on device"), "{}", stderr(&output));
    assert!(output.stdout.len() >= 65_536, "{} bytes", output.stdout.len());
    assert!(step.path("out.err").exists());
}

#[test]
fn a_copy_beyond_the_limit_of_a_file_gives_the_command_the_signal_for_it() {
    let step = Step::new();
    let script = "trap 'echo limit >&2' XFSZ; head -c 10000000 /dev/zero; exit 0";
    let inner = step.command(&["-stdout_path", "copy"], script);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 64; exec \"$@\"", "sh"]).arg(inner.get_program()).args(inner.get_args());
    let output = command.current_dir(step.path(".")).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("limit\n"), "{}", stderr(&output));
    assert!(stderr(&output).contains("write copy: file too large"), "{}", stderr(&output));
}

#[test]
fn a_grandchild_that_keeps_the_output_delays_a_step_only_where_it_is_copied() {
    let step = Step::new();
    let script = "(sleep 1000 & echo $! > pid) ; echo done";
    let mut child = step.command(&[], script).stdout(Stdio::piped()).spawn().expect("it starts");
    assert!(child.wait().expect("it ends while the grandchild lives").success());
    let grandchild = step.text("pid");
    let killed = Command::new("kill").arg(grandchild.trim()).status().expect("kill can be run");
    assert!(killed.success(), "the grandchild lived on");

    let step = Step::new();
    let script = "(sleep 0.3; echo late) & echo done";
    let output = step.command(&["-stdout_path", "copy"], script).output().expect("it runs");
    assert_eq!((stdout(&output).as_str(), step.text("copy").as_str()), ("done\nlate\n", "done\nlate\n"));
}
