//! kubectl against `tekton serve`: what people type, and what comes back.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{command, examples, namespaces_work, text};

/// A server; it ends when the test ends, however that ends.
pub(super) struct Server {
    process: std::process::Child,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is asked to end in order, so that nothing is left behind; one that has ended is no error.
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Serves, and waits until the kubeconfig is there.
    pub(super) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let server = Self {
            process: command()
                .args(["serve", "--kubeconfig-out"])
                .arg(folder.join("kubeconfig"))
                .args(arguments)
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the binary starts"),
            folder: folder.to_owned(),
        };
        let began = Instant::now();
        while !folder.join("kubeconfig").exists() {
            assert!(began.elapsed() < Duration::from_secs(20), "no kubeconfig is written");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut kubectl = Command::new("kubectl");
        kubectl
            .arg("--kubeconfig")
            .arg(self.folder.join("kubeconfig"))
            .args(arguments)
            .current_dir(examples())
            .env("HOME", &self.folder)
            .stdin(Stdio::null());
        kubectl
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("kubectl starts")
    }

    /// What kubectl prints; it has to succeed.
    pub(super) fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "kubectl {arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }
}

fn kubectl_is_there() -> bool {
    let there = Command::new("kubectl").args(["version", "--client"]).output().is_ok();
    if !there {
        eprintln!("skipped: kubectl is not on this machine");
    }
    there
}

#[test]
fn kubectl_runs_a_task_and_shows_it() {
    if !namespaces_work() || !kubectl_is_there() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let server = Server::start(folder.path(), &[]);
    let kubectl = |arguments: &[&str]| server.kubectl(arguments);
    assert!(kubectl(&["apply", "-f", "params.yaml"]).contains("taskrun.tekton.dev/describe-image created"));
    kubectl(&["wait", "--for=condition=Succeeded", "--timeout=30s", "taskrun/describe-image"]);
    assert!(kubectl(&["get", "taskruns,pipelineruns,pods", "-A"]).contains("Succeeded"));
    assert!(kubectl(&["get", "taskrun", "describe-image", "-o", "yaml"]).contains("podName: describe-image-pod"));
    assert!(kubectl(&["logs", "describe-image-pod", "-c", "step-array-as-arguments"]).contains("--squash"));
    kubectl(&[
        "patch",
        "taskrun",
        "describe-image",
        "--type=merge",
        "-p",
        r#"{"metadata":{"labels":{"team":"shop"}}}"#,
    ]);
    assert!(kubectl(&["get", "taskruns", "-l", "team=shop", "-o", "name"]).contains("describe-image"));
    assert!(kubectl(&["describe", "taskrun", "describe-image"]).contains("All Steps have completed executing"));
    assert!(kubectl(&["create", "-f", "ci.yaml"]).contains("pipelinerun.tekton.dev/ci-"));
    kubectl(&["delete", "taskrun", "describe-image"]);
    assert!(!kubectl(&["get", "pods", "-o", "name"]).contains("describe-image-pod"));
}

/// A Pod in which kubectl runs commands.
const BOX: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: box}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
    - {name: first, image: busybox, command: [sh, -c, 'echo begun; sleep 60']}
    - {name: second, image: busybox, command: [sleep, '60']}
";

#[test]
fn kubectl_runs_commands_in_a_container() {
    if !namespaces_work() || !kubectl_is_there() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let server = Server::start(folder.path(), &[]);
    std::fs::write(folder.path().join("box.yaml"), BOX).expect("written");
    server.kubectl(&["create", "-f", folder.path().join("box.yaml").to_str().expect("text")]);
    server.kubectl(&["wait", "--for=condition=Ready", "--timeout=30s", "pod/box"]);
    let output = server.run(&["exec", "box", "-c", "second", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "out\n");
    assert!(text(&output.stderr).starts_with("err\n"), "{}", text(&output.stderr));
    let mut cat = server
        .command(&["exec", "-i", "box", "-c", "first", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("kubectl starts");
    cat.stdin.take().expect("it is piped").write_all(b"through and through\n").expect("written");
    let output = cat.wait_with_output().expect("it ends when its input ends");
    assert_eq!(text(&output.stdout), "through and through\n");
    let none = server.run(&["exec", "box", "-c", "third", "--", "true"]);
    assert!(text(&none.stderr).contains("container third is not valid for pod box"), "{}", text(&none.stderr));
}
