use std::fs::Permissions;
use std::path::PathBuf;

use rand_core::OsRng;
use tempfile::{TempDir, tempdir};

use super::*;

fn written(content: &[u8], mode: u32) -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let path = dir.path().join("key.pem");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    (dir, path)
}

fn refusal(content: &[u8], algorithm: Algorithm) -> String {
    let (_dir, path) = written(content, 0o600);
    let why = KeyFile::load(&path, algorithm).unwrap_err().to_string();
    assert!(why.contains("key.pem"), "{why}");
    why
}

fn pem(algorithm: Algorithm) -> String {
    let dir = tempdir().unwrap();
    let path = dir.path().join("key.pem");
    KeyFile::generate(&path, algorithm, &mut OsRng).unwrap();
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_key_that_was_made_is_read_again() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256] {
        let dir = tempdir().unwrap();
        let path = dir.path().join("key.pem");
        let made = KeyFile::generate(&path, algorithm, &mut OsRng).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = KeyFile::load(&path, algorithm).unwrap();
        assert_eq!(made.public_key(), read.public_key());
        assert_eq!(made.public_key().algorithm, algorithm);
        assert!(!format!("{made:?}").contains("PRIVATE"));
    }
}

#[test]
fn a_key_that_openssl_made_is_read() {
    let (_dir, path) = written(
        b"-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIEfXWW+qqamjL36E4/k+IRL38W04vedMH0I9cYlSg497
-----END PRIVATE KEY-----
",
        0o600,
    );
    let key = KeyFile::load(&path, Algorithm::Ed25519).unwrap();
    let expected = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAnSY8N6gHAjFVqEbtkLrs5m8rOgwn3HnPWTdRZox9ONU=
-----END PUBLIC KEY-----
";
    assert_eq!(key.public_key().pem, expected);
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let (_dir, path) = written(b"mine", 0o600);
    let why = KeyFile::generate(&path, Algorithm::Ed25519, &mut OsRng).unwrap_err().to_string();
    assert!(why.contains("exists already"), "{why}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn a_file_that_others_may_read_or_write_is_refused() {
    let key = pem(Algorithm::Ed25519);
    for mode in [0o640, 0o604, 0o620, 0o601] {
        let (_dir, path) = written(key.as_bytes(), mode);
        let why = KeyFile::load(&path, Algorithm::Ed25519).unwrap_err().to_string();
        assert!(why.contains(&format!("mode {mode:04o}")) && why.contains("chmod 600"), "{why}");
    }
    let (_dir, path) = written(key.as_bytes(), 0o400);
    KeyFile::load(&path, Algorithm::Ed25519).unwrap();
}

#[test]
fn a_key_of_another_algorithm_is_refused() {
    let why = refusal(pem(Algorithm::Ed25519).as_bytes(), Algorithm::EcdsaP256Sha256);
    assert!(why.contains("holds a key for Ed25519, and one for ECDSA on P-256 is needed"), "{why}");
    let why = refusal(pem(Algorithm::EcdsaP256Sha256).as_bytes(), Algorithm::Ed25519);
    assert!(why.contains("holds a key for ECDSA on P-256, and one for Ed25519 is needed"), "{why}");
    // P-384, made for this test; it signs nothing.
    let p384 = "-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDoyDuPhcGJwrEIFjnF
F0sKUidI59FlVrPOZoKNcQCGlMwKvjwh72ke4UBPRZEb2MKhZANiAAQM3NspL2oN
Efo7F9KFjxdtVBG8qndCL5umKpltnhMYhoE9vcj1Sm75FOPMx12v9svxRU43vF37
juhbr7sd/+gpH31D70WdzRlgK/AZS6RAJM7kHV9olv9LPjkthLpf3nM=
-----END PRIVATE KEY-----
";
    let why = refusal(p384.as_bytes(), Algorithm::EcdsaP256Sha256);
    assert!(why.contains("is needed"), "{why}");
}

#[test]
fn what_is_no_key_is_refused() {
    let good = pem(Algorithm::Ed25519);
    let cases: [(&[u8], &str); 7] = [
        (b"", "is no PEM"),
        (b"hello", "is no PEM"),
        (b"\xff\xfe", "is not text"),
        (&[b'a'; 20_000], "is larger than"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is not PKCS#8"),
        (b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "openssl pkcs8 -topk8"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "holds a `PUBLIC KEY`"),
    ];
    for (content, expected) in cases {
        let why = refusal(content, Algorithm::Ed25519);
        assert!(why.contains(expected), "{why}");
    }
    let cut = good.replacen("MC4CAQ", "MC4CAg", 1);
    assert_ne!(cut, good);
    refusal(cut.as_bytes(), Algorithm::Ed25519);
}

#[test]
fn a_missing_file_and_a_missing_folder_are_told() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("none").join("key.pem");
    let why = KeyFile::load(&path, Algorithm::Ed25519).unwrap_err().to_string();
    assert!(why.contains("key.pem") && why.contains("No such file"), "{why}");
    assert!(KeyFile::generate(&path, Algorithm::Ed25519, &mut OsRng).is_err());
}
