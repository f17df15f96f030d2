//! `tekton sign` and `tekton verify`: signatures of Tasks and Pipelines. They are made by `tekton_engine::trusted`.

use std::fmt::Write as _;
use std::process::ExitCode;

use k8s_openapi::api::core::v1::Secret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tekton_engine::trusted::manifest::{self, ManifestFault, Policies, Verdict};
use tekton_engine::trusted::{Hash, PublicKey, SigningKey};
use tekton_types::config::Config;
use tekton_types::v1alpha1::VerificationPolicy;
use tekton_validate::check::Source;

use crate::args::{SignArguments, SigningHash, VerifyArguments};
use crate::{files, printed, settings};

/// Puts signatures into the files, or prints what is signed.
///
/// Errors: a key or file that cannot be read, a file with nothing to sign, more than one file for one output.
pub(crate) fn sign(arguments: &SignArguments) -> Result<ExitCode, String> {
    let key = SigningKey::from_pem(&read(&arguments.key)?)
        .map_err(|fault| format!("{}: {fault}", arguments.key.display()))?;
    let config = settings::config(&settings::config_maps(&arguments.settings)?)?;
    let sources = files::read_all(&arguments.files)?;
    if sources.len() > 1 && !arguments.in_place {
        return Err(format!("there are {} files and one output; -w signs each of them in place", sources.len()));
    }
    for source in &sources {
        let signed = manifest::sign(&source.text, &key, &config).map_err(|fault| located(source, &fault))?;
        if arguments.in_place && source.name != files::STDIN {
            std::fs::write(&source.name, &signed.text).map_err(|error| format!("{}: {error}", source.name))?;
        } else if let Some(path) = &arguments.output {
            std::fs::write(path, &signed.text).map_err(|error| format!("{}: {error}", path.display()))?;
        } else {
            printed(&signed.text);
        }
        for definition in &signed.definitions {
            eprintln!("signed {definition}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Says of each definition whether it is to be trusted.
///
/// Errors: a key, policy or file that cannot be read, a file with nothing to verify.
pub(crate) fn verify(arguments: &VerifyArguments) -> Result<ExitCode, String> {
    let config = settings::config(&settings::config_maps(&arguments.settings)?)?;
    let sources = files::read_all(&arguments.files)?;
    let judge = Judge::of(arguments)?;
    let mut trusted = true;
    let mut shown = String::new();
    for source in &sources {
        let verdicts = judge.verdicts(source, &config).map_err(|fault| located(source, &fault))?;
        for Verdict { definition, line, refused } in verdicts {
            trusted &= refused.is_none();
            let what = refused.map_or_else(|| "verified".to_owned(), |why| format!("refused: {why}"));
            writeln!(shown, "{}:{line}: {definition}: {what}", source.name).expect("a String takes all");
        }
    }
    printed(shown);
    Ok(if trusted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Who says whether a signature is good.
enum Judge<'a> {
    Key([(PublicKey, Hash); 1]),
    Policies(Policies, &'a str),
}

impl<'a> Judge<'a> {
    fn of(arguments: &'a VerifyArguments) -> Result<Self, String> {
        if let Some(path) = &arguments.key {
            let hash = match arguments.hash {
                SigningHash::Sha224 => Hash::Sha224,
                SigningHash::Sha256 => Hash::Sha256,
                SigningHash::Sha384 => Hash::Sha384,
                SigningHash::Sha512 => Hash::Sha512,
            };
            let key = PublicKey::from_pem(&read(path)?, hash);
            return Ok(Self::Key([(key.map_err(|fault| format!("{}: {fault}", path.display()))?, hash)]));
        }
        let objects = files::objects(&files::read_all(&arguments.policy)?)?;
        let policies = Policies {
            policies: of_kind::<VerificationPolicy>(&objects, "VerificationPolicy")?,
            secrets: of_kind::<Secret>(&objects, "Secret")?,
        };
        if policies.policies.is_empty() {
            return Err("there is no VerificationPolicy in the files of --policy".to_owned());
        }
        Ok(Self::Policies(policies, arguments.source.as_deref().unwrap_or_default()))
    }

    fn verdicts(&self, source: &Source, config: &Config) -> Result<Vec<Verdict>, ManifestFault> {
        match self {
            Self::Key(keys) => manifest::verify(&source.text, keys, config),
            Self::Policies(policies, from) => manifest::verify_by_policy(&source.text, policies, from, config),
        }
    }
}

fn of_kind<K: DeserializeOwned>(objects: &[Value], kind: &str) -> Result<Vec<K>, String> {
    let these = objects.iter().filter(|object| object["kind"] == kind);
    these.map(|object| serde_json::from_value(object.clone()).map_err(|error| format!("{kind}: {error}"))).collect()
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn located(source: &Source, fault: &ManifestFault) -> String {
    format!("{}: {fault}", source.name)
}
