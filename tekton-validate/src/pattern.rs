//! Whether a regular expression is one that Go's RE2 takes, and what is wrong with it in Go's words.

/// Errors: the text that `regexp.Compile` prints.
pub fn check(pattern: &str) -> Result<(), String> {
    let fail = |what: &str, part: &str| Err(format!("error parsing regexp: {what}: `{part}`"));
    let mut at = 0;
    let mut depth = 0_usize;
    // Where the last thing that may be repeated begins, and whether it is a repetition already.
    let mut operand: Option<(usize, bool)> = None;
    while let Some(c) = pattern[at..].chars().next() {
        let start = at;
        at += c.len_utf8();
        match c {
            '(' => {
                depth += 1;
                operand = None;
                if pattern[at..].starts_with('?') {
                    at = group(pattern, start)?;
                }
            }
            ')' => {
                if depth == 0 {
                    return fail("unexpected )", pattern);
                }
                depth -= 1;
                operand = Some((start, false));
            }
            '|' => operand = None,
            '[' => {
                at = class(pattern, start)?;
                operand = Some((start, false));
            }
            '\\' => {
                at = escape(pattern, start)?;
                operand = Some((start, false));
            }
            '*' | '+' | '?' | '{' => {
                let end = if c == '{' {
                    match counted(&pattern[start..]) {
                        Some(Ok(length)) => start + length,
                        Some(Err(length)) => return fail("invalid repeat count", &pattern[start..start + length]),
                        None => {
                            operand = Some((start, false));
                            continue;
                        }
                    }
                } else {
                    at
                };
                let end = if pattern[end..].starts_with('?') { end + 1 } else { end };
                match operand {
                    None => return fail("missing argument to repetition operator", &pattern[start..end]),
                    Some((first, true)) => return fail("invalid nested repetition operator", &pattern[first..end]),
                    Some((_, false)) => operand = Some((start, true)),
                }
                at = end;
            }
            _ => operand = Some((start, false)),
        }
    }
    if depth > 0 { fail("missing closing )", pattern) } else { Ok(()) }
}

/// After `(?`: flags, or a name.
fn group(pattern: &str, start: usize) -> Result<usize, String> {
    let fail = |what: &str, part: &str| Err(format!("error parsing regexp: {what}: `{part}`"));
    let rest = &pattern[start + 2..];
    let name = rest.strip_prefix("P<").map(|n| (n, 2)).or_else(|| rest.strip_prefix('<').map(|n| (n, 1)));
    if let Some((name, prefix)) = name {
        let Some(end) = name.find('>') else { return fail("invalid named capture", &pattern[start..]) };
        let good = end > 0 && name[..end].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !good {
            return fail("invalid named capture", &pattern[start..=start + 2 + prefix + end]);
        }
        return Ok(start + 2 + prefix + end + 1);
    }
    let flags = rest.bytes().take_while(|b| b"imsU-".contains(b)).count();
    match rest[flags..].chars().next() {
        // A group that only sets flags ends at once; the caller sees its `)`.
        Some(':') => Ok(start + 2 + flags + 1),
        Some(')') => Ok(start + 2 + flags),
        Some(c) => fail("invalid or unsupported Perl syntax", &pattern[start..start + 2 + flags + c.len_utf8()]),
        None => fail("missing argument to repetition operator", "?"),
    }
}

/// A bracketed class; returns its end.
fn class(pattern: &str, start: usize) -> Result<usize, String> {
    let mut at = start + 1;
    if pattern[at..].starts_with('^') {
        at += 1;
    }
    let mut first = true;
    loop {
        let rest = &pattern[at..];
        let Some(c) = rest.chars().next() else {
            return Err(format!("error parsing regexp: missing closing ]: `{}`", &pattern[start..]));
        };
        if c == ']' && !first {
            return Ok(at + 1);
        }
        first = false;
        if rest.starts_with("[:")
            && let Some(end) = rest.find(":]")
        {
            at += end + 2;
            continue;
        }
        let low = at;
        at = if c == '\\' { escape(pattern, at)? } else { at + c.len_utf8() };
        let rest = &pattern[at..];
        if let Some(high) = rest.strip_prefix('-').and_then(|r| r.chars().next()).filter(|h| *h != ']') {
            let end = if high == '\\' { escape(pattern, at + 1)? } else { at + 1 + high.len_utf8() };
            if c != '\\' && high != '\\' && high < c {
                return Err(format!("error parsing regexp: invalid character class range: `{}`", &pattern[low..end]));
            }
            at = end;
        }
    }
}

/// A backslash and what it escapes; returns its end.
fn escape(pattern: &str, start: usize) -> Result<usize, String> {
    let Some(c) = pattern[start + 1..].chars().next() else {
        return Err("error parsing regexp: trailing backslash at end of expression: ``".to_owned());
    };
    let end = start + 1 + c.len_utf8();
    if c.is_ascii_punctuation() || "aAbBCdDfnrsStvwWzxpPQE01234567".contains(c) {
        let braced = matches!(c, 'x' | 'p' | 'P') && pattern[end..].starts_with('{');
        return Ok(match pattern[end..].find('}') {
            Some(close) if braced => end + close + 1,
            _ => end,
        });
    }
    Err(format!("error parsing regexp: invalid escape sequence: `{}`", &pattern[start..end]))
}

/// `{n}`, `{n,}`, `{n,m}`: its length, as an error when the numbers are bad; `None` when it is plain text.
fn counted(text: &str) -> Option<Result<usize, usize>> {
    let end = text.find('}')?;
    let inner = &text[1..end];
    let (low, high) = inner.split_once(',').map_or((inner, None), |(l, h)| (l, Some(h)));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(low) || high.is_some_and(|h| !h.is_empty() && !digits(h)) {
        return None;
    }
    let number = |s: &str| s.parse::<u32>().unwrap_or(u32::MAX);
    let most = high.filter(|h| !h.is_empty()).map_or(number(low), number);
    Some(if number(low) > 1000 || most > 1000 || most < number(low) { Err(end + 1) } else { Ok(end + 1) })
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_go_takes_is_fine() {
        for pattern in ["", ".*", "^https://github.com/.*$", "[a-z]{2,3}?(?P<n>x|y)\\.", "(?i:a)|[^]]", "a{,2}"] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn what_go_refuses_is_told_in_its_words() {
        for (pattern, text) in [
            ("^[", "missing closing ]: `[`"),
            ("*a", "missing argument to repetition operator: `*`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("(a", "missing closing ): `(a`"),
            ("a)", "unexpected ): `a)`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("\\y", "invalid escape sequence: `\\y`"),
        ] {
            assert_eq!(check(pattern), Err(format!("error parsing regexp: {text}")), "{pattern}");
        }
    }
}
