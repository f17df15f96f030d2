//! Which texts Go's `net/url` takes for a url, and what it says of others.

use std::net::Ipv6Addr;

use tekton_contract::var::extract::go_quote;

/// Refuses what Go's parser refuses, in its words.
pub(super) fn check(url: &str) -> Result<(), String> {
    let (before, fragment) = url.split_once('#').unwrap_or((url, ""));
    let refused = |text: &str, reason| format!("parse {}: {reason}", go_quote(text));
    parse(before).map_err(|reason| refused(before, reason))?;
    escapes(fragment).map_err(|reason| refused(url, reason))
}

fn parse(url: &str) -> Result<(), String> {
    if url.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let (scheme, rest) = scheme(url);
    if scheme.is_empty() && url.starts_with(':') {
        return Err("missing protocol scheme".to_owned());
    }
    let rest = rest.split('?').next().unwrap_or_default();
    if !rest.starts_with('/') {
        // Behind a scheme and without a slash anything may stand.
        if !scheme.is_empty() {
            return Ok(());
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    if scheme.is_empty() && rest.starts_with("///") {
        return escapes(rest);
    }
    let Some(rest) = rest.strip_prefix("//") else { return escapes(rest) };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    check_host(host)?;
    if !user.chars().all(|c| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c)) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    escapes(user)?;
    escapes(path)
}

/// The scheme, without its colon, and the rest.
fn scheme(url: &str) -> (&str, &str) {
    match url.split_once(':') {
        Some((scheme, rest))
            if scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) =>
        {
            (scheme, rest)
        }
        _ => ("", url),
    }
}

fn check_host(host: &str) -> Result<(), String> {
    let check_port = |port: &str| {
        let good =
            port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|c| c.is_ascii_digit()));
        if good { Ok(()) } else { Err(format!("invalid port {} after host", go_quote(port))) }
    };
    match host.rfind('[') {
        Some(0) => {
            let close = host.rfind(']').ok_or("missing ']' in host")?;
            check_port(&host[close + 1..])?;
            let address = &host[1..close];
            let address = address.split_once("%25").map_or(address, |(address, _)| address);
            host_name(address)?;
            let number = address.parse::<Ipv6Addr>();
            number.map(drop).map_err(|_| format!("invalid host: ParseAddr({}): unable to parse IP", go_quote(address)))
        }
        Some(_) => Err("invalid IP-literal".to_owned()),
        None => {
            if let Some(colon) = host.find(':') {
                check_port(&host[colon..])?;
            }
            host_name(host)
        }
    }
}

/// What may stand in the name of a host; only bytes that are not ASCII may be escaped.
fn host_name(name: &str) -> Result<(), String> {
    escapes(name)?;
    for (at, c) in name.char_indices() {
        match c {
            '%' if name[at + 1..].starts_with(|c: char| c < '8') && !name[at..].starts_with("%25") => {
                return Err(invalid_escape(&name[at..at + 3]));
            }
            c if !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"%".contains(c) => {}
            c => return Err(format!("invalid character {} in host name", go_quote(c.encode_utf8(&mut [0; 4])))),
        }
    }
    Ok(())
}

/// Every `%` has two hexadecimal digits behind it.
fn escapes(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('%') {
        let digits = text[at + 1..].bytes().take(2).filter(u8::is_ascii_hexdigit).count();
        if digits < 2 {
            return Err(invalid_escape(&text[at..].chars().take(3).collect::<String>()));
        }
    }
    Ok(())
}

fn invalid_escape(escape: &str) -> String {
    format!("invalid URL escape {}", go_quote(escape))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_is_no_url_is_refused_in_go_s_words() {
        for (url, reason) in [
            (":bad", "missing protocol scheme"),
            ("git@github.com:a/b", "first path segment in URL cannot contain colon"),
            ("http://[::1", "missing ']' in host"),
            ("http://h:x/", "invalid port \":x\" after host"),
            ("http://a b/", "invalid character \" \" in host name"),
            ("http://h%41/", "invalid URL escape \"%41\""),
            ("http://u[@h/", "net/url: invalid userinfo"),
            ("http://h/%zz", "invalid URL escape \"%zz\""),
            ("http://h/%4", "invalid URL escape \"%4\""),
        ] {
            assert_eq!(check(url), Err(format!("parse \"{url}\": {reason}")));
        }
        assert_eq!(check("http://h/#a%z"), Err("parse \"http://h/#a%z\": invalid URL escape \"%z\"".to_owned()));
    }

    #[test]
    fn what_go_takes_for_a_url_is_taken() {
        for url in [
            "https://h:8443/a b?%zz",
            "http://[::1]:80/",
            "//h/p",
            "",
            "/",
            "a:b",
            "h/a:b",
            "http://é/",
            "http://[fe80::1%25en0]/",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }
}
