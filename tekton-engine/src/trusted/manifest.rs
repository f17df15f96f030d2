//! Signing and verifying the definitions of a manifest, as an author does before they are published.
//!
//! ```
//! use tekton_engine::trusted::{Hash, PublicKey, SigningKey, manifest};
//! # let private = include_bytes!("testdata/p256.key");
//! # let public = include_bytes!("testdata/p256.pub");
//! let text = "apiVersion: tekton.dev/v1\nkind: Task\nmetadata:\n  name: hello # of the tutorial\nspec:\n  steps: [{image: busybox}]\n";
//! let key = SigningKey::from_pem(private).unwrap();
//! let signed = manifest::sign(text, &key, &Default::default()).unwrap();
//! assert!(signed.text.contains("  name: hello # of the tutorial\n  annotations:\n    tekton.dev/signature: "));
//! let keys = [(PublicKey::from_pem(public, Hash::Sha256).unwrap(), Hash::Sha256)];
//! let verdicts = manifest::verify(&signed.text, &keys, &Default::default()).unwrap();
//! assert_eq!(verdicts[0].refused, None);
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use tekton_contract::base64::{self, Padding};
use tekton_types::canonical::SIGNATURE;
use tekton_types::config::Config;
use tekton_types::decode::Mode;
use tekton_types::object::Object;
use tekton_types::v1::RefSource;
use tekton_types::v1alpha1::VerificationPolicy;
use tekton_types::yaml::edit::Edits;
use tekton_types::yaml::{self, Document, annotate};

use super::{Hash, PublicKey, SigningKey, Verification, checksum};
use crate::facts::{Fact, Facts, Need, Value};
use crate::object::{Kind, ObjectKey, Stored};
use crate::pass::{Pass, Stop};
use crate::run::{ClusterFacts, Env};
use crate::{ApiFault, object};

/// Why a manifest cannot be signed or verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestFault {
    /// It is no YAML.
    #[error("{0}")]
    Syntax(#[from] yaml::Error),
    /// A definition would not be read by a controller.
    #[error("line {line}: {text}")]
    Definition {
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        text: String,
    },
    /// There is no place for the signature.
    #[error("line {line}: the definition has no `metadata` of its own to put the annotation {SIGNATURE} into")]
    NoMetadata {
        /// Where the definition begins, from 1.
        line: usize,
    },
    /// It holds no Task and no Pipeline.
    #[error("there is no Task and no Pipeline in it; only these carry signatures")]
    NothingToSign,
}

/// A manifest with signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The text, with comments and layout as they were.
    pub text: String,
    /// Which definitions got a signature, such as `Task hello`.
    pub definitions: Vec<String>,
}

/// What came of verifying one definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Such as `Task hello`.
    pub definition: String,
    /// Where it begins, from 1.
    pub line: usize,
    /// Why it is not trusted; `None` when it is.
    pub refused: Option<String>,
}

/// Signs each Task and Pipeline of a manifest: annotation `tekton.dev/signature`.
///
/// Signatures are made over the definitions with the defaults of `config`, as a controller sees them.
///
/// Errors: the manifest cannot be read as a controller would, or holds nothing that carries a signature.
pub fn sign(text: &str, key: &SigningKey, config: &Config) -> Result<Signed, ManifestFault> {
    let documents = yaml::parse(text)?;
    let mut edits = Edits::new(text);
    let mut definitions = Vec::new();
    for definition in of(&documents, config)? {
        let signature = base64::encode(&key.sign(&definition.checksum), Padding::Required);
        if !annotate::set(&mut edits, &definition.document.root, SIGNATURE, &signature) {
            return Err(ManifestFault::NoMetadata { line: definition.line() });
        }
        definitions.push(definition.to_string());
    }
    Ok(Signed { text: edits.apply(), definitions })
}

/// Verifies each Task and Pipeline of a manifest against keys, of which one must have made its signature.
///
/// Errors: the manifest cannot be read as a controller would, or holds nothing that carries a signature.
pub fn verify(text: &str, keys: &[(PublicKey, Hash)], config: &Config) -> Result<Vec<Verdict>, ManifestFault> {
    let documents = yaml::parse(text)?;
    let verdicts = of(&documents, config)?.into_iter().map(|definition| {
        let refused = match definition.signature() {
            None => Some(format!("it has no annotation {SIGNATURE}")),
            Some(Err(text)) => Some(text),
            Some(Ok(signature)) => {
                let made = keys.iter().any(|(key, hash)| key.verify(*hash, &definition.checksum, &signature));
                (!made).then(|| "the signature was not made with this key, or the definition has changed".to_owned())
            }
        };
        definition.verdict(refused)
    });
    Ok(verdicts.collect())
}

/// What the policies of a namespace say about definitions, and the Secrets that they name.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// The policies.
    pub policies: Vec<VerificationPolicy>,
    /// Secrets with keys.
    pub secrets: Vec<Secret>,
}

/// Verifies each Task and Pipeline of a manifest as a controller does when it comes from `source`, such as
/// `https://github.com/tektoncd/catalog.git`: policies that cover the source decide.
///
/// Errors: the manifest cannot be read as a controller would, or holds nothing that carries a signature.
pub fn verify_by_policy(
    text: &str,
    policies: &Policies,
    source: &str,
    config: &Config,
) -> Result<Vec<Verdict>, ManifestFault> {
    let documents = yaml::parse(text)?;
    let source = RefSource { uri: source.to_owned(), ..RefSource::default() };
    let verdicts = of(&documents, config)?.into_iter().map(|definition| {
        let refused = match decided(policies, &definition.object, &source, config) {
            Verification::Passed => None,
            Verification::Skipped => Some(format!("no policy covers the source {:?}", source.uri)),
            Verification::Warned(text) | Verification::Failed(text) => Some(text),
        };
        definition.verdict(refused)
    });
    Ok(verdicts.collect())
}

/// The decision of the engine in a world that holds the policies and Secrets and nothing else.
fn decided(policies: &Policies, definition: &Object, source: &RefSource, config: &Config) -> Verification {
    /// Where policies and Secrets that name no namespace are.
    const NAMESPACE: &str = "default";
    let cluster = ClusterFacts::default();
    let env = Env { now: Timestamp::UNIX_EPOCH, config, cluster: &cluster };
    let all = policies.policies.iter().cloned().map(Stored::into_object).collect();
    let mut facts = Facts::new();
    let need = Need::List { kind: Kind::VerificationPolicy, namespace: NAMESPACE.to_owned(), labels: BTreeMap::new() };
    facts.set(need, Fact::Known(Value::List(all)));
    loop {
        let mut pass = Pass::new(&env, &facts);
        match super::verify(&mut pass, NAMESPACE, definition, Some(source)) {
            Ok(verification) => return verification,
            Err(Stop::Wait) => {}
            Err(_) => return Verification::Failed("the policies cannot be read".to_owned()),
        }
        let answers: Vec<(Need, Fact)> =
            pass.needs.into_iter().map(|need| (need.clone(), answer(policies, &need))).collect();
        for (need, fact) in answers {
            facts.set(need, fact);
        }
    }
}

fn answer(policies: &Policies, need: &Need) -> Fact {
    let Need::Object(key) = need else { return Fact::Denied(ApiFault::default()) };
    match policies.secrets.iter().find(|secret| is(secret, key)) {
        Some(secret) => Fact::Known(Value::Object(object::Object::Secret(Arc::new(secret.clone())))),
        None => Fact::Denied(ApiFault::not_found(key)),
    }
}

/// A Secret in a file may leave its namespace to whoever applies it.
fn is(secret: &Secret, key: &ObjectKey) -> bool {
    let namespace = secret.metadata.namespace.as_deref();
    key.kind == Kind::Secret
        && secret.metadata.name.as_deref() == Some(key.name.as_str())
        && namespace.is_none_or(|namespace| namespace == key.namespace)
}

/// A Task or Pipeline with its defaults.
struct Definition<'d, 't> {
    document: &'d Document<'t>,
    object: Object,
    checksum: [u8; 32],
}

impl std::fmt::Display for Definition<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.object.kind(), self.object.name())
    }
}

impl Definition<'_, '_> {
    fn line(&self) -> usize {
        self.document.root.span.line
    }

    /// The signature; an error when it is no base64.
    fn signature(&self) -> Option<Result<Vec<u8>, String>> {
        let text = self.object.metadata()?.annotations.as_ref()?.get(SIGNATURE)?;
        Some(
            base64::decode(text.as_bytes(), Padding::Required)
                .map_err(|fault| format!("the signature is no base64: {fault}")),
        )
    }

    fn verdict(&self, refused: Option<String>) -> Verdict {
        Verdict { definition: self.to_string(), line: self.line(), refused }
    }
}

/// The definitions that carry signatures.
fn of<'d, 't>(documents: &'d [Document<'t>], config: &Config) -> Result<Vec<Definition<'d, 't>>, ManifestFault> {
    let mut definitions = Vec::new();
    for document in documents {
        let kind = document.root.get("kind").and_then(yaml::Node::as_str);
        if !matches!(kind, Some("Task" | "Pipeline")) {
            continue;
        }
        let mut object = Object::decode(document, Mode::Strict).map_err(|errors| {
            let first = errors.first().expect("what cannot be decoded has an error");
            ManifestFault::Definition { line: first.span.line, text: first.message.clone() }
        })?;
        object.set_defaults(config, false);
        if let Some(checksum) = checksum(&object) {
            definitions.push(Definition { document, object, checksum });
        }
    }
    if definitions.is_empty() { Err(ManifestFault::NothingToSign) } else { Ok(definitions) }
}

#[cfg(test)]
mod tests;
