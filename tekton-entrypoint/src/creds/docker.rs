//! Registry credentials: `.docker/config.json`.

use std::collections::BTreeMap;

use tekton_contract::{
    base64::{self, Padding},
    json::{self, Error, Value},
    paths,
};

use crate::fs;

#[derive(Debug, Default, Clone)]
struct Entry {
    username: String,
    password: String,
    auth: String,
    email: String,
}

type Entries = BTreeMap<String, Entry>;

#[derive(Debug, Default)]
pub(super) struct Docker {
    basic: Entries,
    /// Secrets with a `.dockerconfigjson`.
    pub(super) configs: Vec<String>,
    /// Secrets with a `.dockercfg`.
    pub(super) cfgs: Vec<String>,
}

impl Docker {
    pub(super) fn add_basic(&mut self, value: &str) -> Result<(), String> {
        let (secret, url) = super::secret_and_url(value)?;
        if self.basic.contains_key(url) {
            return Err(format!("multiple entries for url: {url}"));
        }
        let username = super::secret_text(secret, "username")?;
        let password = super::secret_text(secret, "password")?;
        let auth = base64::encode(format!("{username}:{password}").as_bytes(), Padding::Required);
        self.basic.insert(url.to_owned(), Entry { username, password, auth, email: "not@val.id".to_owned() });
        Ok(())
    }

    /// Writes the file; a later kind of secret wins over an earlier one for the same url.
    pub(super) fn write(&self) -> Result<(), String> {
        let mut all = Entries::new();
        for secret in &self.cfgs {
            let content = super::secret_file(secret, ".dockercfg").map_err(|error| error.to_string())?;
            let value = json::parse(&content).map_err(|error| error.to_string())?;
            all.extend(entries(&value).map_err(|error| error.to_string())?);
        }
        for secret in &self.configs {
            let content = super::secret_file(secret, ".dockerconfigjson").map_err(|error| error.to_string())?;
            let value = json::parse(&content).map_err(|error| error.to_string())?;
            if !matches!(value, Value::Object(_) | Value::Null) {
                return Err(Error::unmarshal(&value, "dockercreds.configFile").to_string());
            }
            if let Some(auths) = value.member("auths") {
                all.extend(entries(auths).map_err(|error| error.to_string())?);
            }
        }
        all.extend(self.basic.clone());
        if all.is_empty() {
            return Ok(());
        }
        let directory = format!("{}/.docker", paths::CREDS);
        fs::make_all(&directory, 0o777).map_err(|error| error.to_string())?;
        super::write_private(&format!("{directory}/config.json"), encode(&all).as_bytes())
    }
}

fn entries(value: &Value) -> Result<Entries, Error> {
    let members = match value {
        Value::Null => return Ok(Entries::new()),
        Value::Object(members) => members,
        value => return Err(Error::unmarshal(value, "map[string]dockercreds.entry")),
    };
    // One by one: `collect` would bring in a sort, of 20 KB.
    let mut entries = Entries::new();
    for (url, value) in members {
        entries.insert(url.clone(), Entry::parse(value)?);
    }
    Ok(entries)
}

impl Entry {
    fn parse(value: &Value) -> Result<Self, Error> {
        let mut entry = Self::default();
        let members = match value {
            Value::Null => return Ok(entry),
            Value::Object(members) => members,
            value => return Err(Error::unmarshal(value, "dockercreds.entry")),
        };
        for (name, value) in members {
            let fields = [
                ("username", &mut entry.username),
                ("password", &mut entry.password),
                ("auth", &mut entry.auth),
                ("email", &mut entry.email),
            ];
            let Some((field, target)) = fields.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)) else {
                continue;
            };
            match value {
                Value::Null => {}
                Value::String(text) => target.clone_from(text),
                value => {
                    return Err(Error(format!(
                        "json: cannot unmarshal {} into Go struct field entry.{field} of type string",
                        value.kind()
                    )));
                }
            }
        }
        Ok(entry)
    }
}

fn encode(entries: &Entries) -> String {
    let mut out = String::from("{\"auths\":{");
    for (i, (url, entry)) in entries.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        json::quote(&mut out, url);
        out.push_str(":{");
        for (name, value) in [("username", &entry.username), ("password", &entry.password)] {
            if !value.is_empty() {
                json::quote(&mut out, name);
                out.push(':');
                json::quote(&mut out, value);
                out.push(',');
            }
        }
        out.push_str("\"auth\":");
        json::quote(&mut out, &entry.auth);
        if !entry.email.is_empty() {
            out.push_str(",\"email\":");
            json::quote(&mut out, &entry.email);
        }
        out.push('}');
    }
    out.push_str("}}");
    out
}
