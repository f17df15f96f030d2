//! kubectl against `tekton serve`: what people type, and what comes back.

use std::io::{BufRead, Write};
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
    - {name: third, image: busybox, stdin: true, stdinOnce: true, command: [sh, -c, 'while read l; do echo got $l; done']}
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
    let fed = |arguments: &[&str], envs: &[(&str, &str)]| {
        let mut command = server.command(arguments);
        command.envs(envs.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut kubectl = command.spawn().expect("kubectl starts");
        kubectl.stdin.take().expect("it is piped").write_all(b"through and through\n").expect("written");
        text(&kubectl.wait_with_output().expect("it ends when its input ends").stdout)
    };
    let cat = ["exec", "-i", "box", "-c", "first", "--", "cat"];
    assert_eq!(fed(&cat, &[]), "through and through\n");
    // As clients do that know no WebSockets.
    assert_eq!(fed(&cat, &[("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false")]), "through and through\n");
    assert!(fed(&["attach", "-i", "box", "-c", "third"], &[]).ends_with("got through and through\n"));
    assert!(fed(&["run", "-i", "--rm", "--restart=Never", "--image=busybox", "one", "--", "cat"], &[]).contains("and"));

    let (there, back) = (folder.path().join("there"), folder.path().join("back"));
    std::fs::write(&there, "copied").expect("written");
    server.kubectl(&["cp", there.to_str().expect("text"), "box:/tmp/there", "-c", "second"]);
    server.kubectl(&["cp", "box:/tmp/there", back.to_str().expect("text"), "-c", "second"]);
    assert_eq!(std::fs::read_to_string(&back).expect("it came back"), "copied");
    let none = server.run(&["exec", "box", "-c", "fourth", "--", "true"]);
    assert!(text(&none.stderr).contains("container fourth is not valid for pod box"), "{}", text(&none.stderr));
}

/// A Pod with a server: it answers every connection with a word.
const ANSWERS: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: answers}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: answers
      image: python
      command: [python3, -c]
      args:
        - |
          import socket
          with socket.create_server(('127.0.0.1', PORT)) as server:
              while True:
                  with server.accept()[0] as peer:
                      peer.sendall(b'answer to ' + peer.recv(100))
";

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("it has an address").port()
}

/// What the server at an address answers.
fn ask(address: &str) -> std::io::Result<String> {
    let mut peer = std::net::TcpStream::connect(address)?;
    peer.write_all(b"me")?;
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut peer, &mut answer)?;
    Ok(answer)
}

#[test]
fn kubectl_forwards_ports() {
    if !namespaces_work() || !kubectl_is_there() || Command::new("python3").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let server = Server::start(folder.path(), &[]);
    let port = free_port();
    let file = folder.path().join("answers.yaml");
    std::fs::write(&file, ANSWERS.replace("PORT", &port.to_string())).expect("written");
    server.kubectl(&["create", "-f", file.to_str().expect("text")]);
    server.kubectl(&["wait", "--for=condition=Ready", "--timeout=30s", "pod/answers"]);
    // kubectl gives up for good when a port does not answer yet.
    let began = Instant::now();
    while ask(&format!("127.0.0.1:{port}")).is_err() {
        assert!(began.elapsed() < Duration::from_secs(30), "nobody listens");
        std::thread::sleep(Duration::from_millis(20));
    }
    for websockets in ["true", "false"] {
        let mut forward = server
            .command(&["port-forward", "--address=127.0.0.1", "pod/answers", &format!(":{port}")])
            .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets)
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        // It writes a line for each connection too, and would end if nobody could read it.
        let mut said = std::io::BufReader::new(forward.stdout.take().expect("it is piped")).lines();
        let line = said.next().expect("it says where it listens").expect("text");
        let local = line.strip_prefix("Forwarding from ").and_then(|rest| rest.split(' ').next()).expect("an address");
        for _ in 0..3 {
            assert_eq!(ask(local).expect("an answer"), "answer to me");
        }
        forward.kill().expect("killed");
        forward.wait().expect("ended");
    }
}

/// A ConfigMap and a Deployment that kubectl works on.
const WORK: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {colour: blue}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: web, image: busybox, command: [sh, -c, 'echo serving; sleep 60']}]
";

#[test]
fn kubectl_does_to_objects_what_people_do_with_it() {
    if !namespaces_work() || !kubectl_is_there() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let server = Server::start(folder.path(), &[]);
    let kubectl = |arguments: &[&str]| server.kubectl(arguments);
    let file = folder.path().join("work.yaml");
    let work = file.to_str().expect("text");
    std::fs::write(&file, WORK).expect("written");

    assert!(kubectl(&["apply", "-f", work]).contains("configmap/settings created"));
    assert!(kubectl(&["apply", "-f", work]).contains("configmap/settings unchanged"));
    assert!(server.run(&["diff", "-f", work]).status.success(), "nothing differs");
    std::fs::write(&file, WORK.replace("colour: blue", "colour: red")).expect("written");
    let diff = server.run(&["diff", "-f", work]);
    assert_eq!(diff.status.code(), Some(1), "{}", text(&diff.stderr));
    assert!(text(&diff.stdout).contains("+  colour: red"), "{}", text(&diff.stdout));
    kubectl(&["apply", "--server-side", "--force-conflicts", "-f", work]);
    assert_eq!(kubectl(&["get", "cm", "settings", "-o", "jsonpath={.data.colour}"]), "red");
    std::fs::write(&file, WORK.replace("colour: blue", "colour: green")).expect("written");
    let conflict = server.run(&["apply", "--server-side", "--field-manager", "somebody", "-f", work]);
    assert!(text(&conflict.stderr).contains("conflict with \"kubectl\""), "{}", text(&conflict.stderr));

    kubectl(&["label", "cm", "settings", "team=shop"]);
    kubectl(&["annotate", "cm", "settings", "note=seen"]);
    assert_eq!(kubectl(&["get", "cm", "-l", "team=shop", "-o", "name"]), "configmap/settings\n");
    kubectl(&["patch", "cm", "settings", "--type=json", "-p", r#"[{"op":"add","path":"/data/size","value":"L"}]"#]);
    kubectl(&[
        "patch",
        "deployment",
        "web",
        "-p",
        r#"{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":"b"}]}]}}}}"#,
    ]);
    let edited = server.command(&["edit", "cm", "settings"]).env("KUBE_EDITOR", "sed -i s/red/purple/").output();
    let edited = edited.expect("kubectl starts");
    assert!(text(&edited.stdout).contains("configmap/settings edited"), "{}", text(&edited.stderr));
    assert_eq!(kubectl(&["get", "cm", "settings", "-o", "jsonpath={.data.colour}{.data.size}"]), "purpleL");

    assert!(kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"]).contains("successfully rolled out"));
    assert!(kubectl(&["get", "deploy,rs,pods"]).contains("2/2"));
    kubectl(&["scale", "deployment/web", "--replicas=1"]);
    kubectl(&["wait", "--for=jsonpath={.status.replicas}=1", "deployment/web", "--timeout=60s"]);
    assert!(kubectl(&["logs", "deployment/web"]).contains("serving"));
    kubectl(&["create", "job", "once", "--image=busybox", "--", "sh", "-c", "echo one; sleep 5; echo two"]);
    kubectl(&["wait", "--for=jsonpath={.status.ready}=1", "job/once", "--timeout=60s"]);
    assert_eq!(kubectl(&["logs", "-f", "job/once"]), "one\ntwo\n", "it is followed to its end");
    kubectl(&["wait", "--for=condition=complete", "job/once", "--timeout=60s"]);

    let mut watch = server
        .command(&["get", "cm", "-l", "app=web", "-w", "-o", "name"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("kubectl starts");
    let mut seen = std::io::BufReader::new(watch.stdout.take().expect("it is piped")).lines();
    assert_eq!(seen.next().expect("a line").expect("text"), "configmap/settings");
    kubectl(&["label", "cm", "settings", "team-"]);
    assert_eq!(seen.next().expect("a line").expect("text"), "configmap/settings");
    watch.kill().expect("killed");
    watch.wait().expect("ended");

    assert!(kubectl(&["describe", "cm", "settings"]).contains("purple"));
    assert!(kubectl(&["describe", "node", "tekton-local"]).contains("KubeletReady"));
    let resources = kubectl(&["api-resources"]);
    assert!(resources.contains("tekton.dev/v1") && resources.contains("deploy"), "{resources}");
    assert!(kubectl(&["explain", "pod.spec.containers"]).contains("FIELDS"));
    assert!(kubectl(&["explain", "taskrun"]).contains("TaskRun"));
    assert_eq!(kubectl(&["auth", "can-i", "delete", "pods"]), "yes\n");
    assert!(kubectl(&["events"]).contains("Started container once"));
    assert!(kubectl(&["create", "token", "default"]).split('.').count() == 3, "a token has three parts");
    let seen = kubectl(&["create", "configmap", "unreal", "--from-literal=a=b", "--dry-run=server", "-o", "yaml"]);
    assert!(seen.contains("uid: "), "{seen}");
    assert!(!server.run(&["get", "cm", "unreal"]).status.success(), "a dry run stores nothing");
    let pod = kubectl(&["get", "pods", "-l", "app=web", "-o", "name"]);
    let debug = server.run(&["debug", pod.trim_end(), "--image=busybox"]);
    assert!(text(&debug.stderr).contains("ephemeral containers are disabled"), "{}", text(&debug.stderr));
    assert!(text(&server.run(&["top", "pods"]).stderr).contains("Metrics API not available"));
    kubectl(&["delete", "-f", work]);
    assert!(!kubectl(&["get", "all", "-o", "name"]).contains("deployment"));
}
