//! The host runtime alone: what a process sees, what it cannot do, how it ends.

mod escape;

use super::*;
use crate::runtime::Mount;
use std::path::Path;

/// Runs a shell script in a container with these mounts: exit code, standard output, standard error.
async fn shell(script: &str, mounts: Vec<Mount>) -> (i32, String, String) {
    run(ContainerSpec { mounts, command: vec!["sh".into(), "-c".into(), script.into()], ..spec() })
        .await
        .expect("starts")
}

fn spec() -> ContainerSpec {
    ContainerSpec { pod: "a-pod".into(), name: "step".into(), image: "image".into(), ..ContainerSpec::default() }
}

fn runtime(dir: &std::path::Path) -> HostRuntime {
    HostRuntime::new(dir.join("staging"), None).expect("a runtime")
}

async fn run(spec: ContainerSpec) -> Result<(i32, String, String), StartError> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut started = runtime(dir.path()).launch(spec).await?;
    let (mut out, mut err) = (String::new(), String::new());
    started.stdout.read_to_string(&mut out).await.expect("output");
    started.stderr.read_to_string(&mut err).await.expect("output");
    Ok((started.container.wait().await.code, out, err))
}

fn mount(source: &std::path::Path, target: &str, read_only: bool) -> Mount {
    Mount { source: source.into(), sub_path: String::new(), target: target.into(), read_only, is_file: false }
}

#[tokio::test]
async fn a_process_is_the_first_of_its_own_world() {
    let (code, out, err) = shell("echo $$ $(hostname) $(id -u) $(pwd); exit 7", vec![]).await;
    assert_eq!((code, out.as_str(), err.as_str()), (7, "1 a-pod 0 /\n", ""));
}

#[tokio::test]
async fn the_root_of_the_host_is_read_only() {
    let script = "for d in /etc /usr /root /var /home /opt /sys; do [ -d $d ] || continue; touch $d/x-test 2>/dev/null && echo wrote $d; done; \
        echo 1 2>/dev/null > /proc/sys/kernel/panic && echo wrote sysctl; mount -o remount,rw /etc 2>/dev/null && echo remounted; \
        unshare -Urm sh -c 'mount -o remount,bind,rw /etc && echo remounted nested; umount /etc && echo unmounted' 2>/dev/null; \
        touch /tmp/x /workspace/x /x && echo own";
    let (_, out, _) = shell(script, vec![]).await;
    assert_eq!(out, "own\n");
}

#[tokio::test]
async fn volumes_are_bound_where_the_pod_says() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("in"), "hello").expect("a file");
    let mounts = [mount(dir.path(), "/workspace/source", false), mount(dir.path(), "/etc/made/up/place", true)];
    let (code, out, err) =
        shell("cat /workspace/source/in /etc/made/up/place/in; ls /etc/passwd; echo out > /workspace/source/out; touch /etc/made/up/place/x", mounts.to_vec()).await;
    assert_eq!((code, out.as_str()), (1, "hellohello/etc/passwd\n"), "{err}");
    assert_eq!(std::fs::read_to_string(dir.path().join("out")).expect("written"), "out\n");
}

#[tokio::test]
async fn a_directory_that_gets_a_mount_point_shows_all_that_it_had() {
    let list = "cd /var; stat -c '%a %u' .; for f in $(ls -A); do stat -c '%n %F %u' $f; done; \
        touch /var/tmp/x && echo writable; touch x";
    let (_, without, _) = shell(list, vec![]).await;
    let dir = tempfile::tempdir().expect("a directory");
    let (_, with, err) = shell(list, vec![mount(dir.path(), "/var/zz-made/place", false)]).await;
    assert_eq!(with, without.replace("writable\n", "zz-made directory 0\nwritable\n"));
    assert!(without.ends_with("writable\n") && err.contains("Read-only file system"), "{without}{err}");
}

#[tokio::test]
async fn a_sub_path_does_not_leave_its_volume() {
    let dir = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink("/etc", dir.path().join("link")).expect("a link");
    for sub_path in ["link", "../..", "link/ssl"] {
        let mount = Mount { sub_path: sub_path.into(), ..mount(dir.path(), "/workspace/x", false) };
        let error = run(ContainerSpec { mounts: vec![mount], command: vec!["true".into()], ..spec() }).await;
        assert!(matches!(error, Err(StartError::Create(_))), "{sub_path}: {error:?}");
    }
}

#[tokio::test]
async fn a_missing_program_is_a_start_error() {
    let error = run(ContainerSpec { command: vec!["no-such-program".into()], ..spec() }).await.expect_err("no program");
    assert_eq!(
        error.to_string(),
        "unable to start container process: error during container init: exec: \"no-such-program\": executable file not found in $PATH"
    );
    let error = run(ContainerSpec { command: vec![], ..spec() }).await.expect_err("no command");
    assert!(matches!(error, StartError::Create(_)), "{error}");
}

#[tokio::test]
async fn a_user_and_a_group_are_honoured() {
    let argv = vec!["sh".into(), "-c".into(), "id -u; id -g; touch /workspace/x; echo hi >/dev/stdout".into()];
    let (_, out, err) =
        run(ContainerSpec { user: Some(1234), group: Some(1235), command: argv, ..spec() }).await.expect("starts");
    assert_eq!((out.as_str(), err.as_str()), ("1234\n1235\nhi\n", ""));
}

#[tokio::test]
async fn an_image_made_from_alpine_has_its_shell_and_others_have_the_machines() {
    let script = "#!/bin/ash\n[[ a == a ]] && echo yes\n";
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("script");
    std::fs::write(&path, script).expect("a file");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    let with = |image: &str, argv: &[&str]| ContainerSpec {
        image: image.into(),
        command: argv.iter().map(|word| (*word).to_owned()).collect(),
        mounts: vec![mount(dir.path(), "/workspace/x", true)],
        ..spec()
    };
    for argv in [&["/workspace/x/script"][..], &["sh", "-c", "[[ a == a ]] && echo yes"]] {
        let (code, out, err) = run(with("alpine:3.20", argv)).await.expect("starts");
        assert_eq!((code, out.as_str()), (0, "yes\n"), "{argv:?}: {err}");
    }
    let same = ["sh", "-c", "readlink -f /bin/sh"];
    let (_, out, _) = run(with("ubuntu", &same)).await.expect("starts");
    assert_eq!(Some(Path::new(out.trim_end())), std::fs::canonicalize("/bin/sh").ok().as_deref());
}

#[tokio::test]
async fn a_signal_ends_a_container_and_all_in_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let started = runtime(dir.path())
        .launch(ContainerSpec { command: vec!["sh".into(), "-c".into(), "sleep 1000 & sleep 1000".into()], ..spec() })
        .await
        .expect("starts");
    started.container.signal(libc::SIGKILL);
    assert_eq!(started.container.wait().await, Exit { code: 137, signal: Some(9), out_of_memory: false });
}

#[tokio::test]
async fn a_command_runs_inside_a_container() {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = runtime(dir.path());
    let argv = vec!["sh".into(), "-c".into(), "echo secret > /tmp/mark; echo ready; sleep 1000".into()];
    let mut started = runtime.launch(ContainerSpec { command: argv, ..spec() }).await.expect("starts");
    let mut ready = [0; 6];
    started.stdout.read_exact(&mut ready).await.expect("output");
    let exec =
        ExecSpec { argv: ["sh", "-c", "cat /tmp/mark; exit 3"].map(String::from).to_vec(), ..ExecSpec::default() };
    let mut executed = started.container.exec(exec).await.expect("runs");
    let mut out = String::new();
    executed.stdout.read_to_string(&mut out).await.expect("output");
    assert_eq!((executed.process.wait().await.code, out.as_str()), (3, "secret\n"));
}

#[tokio::test]
async fn a_container_starts_in_a_few_milliseconds() {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = runtime(dir.path());
    let begin = std::time::Instant::now();
    for _ in 0..20 {
        let started = runtime.launch(ContainerSpec { command: vec!["true".into()], ..spec() }).await.expect("starts");
        assert_eq!(started.container.wait().await.code, 0);
    }
    let each = begin.elapsed() / 20;
    eprintln!("start to end of a container: {each:?}");
    assert!(each < std::time::Duration::from_millis(500), "{each:?}");
}

#[tokio::test]
async fn limits_of_memory_and_processor_time_are_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = runtime(dir.path());
    let limited = |memory: i64, script: &str| ContainerSpec {
        memory_limit: Some(memory),
        cpu_limit: Some(200_000_000),
        command: ["sh", "-c", script].map(String::from).to_vec(),
        ..spec()
    };
    let trial = limited(64 << 20, "true");
    let Some(group) = runtime.cgroups.as_ref().and_then(|groups| groups.make(&trial, "trial")) else {
        eprintln!("skipped: this machine lets us make no control groups");
        return;
    };
    assert!(!group.ran_out_of_memory());
    drop(group);
    let ends = async |spec: ContainerSpec| runtime.launch(spec).await.expect("starts").container.wait().await;
    let greedy = ends(limited(16 << 20, "head -c 200m /dev/zero | tail -c 200m > /dev/null")).await;
    assert_eq!((greedy.code, greedy.out_of_memory), (137, true));
    let modest = ends(limited(64 << 20, "head -c 1m /dev/zero | tail -c 1m > /dev/null")).await;
    assert_eq!((modest.code, modest.out_of_memory), (0, false));
    // A fifth of a processor: whoever wants all of it is held back.
    let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; sleep 100";
    let mut started = runtime.launch(limited(64 << 20, busy)).await.expect("starts");
    let mut done = [0; 5];
    started.stdout.read_exact(&mut done).await.expect("output");
    let groups =
        cgroup::directories(dir.path()).into_iter().flat_map(|parent| std::fs::read_dir(parent).into_iter().flatten());
    let held_back = groups.flatten().any(|group| {
        let text = std::fs::read_to_string(group.path().join("cpu.stat")).unwrap_or_default();
        text.lines().any(|line| line.strip_prefix("nr_throttled ").is_some_and(|count| count != "0"))
    });
    assert!(held_back);
    started.container.signal(libc::SIGKILL);
    started.container.wait().await;
    drop(started);
    drop(runtime);
    let left: Vec<_> = cgroup::directories(dir.path()).into_iter().filter(|dir| dir.exists()).collect();
    assert!(left.is_empty(), "{left:?}");
}
