//! kubectl against `tekton serve`: what people type, and what comes back.

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
