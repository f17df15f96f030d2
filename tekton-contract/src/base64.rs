//! Standard base64 as Go's `encoding/base64` reads and writes it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Whether text ends in `=` signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Text is padded to a multiple of four characters.
    Required,
    /// Text has no padding.
    None,
}

/// Where base64 text stops being base64; prints as Go does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorruptInput(
    /// Offset of the first character that does not fit, in bytes.
    pub usize,
);

impl std::fmt::Display for CorruptInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "illegal base64 data at input byte {}", self.0)
    }
}

impl std::error::Error for CorruptInput {}

/// Encodes bytes.
///
/// ```
/// use tekton_contract::base64::{decode, encode, Padding};
/// assert_eq!(encode(b"hi", Padding::Required), "aGk=");
/// assert_eq!(encode(b"hi", Padding::None), "aGk");
/// assert_eq!(decode(b"aG\nk=", Padding::Required).unwrap(), b"hi");
/// ```
pub fn encode(bytes: &[u8], padding: Padding) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().enumerate().fold(0_u32, |group, (i, byte)| group | (u32::from(*byte) << (16 - 8 * i)));
        for digit in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(group >> (18 - 6 * digit)) as usize & 63]));
        }
        if padding == Padding::Required {
            text.extend(std::iter::repeat_n('=', 3 - chunk.len()));
        }
    }
    text
}

/// Decodes text. CR and LF are ignored anywhere; bits beyond the last byte may be anything.
pub fn decode(text: &[u8], padding: Padding) -> Result<Vec<u8>, CorruptInput> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut at = 0;
    // Skips line ends; the offset of the next character, or None at the end.
    let skip = |mut at: usize| {
        while at < text.len() && matches!(text[at], b'\r' | b'\n') {
            at += 1;
        }
        at
    };
    loop {
        let mut group = 0_u32;
        let mut digits = 0;
        while digits < 4 {
            at = skip(at);
            let Some(&byte) = text.get(at) else {
                if digits == 0 {
                    return Ok(bytes);
                }
                if digits == 1 || padding == Padding::Required {
                    return Err(CorruptInput(at - digits));
                }
                push_group(&mut bytes, group, digits);
                return Ok(bytes);
            };
            at += 1;
            if let Some(value) = digit(byte) {
                group |= value << (18 - 6 * digits);
                digits += 1;
                continue;
            }
            if byte != b'=' || padding == Padding::None || digits < 2 {
                return Err(CorruptInput(at - 1));
            }
            if digits == 2 {
                at = skip(at);
                match text.get(at) {
                    None => return Err(CorruptInput(text.len())),
                    Some(b'=') => at += 1,
                    Some(_) => return Err(CorruptInput(at - 1)),
                }
            }
            at = skip(at);
            if at < text.len() {
                return Err(CorruptInput(at));
            }
            push_group(&mut bytes, group, digits);
            return Ok(bytes);
        }
        push_group(&mut bytes, group, 4);
    }
}

fn push_group(bytes: &mut Vec<u8>, group: u32, digits: usize) {
    let [_, a, b, c] = group.to_be_bytes();
    bytes.extend_from_slice(&[a, b, c][..digits - 1]);
}

fn digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn padding_must_be_complete_and_last() {
        for (text, offset) in [("aGk", 0), ("aG=k", 2), ("a", 0), ("aGk=x", 4), ("aG=", 3), ("a Gk", 1)] {
            assert_eq!(decode(text.as_bytes(), Padding::Required), Err(CorruptInput(offset)), "{text}");
        }
        assert_eq!(decode(b"aGk", Padding::None).unwrap(), b"hi");
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(bytes: Vec<u8>) {
            for padding in [Padding::Required, Padding::None] {
                prop_assert_eq!(&decode(encode(&bytes, padding).as_bytes(), padding).unwrap(), &bytes);
            }
        }
    }
}
