//! Git credentials with user and password: `.gitconfig` and `.git-credentials`.

use std::fmt::Write as _;

use tekton_contract::{paths, var::extract::go_quote};

#[derive(Debug)]
struct Entry {
    url: String,
    username: String,
    password: String,
}

#[derive(Debug, Default)]
pub(super) struct Git(Vec<Entry>);

impl Git {
    pub(super) fn add(&mut self, value: &str) -> Result<(), String> {
        let (secret, url) = super::secret_and_url(value)?;
        if self.0.iter().any(|entry| entry.url == url) {
            return Err(format!("multiple entries for url: {url}"));
        }
        let username = super::secret_text(secret, "username")?;
        let password = super::secret_text(secret, "password")?;
        super::url::check(url)?;
        self.0.push(Entry { url: url.to_owned(), username, password });
        Ok(())
    }

    pub(super) fn write(&self) -> Result<(), String> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut config = String::from("[credential]\n\thelper = store\n");
        for Entry { url, username, .. } in &self.0 {
            let username = username.replace('\\', "\\\\");
            write!(config, "[credential {}]\n\tusername = {username}\n", go_quote(url))
                .expect("writing to a String can not fail");
            if has_path(url) {
                config.push_str("\tuseHttpPath = true\n");
            }
        }
        super::write_private(&format!("{}/.gitconfig", paths::CREDS), config.as_bytes())?;
        // Entries without a path are what is fallen back to, and git takes the first that fits.
        let (with_path, without): (Vec<_>, Vec<_>) = self.0.iter().partition(|entry| has_path(&entry.url));
        let mut store = String::new();
        for entry in without.into_iter().chain(with_path) {
            store.push_str(&with_user(&entry.url, &entry.username, &entry.password));
            store.push('\n');
        }
        super::write_private(&format!("{}/.git-credentials", paths::CREDS), store.as_bytes())
    }
}

/// Scheme with its colon, authority without its slashes, and the rest.
fn split(url: &str) -> (&str, Option<&str>, &str) {
    let scheme = url.find(':').filter(|colon| {
        url[..*colon].starts_with(|c: char| c.is_ascii_alphabetic())
            && url[..*colon].chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    let (scheme, rest) = url.split_at(scheme.map_or(0, |colon| colon + 1));
    match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            (scheme, Some(&rest[..end]), &rest[end..])
        }
        None => (scheme, None, rest),
    }
}

fn has_path(url: &str) -> bool {
    let (scheme, authority, rest) = split(url);
    // Without slashes behind a scheme a url is opaque, and has no path.
    if !scheme.is_empty() && authority.is_none() && !rest.starts_with('/') {
        return false;
    }
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    !path.is_empty() && path != "/"
}

fn with_user(url: &str, username: &str, password: &str) -> String {
    let (scheme, authority, rest) = split(url);
    if !scheme.is_empty() && authority.is_none() && !rest.is_empty() && !rest.starts_with(['/', '?', '#']) {
        return url.to_owned();
    }
    let host = authority.unwrap_or_default();
    let host = encode(&unescape(host.rsplit('@').next().unwrap_or(host)), |byte| byte.is_ascii() && byte != b'%');
    let slash = if !host.is_empty() && !rest.is_empty() && !rest.starts_with(['/', '?', '#']) { "/" } else { "" };
    let (before, fragment) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
    let (path, query) = before.split_at(before.find('?').unwrap_or(before.len()));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let (user, password) = [username, password]
        .map(|text| encode(text.as_bytes(), |byte| plain(byte) || b"$&+,;=".contains(&byte)))
        .into();
    let path = escape(path, |byte| plain(byte) || b"$&+,/:;=@".contains(&byte));
    let mut url = format!("{}//{user}:{password}@{host}{slash}{path}{query}", scheme.to_ascii_lowercase());
    // A mark with nothing behind it is dropped.
    if let Some(fragment) = fragment.strip_prefix('#').filter(|fragment| !fragment.is_empty()) {
        url.push('#');
        url += &escape(fragment, |byte| plain(byte) || b"$&+,/:;=?@!()*".contains(&byte));
    }
    url
}

/// Percent-encodes a part of a url as Go prints it: as it is when every byte may stand there, else all of it anew.
fn escape(part: &str, plain: impl Fn(u8) -> bool) -> String {
    if part.bytes().all(|byte| plain(byte) || b"!'()*[]%".contains(&byte)) {
        return part.to_owned();
    }
    encode(&unescape(part), plain)
}

fn encode(bytes: &[u8], plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 8);
    for &byte in bytes {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String can not fail");
        }
    }
    out
}

fn unescape(path: &str) -> Vec<u8> {
    let mut bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    while let Some((first, rest)) = bytes.split_first() {
        let digit = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16)).filter(|_| *first == b'%');
        if let (Some(high), Some(low)) = (digit(0), digit(1)) {
            out.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits are a byte"));
            bytes = &rest[2..];
        } else {
            out.push(*first);
            bytes = rest;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_put_into_urls() {
        for (url, expected) in [
            ("https://github.com", "https://u:p%40@github.com"),
            ("https://old@github.com/a/b", "https://u:p%40@github.com/a/b"),
            ("github.com", "//u:p%40@github.com"),
            ("https://github.com/a b%20c", "https://u:p%40@github.com/a%20b%20c"),
            ("https://github.com/a%20b?x y", "https://u:p%40@github.com/a%20b?x y"),
            ("http://é/a#b c", "http://u:p%40@%C3%A9/a#b%20c"),
            ("http:", "http://u:p%40@"),
        ] {
            assert_eq!(with_user(url, "u", "p@"), expected);
        }
        assert!(!has_path("https://github.com/"));
        assert!(has_path("https://github.com/a"));
    }
}
