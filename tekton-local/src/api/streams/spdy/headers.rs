//! Header blocks of SPDY/3.1: names and values, compressed over the whole connection with a dictionary that both sides know.

use std::collections::BTreeMap;

use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateError, InflateFlush};

/// The most that the headers of one stream may take.
const MOST: usize = 64 * 1024;
/// The window of compression, as a power of two.
const WINDOW: u8 = 15;

/// The words of the dictionary, each of which stands in it after its length; `_` stands for a blank.
const WORDS: &[&str] = &[
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age",
    "allow authorization cache-control connection content-base content-encoding content-language content-length",
    "content-location content-md5 content-range content-type date etag expect expires from host if-match",
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma",
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade",
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie",
    "keep-alive origin",
];
/// What follows the words in the dictionary.
const TAIL: &str = concat!(
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Author",
    "itative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 No",
    "t Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Au",
    "g Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,",
    "image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,def",
    "late,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.",
);

fn dictionary() -> Vec<u8> {
    let mut all = Vec::new();
    for word in WORDS.iter().flat_map(|line| line.split(' ')) {
        put(&mut all, word.replace('_', " ").as_bytes());
    }
    all.extend_from_slice(TAIL.as_bytes());
    all
}

/// Appends a length and so many bytes.
fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    to.extend_from_slice(bytes);
}

/// The names and values of a stream.
pub(super) type Headers = BTreeMap<String, String>;

/// What reads the header blocks of a connection, one after the other.
pub(super) struct Decoder(Inflate);

impl Decoder {
    pub(super) fn new() -> Self {
        Self(Inflate::new(true, WINDOW))
    }

    /// Reads a block; names are in lower case. `None` when it is none, or too long.
    pub(super) fn decode(&mut self, mut block: &[u8]) -> Option<Headers> {
        let (mut plain, mut chunk) = (Vec::new(), vec![0; 4096]);
        loop {
            let (input, output) = (self.0.total_in(), self.0.total_out());
            let result = self.0.decompress(block, &mut chunk, InflateFlush::SyncFlush);
            let taken = usize::try_from(self.0.total_in() - input).ok()?;
            let given = usize::try_from(self.0.total_out() - output).ok()?;
            block = &block[taken..];
            plain.extend_from_slice(&chunk[..given]);
            match result {
                Err(InflateError::NeedDict { .. }) => {
                    self.0.set_dictionary(&dictionary()).ok()?;
                }
                Err(_) => return None,
                Ok(_) if block.is_empty() && given < chunk.len() => break,
                Ok(_) if (taken, given) == (0, 0) || plain.len() > MOST => return None,
                Ok(_) => {}
            }
        }
        read(&plain)
    }
}

/// The headers of a block that is no longer compressed.
fn read(mut block: &[u8]) -> Option<Headers> {
    let number = |block: &mut &[u8]| {
        let (number, rest) = block.split_first_chunk::<4>()?;
        *block = rest;
        usize::try_from(u32::from_be_bytes(*number)).ok()
    };
    let text = |block: &mut &[u8]| {
        let length = number(block)?;
        let (text, rest) = block.split_at_checked(length)?;
        *block = rest;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    let count = number(&mut block)?;
    let mut headers = Headers::new();
    for _ in 0..count {
        let name = text(&mut block)?.to_ascii_lowercase();
        headers.insert(name, text(&mut block)?);
    }
    Some(headers)
}

/// What writes the header blocks of a connection, one after the other.
pub(super) struct Encoder(Deflate);

impl Encoder {
    /// `None` when the library refuses the dictionary.
    pub(super) fn new() -> Option<Self> {
        let mut deflate = Deflate::new(1, true, WINDOW);
        deflate.set_dictionary(&dictionary()).ok()?;
        Some(Self(deflate))
    }

    /// Writes a block. `None` when the library fails.
    pub(super) fn encode(&mut self, headers: &Headers) -> Option<Vec<u8>> {
        let mut plain = u32::try_from(headers.len()).ok()?.to_be_bytes().to_vec();
        for (name, value) in headers {
            put(&mut plain, name.as_bytes());
            put(&mut plain, value.as_bytes());
        }
        // Never longer than this: what does not compress is stored as it is, with a few bytes around it.
        let mut block = vec![0; plain.len() * 2 + 64];
        let before = self.0.total_out();
        self.0.compress(&plain, &mut block, DeflateFlush::SyncFlush).ok()?;
        block.truncate(usize::try_from(self.0.total_out() - before).ok()?);
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_is_the_one_of_the_specification() {
        let dictionary = dictionary();
        assert_eq!(dictionary.len(), 1423);
        // A block that a client of SPDY/3.1 wrote: the identifier of the dictionary is its Adler-32 checksum.
        let sum = dictionary.iter().fold((1u32, 0u32), |(a, b), byte| {
            let a = (a + u32::from(*byte)) % 65521;
            (a, (a + b) % 65521)
        });
        assert_eq!(sum.1 << 16 | sum.0, 0xe3c6_a7c2);
    }

    #[test]
    fn headers_come_back_as_they_went_one_block_after_the_other() {
        let (mut encoder, mut decoder) = (Encoder::new().expect("a dictionary"), Decoder::new());
        for port in ["80", "8080", "80"] {
            let headers = Headers::from([("streamtype", "data"), ("port", port)].map(|(n, v)| (n.into(), v.into())));
            let block = encoder.encode(&headers).expect("it compresses");
            assert_eq!(decoder.decode(&block), Some(headers));
        }
        assert_eq!(decoder.decode(&[1, 2, 3]), None);
    }

    #[test]
    fn headers_without_an_end_are_refused() {
        let headers = Headers::from([("a".to_owned(), "b".repeat(1 << 20))]);
        let block = Encoder::new().expect("a dictionary").encode(&headers).expect("it compresses");
        assert_eq!(Decoder::new().decode(&block), None);
    }
}
