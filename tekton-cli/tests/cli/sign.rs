//! `tekton sign` and `tekton verify`: what one signs the other verifies, and nothing else.

use std::fs;

use super::*;

const TASK: &str = "\
apiVersion: tekton.dev/v1
kind: Task
metadata:
  name: hello # said to all
spec:
  steps: [{image: busybox, script: echo hello}]
";

/// A folder with a key pair and a Task.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tekton-engine/src/trusted/testdata");
    fs::copy(keys.join("p256.key"), folder.path().join("sign.key")).expect("there is a private key");
    fs::copy(keys.join("p256.pub"), folder.path().join("sign.pub")).expect("there is its public key");
    fs::copy(keys.join("ed25519.pub"), folder.path().join("other.pub")).expect("there is another key");
    fs::write(folder.path().join("task.yaml"), TASK).expect("it can be written");
    folder
}

fn within(folder: &tempfile::TempDir, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command().current_dir(folder.path()).args(arguments).output().expect("the binary starts");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_was_signed_is_verified_until_it_changes() {
    let folder = folder();
    let (code, _, told) = within(&folder, &["sign", "-K", "sign.key", "task.yaml", "-o", "signed.yaml"]);
    assert_eq!((code, told.as_str()), (Some(0), "signed Task hello\n"));
    let signed = fs::read_to_string(folder.path().join("signed.yaml")).expect("it was written");
    assert!(signed.starts_with(
        "apiVersion: tekton.dev/v1\nkind: Task\nmetadata:\n  name: hello # said to all\n  annotations:\n    tekton.dev/signature: \""
    ));
    assert_eq!(fs::read_to_string(folder.path().join("task.yaml")).expect("it is there"), TASK);
    let verify = ["verify", "-K", "sign.pub", "signed.yaml"];
    assert_eq!(within(&folder, &verify).1, "signed.yaml:1: Task hello: verified\n");
    let (code, said, _) = within(&folder, &["verify", "-K", "other.pub", "signed.yaml"]);
    assert_eq!(code, Some(1), "{said}");
    fs::write(folder.path().join("signed.yaml"), signed.replace("echo hello", "echo goodbye")).expect("it is ours");
    let (code, said, _) = within(&folder, &verify);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("refused: the signature was not made with this key, or the definition has changed"),
        "{said}"
    );
}

#[test]
fn a_policy_is_asked_as_a_cluster_would() {
    let folder = folder();
    assert_eq!(within(&folder, &["sign", "-K", "sign.key", "-w", "task.yaml"]).0, Some(0));
    let key = fs::read_to_string(folder.path().join("sign.pub")).expect("there is a key");
    let key = key.lines().fold(String::new(), |text, line| text + "        " + line + "\n");
    let policy = format!(
        "apiVersion: tekton.dev/v1alpha1\nkind: VerificationPolicy\nmetadata: {{name: p}}\nspec:\n  resources:\n  \
         - pattern: https://good/.*\n  authorities:\n  - name: a\n    key:\n      data: |\n{key}"
    );
    fs::write(folder.path().join("policy.yaml"), policy).expect("it can be written");
    let ask = |source: &str| within(&folder, &["verify", "--policy", "policy.yaml", "--source", source, "task.yaml"]);
    assert_eq!(ask("https://good/catalog"), (Some(0), "task.yaml:1: Task hello: verified\n".to_owned(), String::new()));
    let (code, said, _) = ask("https://bad/catalog");
    assert_eq!(code, Some(1));
    assert!(said.contains("https://bad/catalog"), "{said}");
}

#[test]
fn keys_that_cannot_sign_and_files_without_definitions_are_told() {
    let folder = folder();
    let (code, _, told) = within(&folder, &["sign", "-K", "sign.pub", "task.yaml"]);
    assert_eq!(code, Some(2));
    assert!(told.contains("sign.pub: ") && told.contains("no private key"), "{told}");
    fs::write(folder.path().join("other.yaml"), "kind: ConfigMap\n").expect("it can be written");
    let (code, _, told) = within(&folder, &["sign", "-K", "sign.key", "other.yaml"]);
    assert_eq!(code, Some(2));
    assert!(told.contains("other.yaml: there is no Task and no Pipeline in it"), "{told}");
}

#[test]
fn each_shell_gets_completions_of_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = tekton(&["completion", shell]);
        let script = text(&output.stdout);
        for subcommand in ["run", "validate", "sign", "completion"] {
            assert!(output.status.success() && script.contains(subcommand), "{shell}: {subcommand}");
        }
    }
}
