//! The half of suite `creds-init` that concerns the entrypoint: flags and mounted secrets become files.
//!
//! Each case is told as a scenario of the built program, and the runner of scenarios judges it.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::scenarios::{self, Verdicts};
use crate::{Case, cases_dir, read_suite};

const SUITE: &str = "creds-init";
const SECRETS: &str = "/tekton/creds-secrets";
const CREDS: &str = "/tekton/creds";
const HOME: &str = "${DIR}/home";

/// Operations that this half of the suite knows.
pub(super) const OPERATIONS: [&str; 3] = ["credsFiles", "parseSSHURL", "copyCred"];

pub(super) fn check(case: &Case) -> Result<(), String> {
    static RUN: OnceLock<Result<Verdicts, String>> = OnceLock::new();
    let verdicts = RUN.get_or_init(run).as_ref().map_err(Clone::clone)?;
    match verdicts.get(&source(case)) {
        Some(None) => Ok(()),
        Some(Some(differences)) => Err(differences.clone()),
        None => Err("the runner skipped this scenario".to_owned()),
    }
}

fn source(case: &Case) -> String {
    format!("blackbox:creds/{}", case.id)
}

fn run() -> Result<Verdicts, String> {
    let dir = cases_dir().ok_or("there is no folder of recorded cases")?;
    let cases = read_suite(&dir, SUITE).map_err(|error| error.to_string())?;
    let mut lines = String::new();
    for case in cases.iter().filter(|case| OPERATIONS.contains(&case.input["op"].as_str().unwrap_or_default())) {
        lines.push_str(&scenario(case).to_string());
        lines.push('\n');
    }
    scenarios::run_lines(SUITE, &lines)
}

/// A case as a scenario: what lies where before the step, and the whole tree after it.
fn scenario(case: &Case) -> Value {
    let (input, expect) = (&case.input, &case.expect);
    let mut before = Tree::default();
    before.directory("/tekton/run/0", "0755");
    before.directory(CREDS, "0755");
    let mut after = Tree::default();
    let mut flags: Vec<String> = Vec::new();
    let mut error = None;
    match input["op"].as_str().unwrap_or_default() {
        "credsFiles" => {
            flags = serde_json::from_value(input["args"].clone()).unwrap_or_default();
            for (secret, files) in input["secrets"].as_object().into_iter().flatten() {
                before.directory(&format!("{SECRETS}/{secret}"), "0755");
                for (name, content) in files.as_object().into_iter().flatten() {
                    before.file(&format!("{SECRETS}/{secret}/{name}"), content, "0644");
                }
            }
            error = expect["error"].as_str();
            for (path, file) in expect["files"].as_object().into_iter().flatten() {
                after.installed(path, file);
            }
        }
        "parseSSHURL" => {
            let url = input["url"].as_str().unwrap_or_default();
            flags.push(format!("-ssh-git=key={url}"));
            before.file(&format!("{SECRETS}/key/ssh-privatekey"), &json!("private"), "0644");
            for (path, content) in ssh_files(expect) {
                after.installed(path, &json!({"content": content, "mode": "0600"}));
            }
        }
        _ => {
            for (path, file) in input["source"].as_object().into_iter().flatten() {
                let below = if path == "." { ".gitconfig".to_owned() } else { format!(".ssh/{path}") };
                before.file(&format!("{CREDS}/{below}"), &file["content"], file["mode"].as_str().unwrap_or("0600"));
                after.installed(&below, &json!({"content": file["content"], "mode": "0600"}));
            }
        }
    }
    let mut args: Vec<String> =
        ["-post_file", "/tekton/run/0/out", "-termination_path", "/tekton/termination"].map(str::to_owned).to_vec();
    args.extend(["-step_metadata_dir".to_owned(), "/tekton/run/0/status".to_owned()]);
    args.extend(flags);
    args.extend(["-entrypoint".to_owned(), "true".to_owned(), "--".to_owned()]);
    let expect = match error {
        None => ended_well(&before, after),
        // A flag is refused before anything is done; a secret that cannot be read later is only reported.
        Some(error) if is_of_a_flag(error) => {
            json!({"exitCode": 2, "stdout": "", "stderr": {"contains": [error]}, "files": before.expected()})
        }
        Some(error) => json!({"exitCode": 0, "stdout": "", "stderr": {"contains": [error]}}),
    };
    json!({
        "id": case.id, "suite": "entrypoint-scenarios", "source": source(case), "group": "creds", "title": case.source,
        "input": {
            "args": args, "files": before.0, "during": [], "timeoutMs": 20000,
            "env": {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": HOME,
                "TMPDIR": "${DIR}/tmp", "TZ": "UTC"},
        },
        "expect": expect,
    })
}

fn is_of_a_flag(error: &str) -> bool {
    let of_file = ["/username:", "/password:", "/ssh-privatekey:"].iter().any(|name| error.contains(name));
    of_file || ["expect entries", "multiple entries", "parse "].iter().any(|words| error.starts_with(words))
}

fn ended_well(before: &Tree, mut after: Tree) -> Value {
    let message = r#"[{"key":"StartedAt","value":"<time>","type":3}]"#;
    after.0.extend(before.0.clone());
    after.file("/tekton/run/0/out", &json!(""), "0644");
    after.directory("/tekton/run/0/status/artifacts", "0755");
    after.directory("/tekton/run/0/status/results", "0755");
    after.file("/tekton/run/0/status/exitCode", &json!("0"), "0644");
    let mut files = after.expected();
    files["/tekton/termination"] = json!({"mode": "0644", "termination": {
        "entries": [{"key": "StartedAt", "value": "<time>", "type": 3}], "raw": message,
    }});
    json!({"exitCode": 0, "stdout": "", "stderr": "", "files": files})
}

/// The files that a key for the address comes to.
fn ssh_files(address: &Value) -> Vec<(&'static str, String)> {
    let text = |key: &str| address[key].as_str().unwrap_or_default();
    let (host, port, path) = (text("host"), text("port"), text("path").trim_start_matches('/'));
    let alias = if path.is_empty() { host.to_owned() } else { format!("{host}--{}", path.replace('/', "--")) };
    let config = format!("Host {alias}\n    HostName {host}\n    Port {port}\n    IdentityFile {CREDS}/.ssh/id_key\n");
    let mut files = vec![(".ssh/config", config), (".ssh/id_key", "private".to_owned())];
    if !path.is_empty() {
        let at = if port == "22" { host.to_owned() } else { format!("{host}:{port}") };
        files.push((
            ".gitconfig",
            format!(
                "[url \"git@{alias}:{path}.git\"]\n\tinsteadOf = git@{host}:{path}.git\n\
                 [url \"ssh://{alias}/{path}.git\"]\n\tinsteadOf = ssh://{at}/{path}.git\n"
            ),
        ));
    }
    files
}

/// Files by path, as scenarios write them.
#[derive(Clone, Default)]
struct Tree(Map<String, Value>);

impl Tree {
    fn directory(&mut self, path: &str, mode: &str) {
        self.0.insert(path.to_owned(), json!({"type": "dir", "mode": mode}));
    }

    fn file(&mut self, path: &str, content: &Value, mode: &str) {
        self.0.insert(path.to_owned(), json!({"content": content, "mode": mode}));
    }

    /// A credential and its copy in the home directory, whose folders are private.
    fn installed(&mut self, path: &str, file: &Value) {
        self.file(&format!("{CREDS}/{path}"), &file["content"], file["mode"].as_str().unwrap_or("0600"));
        self.file(&format!("{HOME}/{path}"), &file["content"], "0600");
        if let Some((folder, _)) = path.split_once('/') {
            self.directory(&format!("{HOME}/{folder}"), "0700");
        }
    }

    /// The tree with all folders in it.
    fn expected(&self) -> Value {
        let mut all = self.0.clone();
        for path in self.0.keys() {
            let mut path = path.as_str();
            while let Some((folder, _)) = path.rsplit_once('/') {
                path = folder;
                if !matches!(folder, "" | "/tekton" | HOME | "${DIR}") && !all.contains_key(folder) {
                    all.insert(folder.to_owned(), json!({"type": "dir", "mode": "0755"}));
                }
            }
        }
        Value::Object(all)
    }
}
