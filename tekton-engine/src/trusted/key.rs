//! Keys and signatures: ECDSA over the NIST curves, RSA (PKCS #1 v1.5) and Ed25519.

use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p256::pkcs8::der::Decode;
use p256::pkcs8::spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};
use p256::pkcs8::{DecodePrivateKey, PrivateKeyInfoRef};
use ring::signature::{self as rings, UnparsedPublicKey, VerificationAlgorithm};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// The hash that a key signs with; Ed25519 has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hash {
    /// SHA-224, for ECDSA alone.
    Sha224,
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha224 => Sha224::digest(message).to_vec(),
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// It is not a key that is known here.
    #[error("key cannot be decoded: {0}")]
    Decode(String),
    /// It cannot be used with the hash.
    #[error("verifier cannot to be loaded: {0}")]
    Load(String),
}

/// A public key.
#[derive(Debug, Clone)]
pub struct PublicKey(Public);

#[derive(Debug, Clone)]
enum Public {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    /// `RSAPublicKey` of PKCS #1, in DER.
    Rsa(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// Reads a key from PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`) that shall verify with `hash`.
    ///
    /// Errors: the text is no PEM, no key of a known kind, or a key that does not go with the hash.
    pub fn from_pem(text: &[u8], hash: Hash) -> Result<Self, KeyFault> {
        let decode = |text: &str| KeyFault::Decode(text.to_owned());
        let (label, der) = pem(text).ok_or_else(|| decode("PEM decoding failed"))?;
        let key = match label.as_str() {
            "PUBLIC KEY" => Self::from_spki(&der).map_err(|text| decode(&text))?,
            "RSA PUBLIC KEY" => Self(Public::Rsa(der)),
            other => {
                return Err(decode(&format!(
                    "unknown Public key PEM file type: {other}. Are you passing the correct public key?"
                )));
            }
        };
        match (&key.0, hash) {
            (Public::Rsa(_), Hash::Sha224) => Err(KeyFault::Load("invalid hash function specified".to_owned())),
            _ => Ok(key),
        }
    }

    fn from_spki(der: &[u8]) -> Result<Self, String> {
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|error| error.to_string())?;
        let bytes = info.subject_public_key.raw_bytes();
        let curve = info.algorithm.parameters_oid().ok();
        let point = |error: p256::ecdsa::Error| error.to_string();
        Ok(Self(match (info.algorithm.oid, curve) {
            (EC, Some(P256)) => Public::P256(p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map_err(point)?),
            (EC, Some(P384)) => Public::P384(p384::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map_err(point)?),
            (EC, Some(P521)) => Public::P521(p521::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map_err(point)?),
            (RSA, _) => Public::Rsa(bytes.to_vec()),
            (ED25519, _) => Public::Ed25519(bytes.to_vec()),
            (EC, _) => return Err("x509: unsupported elliptic curve".to_owned()),
            (other, _) => return Err(format!("x509: unknown public key algorithm {other}")),
        }))
    }

    /// Whether this key made the signature over the message.
    pub fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        /// ECDSA signatures come as ASN.1, or as two numbers side by side.
        macro_rules! ecdsa {
            ($key:expr, $curve:ident, $size:literal) => {{
                use $curve::ecdsa::Signature;
                let parsed = Signature::from_der(signature).or_else(|_| Signature::from_slice(signature));
                parsed.is_ok_and(|parsed| $key.verify_prehash(&padded(hash.of(message), $size), &parsed).is_ok())
            }};
        }
        let ring = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
        };
        match &self.0 {
            Public::P256(key) => ecdsa!(key, p256, 32),
            Public::P384(key) => ecdsa!(key, p384, 48),
            Public::P521(key) => ecdsa!(key, p521, 66),
            Public::Ed25519(key) => ring(&rings::ED25519, key),
            Public::Rsa(key) => match hash {
                Hash::Sha224 => false,
                Hash::Sha256 => ring(&rings::RSA_PKCS1_2048_8192_SHA256, key),
                Hash::Sha384 => ring(&rings::RSA_PKCS1_2048_8192_SHA384, key),
                Hash::Sha512 => ring(&rings::RSA_PKCS1_2048_8192_SHA512, key),
            },
        }
    }
}

/// A hash that is shorter than the numbers of a curve counts as one with zeros before it.
fn padded(hash: Vec<u8>, size: usize) -> Vec<u8> {
    if hash.len() >= size {
        return hash;
    }
    let mut padded = vec![0; size - hash.len()];
    padded.extend(hash);
    padded
}

/// A private key. Its signatures are a function of key and message: no chance is involved.
pub struct SigningKey(Private);

enum Private {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Ed25519(Box<rings::Ed25519KeyPair>),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl SigningKey {
    /// Reads an unencrypted key from PEM: ECDSA (`PRIVATE KEY` or `EC PRIVATE KEY`) or Ed25519 (`PRIVATE KEY`).
    ///
    /// Errors: the text is no PEM or holds no such key.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyFault> {
        let fault = |text: &str| KeyFault::Decode(text.to_owned());
        let (label, der) = pem(text).ok_or_else(|| fault("PEM decoding failed"))?;
        match label.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(&der).map_err(|text| fault(&text)),
            "EC PRIVATE KEY" => Self::from_sec1(&der).ok_or_else(|| fault("this is no key of P-256, P-384 or P-521")),
            label if label.contains("ENCRYPTED") => {
                Err(fault(&format!("the key is an {label}: decrypt it first, for example with `openssl pkey`")))
            }
            other => Err(fault(&format!("a PEM of type {other:?} is no private key that can sign here"))),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, String> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|error| error.to_string())?;
        let text = |error: p256::pkcs8::Error| error.to_string();
        Ok(Self(match (info.algorithm.oid, info.algorithm.parameters_oid().ok()) {
            (EC, Some(P256)) => Private::P256(p256::ecdsa::SigningKey::from_pkcs8_der(der).map_err(text)?),
            (EC, Some(P384)) => Private::P384(p384::ecdsa::SigningKey::from_pkcs8_der(der).map_err(text)?),
            (EC, Some(P521)) => Private::P521(p521::ecdsa::SigningKey::from_pkcs8_der(der).map_err(text)?),
            (ED25519, _) => {
                let pair = rings::Ed25519KeyPair::from_pkcs8_maybe_unchecked(der);
                Private::Ed25519(Box::new(pair.map_err(|error| error.to_string())?))
            }
            (other, _) => return Err(format!("keys of algorithm {other} cannot sign here, ECDSA and Ed25519 can")),
        }))
    }

    fn from_sec1(der: &[u8]) -> Option<Self> {
        if let Ok(key) = p256::SecretKey::from_sec1_der(der) {
            return Some(Self(Private::P256(key.into())));
        }
        if let Ok(key) = p384::SecretKey::from_sec1_der(der) {
            return Some(Self(Private::P384(key.into())));
        }
        p521::SecretKey::from_sec1_der(der).ok().map(|key| Self(Private::P521(key.into())))
    }

    /// The signature over the message with SHA-256, in ASN.1 for ECDSA.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        macro_rules! ecdsa {
            ($key:expr, $curve:ident, $size:literal) => {{
                let hash = padded(Hash::Sha256.of(message), $size);
                let signature: $curve::ecdsa::Signature =
                    $key.sign_prehash(&hash).expect("a hash as long as the curve's numbers can be signed");
                signature.to_der().as_bytes().to_vec()
            }};
        }
        match &self.0 {
            Private::P256(key) => ecdsa!(key, p256, 32),
            Private::P384(key) => ecdsa!(key, p384, 48),
            Private::P521(key) => ecdsa!(key, p521, 66),
            Private::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// Label and content of the first PEM block. As lenient as Go: line lengths do not matter.
fn pem(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = std::str::from_utf8(text).ok()?;
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.split_whitespace().collect();
    Some((label.to_owned(), crate::refs::decode_base64(&body).ok()?))
}

#[cfg(test)]
mod tests;
