//! Keys and signatures that OpenSSL made (`testdata`), and our own signatures against the keys they belong to.

use super::*;

const MESSAGE: &[u8] = b"the message";

macro_rules! testdata {
    ($name:literal) => {
        include_bytes!(concat!("../testdata/", $name))
    };
}

/// Public key, hash and signature over [`MESSAGE`].
const SIGNED: [(&str, &[u8], Hash, &str); 6] = [
    (
        "p256",
        testdata!("p256.pub"),
        Hash::Sha256,
        "MEQCIAnLBO45bHXp3OcB3Ygho+0bAfZbv/JH2qXzaSiOB32zAiAGdHJfCiksvwO71syX4pVdUSLzCcOFd3FPTYHlXj7wkg==",
    ),
    (
        "p384",
        testdata!("p384.pub"),
        Hash::Sha256,
        "MGYCMQCtWpZJPB/dowD8bqtykvqZfjsoL6HdV7bSkDB6vK58aCJX3e+xLsHwSrWxECKho0UCMQDw4eYA+N5KS8YrQLqpscvRSQF0ubEXI8Sw70TA0re9o9bCALA0up1L7IPSIsj8FEc=",
    ),
    (
        "p521",
        testdata!("p521.pub"),
        Hash::Sha256,
        "MIGIAkIB7QQEaRisaCHEBopxYiFR9JrSArdZRZQzzUh2XzQ++qUHfBkIQMu2vjKDQ9ZCQPEFN0be7iQQSJTWSPGi5xNfo/YCQgF9DrWtnu512TjUa1iREyQVgmiPhab0dQYdLt5PkR05X+KgSF9qLqbyDmH1gL7sUkOcsSC640w0aPmpj5x/eG8N7g==",
    ),
    (
        "rsa",
        testdata!("rsa.pub"),
        Hash::Sha512,
        "dhUb4Q/sozti7HKy9NkZXzoX3nvpbeGb41PcZBhXwB+JjJBQQsUbRfFOXCJ/S3dOy5X0tv+GRElHRMP+AtuvKVqC8DRPupGcT+zasZNsNXsmeybN6OTGkZDrFn79NANE7xMTpfYKRoBzSjkxURk/JYgeJRJ+AXFaf2sGJRyFmM841mfYBQgL33cQ0BZwh1r8JyizJMVfACFZXfsDBOgeKsIX8pwAQ5mSYUdXX+7JFTPFveXMlg6vHZ69NDIPSP+RC7op4jCshUCvryeYzHVgxYHh+z3ltIa3CtjjG1N1hq9Ce2EGphsyVRDKW9Jc3Hf1RBFIBZ3TslX/UeRkRTwFdA==",
    ),
    (
        "rsa in pkcs 1",
        testdata!("rsa-pkcs1.pub"),
        Hash::Sha512,
        "dhUb4Q/sozti7HKy9NkZXzoX3nvpbeGb41PcZBhXwB+JjJBQQsUbRfFOXCJ/S3dOy5X0tv+GRElHRMP+AtuvKVqC8DRPupGcT+zasZNsNXsmeybN6OTGkZDrFn79NANE7xMTpfYKRoBzSjkxURk/JYgeJRJ+AXFaf2sGJRyFmM841mfYBQgL33cQ0BZwh1r8JyizJMVfACFZXfsDBOgeKsIX8pwAQ5mSYUdXX+7JFTPFveXMlg6vHZ69NDIPSP+RC7op4jCshUCvryeYzHVgxYHh+z3ltIa3CtjjG1N1hq9Ce2EGphsyVRDKW9Jc3Hf1RBFIBZ3TslX/UeRkRTwFdA==",
    ),
    (
        "ed25519",
        testdata!("ed25519.pub"),
        Hash::Sha256,
        "jZwT1wspfKgdTxKqMFmF0kUizXV7Pnrl0z7ugFmnLZtNrqxuJXzUb+b8ODfb8izyWdsOKzdDYA+42aM8K14rAQ==",
    ),
];

#[test]
fn signatures_of_every_kind_of_key_are_verified() {
    for (name, key, hash, signature) in SIGNED {
        let key = PublicKey::from_pem(key, hash).expect(name);
        let signature = crate::refs::decode_base64(signature).expect(name);
        assert!(key.verify(hash, MESSAGE, &signature), "{name}");
        assert!(!key.verify(hash, b"another message", &signature), "{name}: another message");
        assert!(!key.verify(hash, MESSAGE, &signature[1..]), "{name}: a broken signature");
        assert!(!key.verify(hash, MESSAGE, b""), "{name}: no signature");
    }
}

#[test]
fn what_is_signed_here_is_verified_here() {
    let pairs: [(&str, &[u8], &[u8]); 3] = [
        ("p256", testdata!("p256.key"), testdata!("p256.pub")),
        ("p521", testdata!("p521-sec1.key"), testdata!("p521.pub")),
        ("ed25519", testdata!("ed25519.key"), testdata!("ed25519.pub")),
    ];
    for (name, private, public) in pairs {
        let private = SigningKey::from_pem(private).expect(name);
        let public = PublicKey::from_pem(public, Hash::Sha256).expect(name);
        let signature = private.sign(MESSAGE);
        assert_eq!(signature, private.sign(MESSAGE), "{name}: the same signature each time");
        assert!(public.verify(Hash::Sha256, MESSAGE, &signature), "{name}");
    }
}

#[test]
fn keys_that_cannot_be_used_are_refused_in_upstreams_words() {
    let refused = |text: &[u8], hash| PublicKey::from_pem(text, hash).expect_err("refused").to_string();
    assert_eq!(refused(b"no key", Hash::Sha256), "key cannot be decoded: PEM decoding failed");
    assert_eq!(
        refused(testdata!("p256.key"), Hash::Sha256),
        "key cannot be decoded: unknown Public key PEM file type: PRIVATE KEY. Are you passing the correct public key?"
    );
    assert_eq!(
        refused(testdata!("rsa.pub"), Hash::Sha224),
        "verifier cannot to be loaded: invalid hash function specified"
    );
}

#[test]
fn keys_that_cannot_sign_are_named() {
    let refused = |text: &[u8]| SigningKey::from_pem(text).expect_err("refused").to_string();
    assert!(refused(testdata!("rsa.key")).contains("ECDSA and Ed25519 can"));
    let encrypted = b"-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED COSIGN PRIVATE KEY-----\n";
    assert!(refused(encrypted).contains("decrypt it first"));
}
