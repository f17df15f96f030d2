//! The command of an image whose entrypoint depends on the platform.

use tekton_contract::{
    json::{self, Error, Value},
    var::extract::go_quote,
    volumes,
};

/// The command of this platform.
pub(crate) fn command() -> Result<Vec<String>, String> {
    let text = std::env::var(volumes::ENV_PLATFORM_COMMANDS).unwrap_or_default();
    let commands = json::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    let members: &[(String, Value)] = match &commands {
        Value::Null => &[],
        Value::Object(members) => members,
        value => return Err(Error::unmarshal(value, "map[string][]string").to_string()),
    };
    let mut parsed = Vec::new();
    for (platform, value) in members {
        let words: &[Value] = match value {
            Value::Null => &[],
            Value::Array(words) => words,
            value => return Err(Error::unmarshal(value, "[]string").to_string()),
        };
        let word = |word: &Value| match word {
            Value::Null => Ok(String::new()),
            Value::String(word) => Ok(word.clone()),
            value => Err(Error::unmarshal(value, "string").to_string()),
        };
        parsed.push((platform, words.iter().map(word).collect::<Result<Vec<_>, _>>()?));
    }
    let platform = name();
    let shorter = &platform[..platform.rfind('/').unwrap_or_default()];
    for wanted in [platform, shorter] {
        if let Some(at) = parsed.iter().rposition(|(name, _)| *name == wanted) {
            return Ok(parsed.swap_remove(at).1);
        }
    }
    Err(format!("could not find command for platform {}", go_quote(platform)))
}

/// How upstream names this platform.
#[cfg(windows)]
fn name() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "windows/amd64",
        "aarch64" => "windows/arm64/v8",
        "x86" => "windows/386",
        _ => "windows/unknown",
    }
}

/// How upstream names this platform.
#[cfg(not(windows))]
fn name() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "linux/amd64",
        "aarch64" => "linux/arm64/v8",
        "arm" => "linux/arm/unknown",
        "x86" => "linux/386",
        "powerpc64" => "linux/ppc64le",
        "riscv64" => "linux/riscv64",
        "s390x" => "linux/s390x",
        _ => "linux/unknown",
    }
}
