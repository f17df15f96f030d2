//! `tekton run`, killed at any point of its life: nothing of it is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{command, namespaces_work};

const KILLS: u64 = 100;
/// Where the random points begin; a failure names the number of its kill.
const SEED: u64 = 0x7465_6b74_6f6e;

/// Two tasks one after the other, a sidecar, a claim, a volume in memory, directories that nobody may enter, and processes
/// that would outlive their step.
const MANIFEST: &str = "\
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {name: long}
spec:
  params: [{name: mark, value: none}]
  workspaces:
    - name: data
      volumeClaimTemplate:
        spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
  pipelineSpec:
    params: [{name: mark}]
    workspaces: [{name: data}]
    tasks:
      - name: first
        params: [{name: mark, value: $(params.mark)}]
        workspaces: [{name: data}]
        taskSpec:
          params: [{name: mark}]
          workspaces: [{name: data}]
          volumes: [{name: memory, emptyDir: {medium: Memory}}]
          sidecars: [{name: beside, image: busybox, script: 'sleep 10000.$(params.mark)'}]
          steps:
            - name: work
              image: busybox
              volumeMounts: [{name: memory, mountPath: /memory}]
              script: |
                mkdir -p $(workspaces.data.path)/closed/inner /memory/closed
                chmod 0 $(workspaces.data.path)/closed /memory/closed
                trap '' TERM
                setsid sleep 10000.$(params.mark) &
                sleep 0.2
      - name: second
        runAfter: [first]
        params: [{name: mark, value: $(params.mark)}]
        taskSpec:
          params: [{name: mark}]
          steps: [{name: work, image: busybox, script: 'sleep 10000.$(params.mark) & sleep 0.2'}]
";

/// The next of a row of numbers that look random.
fn random(state: &AtomicU64) -> u64 {
    let mut x = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn start(folder: &Path, mark: &str) -> Child {
    let mut run = command();
    run.args(["run", "--quiet", "--no-history", "--param", &format!("mark={mark}"), "-f"]).arg(folder.join("run.yaml"));
    run.env("TMPDIR", folder.join("tmp")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    run.spawn().expect("the binary starts")
}

/// The processes whose command line or mounts tell of a run.
fn processes(folder: &Path, mark: &str) -> Vec<String> {
    let folder = folder.to_str().expect("a path of text");
    let all = fs::read_dir("/proc").expect("there are processes").flatten();
    let told = all.filter(|entry| entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit())).filter_map(
        |entry| {
            let read =
                |file: &str| fs::read(entry.path().join(file)).map(|text| String::from_utf8_lossy(&text).into_owned());
            let line = read("cmdline").unwrap_or_default();
            let mounts = read("mountinfo").unwrap_or_default();
            let its = |text: &str| text.contains(folder) || text.contains(mark);
            (its(&line) || its(&mounts)).then(|| format!("{} {line:?}", entry.file_name().display()))
        },
    );
    told.collect()
}

fn in_memory() -> BTreeSet<String> {
    let entries = fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("tekton-")).collect()
}

#[test]
fn a_run_that_is_killed_leaves_no_process_mount_or_directory() {
    if !namespaces_work() {
        return;
    }
    let memory = in_memory();
    let make = || {
        let folder = tempfile::tempdir().expect("a folder can be made");
        fs::create_dir(folder.path().join("tmp")).expect("a folder can be made");
        fs::write(folder.path().join("run.yaml"), MANIFEST).expect("the file can be written");
        folder
    };
    let whole = {
        let (folder, begin) = (make(), Instant::now());
        let status = start(folder.path(), "987654").wait().expect("it ends");
        assert!(status.success(), "the run itself does not succeed");
        begin.elapsed()
    };
    let (state, next, running) = (AtomicU64::new(SEED), AtomicU64::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(2, 8);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let folder = make();
                loop {
                    let kill = next.fetch_add(1, Ordering::Relaxed);
                    if kill >= KILLS {
                        return;
                    }
                    let mark = format!("{}{kill:04}", 100_000 + std::process::id());
                    // Others run beside it, so it takes longer than the first.
                    let span = u64::try_from(whole.as_micros()).expect("it is short") * 3 / 2;
                    let delay = Duration::from_micros(random(&state) % span);
                    let mut run = start(folder.path(), &mark);
                    std::thread::sleep(delay);
                    if processes(folder.path(), &mark).iter().any(|line| line.contains("sleep")) {
                        running.fetch_add(1, Ordering::Relaxed);
                    }
                    run.kill().expect("it can be killed");
                    run.wait().expect("it ends");
                    let begin = Instant::now();
                    loop {
                        let files: Vec<_> =
                            fs::read_dir(folder.path().join("tmp")).expect("it is there").flatten().collect();
                        let left = processes(folder.path(), &mark);
                        if files.is_empty() && left.is_empty() {
                            break;
                        }
                        if begin.elapsed() > Duration::from_secs(20) {
                            let text = format!("kill {kill} after {delay:?}: {files:?} {left:?}");
                            failures.lock().expect("no thread panicked").push(text);
                            return;
                        }
                        std::thread::sleep(Duration::from_millis(10));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no thread panicked");
    assert!(failures.is_empty(), "{failures:#?}");
    let running = running.into_inner();
    eprintln!("{KILLS} kills within {whole:?} and half as much; at {running} of them steps ran");
    assert!(running > 5, "hardly any step was met: {running}");
    let begin = Instant::now();
    while in_memory().difference(&memory).next().is_some() {
        assert!(begin.elapsed() < Duration::from_secs(20), "in memory: {:?}", in_memory());
        std::thread::sleep(Duration::from_millis(50));
    }
}
