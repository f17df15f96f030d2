//! Formats of names: DNS labels and subdomains, qualified names, variables, results.

const QUALIFIED_NAME_MESSAGE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end \
     with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const SUBDOMAIN_MESSAGE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
     '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

/// Longest DNS label, and longest name of a Tekton object.
pub(crate) const DNS_LABEL_MAX: usize = 63;
const DNS_SUBDOMAIN_MAX: usize = 253;

fn is_label_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => alnum(first) && alnum(last) && bytes.iter().all(|&b| alnum(b) || b == b'-'),
        _ => false,
    }
}

pub(crate) fn is_dns_label(text: &str) -> bool {
    text.len() <= DNS_LABEL_MAX && is_label_text(text)
}

pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= DNS_SUBDOMAIN_MAX && text.split('.').all(is_label_text)
}

/// What is wrong with a qualified name, joined by commas; `None` when nothing is.
pub(crate) fn qualified_name_error(text: &str) -> Option<String> {
    let mut errors: Vec<String> = Vec::new();
    let name = match text.matches('/').count() {
        0 => text,
        1 => {
            let (prefix, name) = text.split_once('/').unwrap_or(("", text));
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_owned());
            } else {
                if prefix.len() > DNS_SUBDOMAIN_MAX {
                    errors.push(format!("prefix part must be no more than {DNS_SUBDOMAIN_MAX} bytes"));
                }
                if !prefix.split('.').all(is_label_text) {
                    errors.push(format!("prefix part {SUBDOMAIN_MESSAGE}"));
                }
            }
            name
        }
        _ => {
            return Some(format!(
                "a valid label key {QUALIFIED_NAME_MESSAGE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            ));
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > DNS_LABEL_MAX {
        errors.push(format!("name part must be no more than {DNS_LABEL_MAX} bytes"));
    }
    if !is_result_name(name) {
        errors.push(format!("name part {QUALIFIED_NAME_MESSAGE}"));
    }
    if errors.is_empty() { None } else { Some(errors.join(",")) }
}

/// `^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$`, the format of results and of the name part of qualified names.
pub(crate) fn is_result_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => {
            first.is_ascii_alphanumeric()
                && last.is_ascii_alphanumeric()
                && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        }
        _ => false,
    }
}

/// The format of string and array parameters: `^[_a-zA-Z][_a-zA-Z0-9.-]*$`.
pub(crate) fn is_variable_name(text: &str) -> bool {
    is_name_of(text, |b| matches!(b, b'-' | b'_' | b'.'))
}

/// The format of object parameters and their keys: no dots.
pub(crate) fn is_object_name(text: &str) -> bool {
    is_name_of(text, |b| matches!(b, b'-' | b'_'))
}

fn is_name_of(text: &str, extra: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|&b| b == b'_' || b.is_ascii_alphabetic())
        && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || extra(b))
}

/// Whether a name holds something like `scheme:/`.
pub(crate) fn is_url_like(name: &str) -> bool {
    name.match_indices(":/").any(|(at, _)| {
        name.as_bytes()[..at].last().is_some_and(|&b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_subdomains() {
        assert!(is_dns_label("a-1") && !is_dns_label("-a") && !is_dns_label("A") && !is_dns_label(""));
        assert!(is_dns_subdomain("a.b-c.d") && !is_dns_subdomain("a..b") && !is_dns_subdomain(""));
    }

    #[test]
    fn qualified_names_say_what_is_wrong() {
        assert_eq!(qualified_name_error("My.name"), None);
        assert_eq!(qualified_name_error("a.b/c"), None);
        assert!(qualified_name_error("$(params.x)").is_some_and(|e| e.starts_with("name part must consist of")));
    }

    #[test]
    fn url_like_names_have_a_scheme() {
        assert!(is_url_like("https://x") && is_url_like("pkg:/x") && !is_url_like("://x") && !is_url_like("a/b"));
    }
}
