//! Signed commits and tags that others made, with RSA, ECDSA and Ed25519 keys.

use std::fs;
use std::path::PathBuf;

use countersign_provenance::sshsig;

const KEYS: [&str; 5] = ["rsa", "ecdsa_p256", "ecdsa_p384", "ecdsa_p521", "ed25519"];

/// The folder of the corpus; `None`, with one line, where it is not there and need not be.
fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    let corpora = std::env::var_os("COUNTERSIGN_CORPORA").map_or(beside, PathBuf::from);
    let folder = corpora.join("git-signatures/ssh_signatures");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").is_err(), "no corpora: set COUNTERSIGN_CORPORA to their folder");
    println!("git-signatures: no corpora here; set COUNTERSIGN_CORPORA to run these tests");
    None
}

/// A raw commit parted into the bytes that are signed and the signature.
fn split_commit(raw: &str) -> (String, String) {
    let (mut payload, mut signature, mut inside) = (String::new(), String::new(), false);
    let headers = raw.find("\n\n").unwrap();
    for line in raw[..=headers].split_inclusive('\n') {
        match (line.strip_prefix("gpgsig "), line.strip_prefix(' ')) {
            (Some(first), _) => {
                inside = true;
                signature.push_str(first);
            }
            (None, Some(more)) if inside => signature.push_str(more),
            _ => {
                inside = false;
                payload.push_str(line);
            }
        }
    }
    payload.push_str(&raw[headers + 1..]);
    (payload, signature)
}

#[test]
fn signed_commits_verify_with_the_expected_key() {
    let Some(folder) = folder() else { return };
    let read = |name: String| fs::read_to_string(folder.join(name)).unwrap();
    for key in KEYS {
        let wanted = read(format!("key_{key}.pub_fingerprint"));
        assert_eq!(sshsig::fingerprint(&read(format!("key_{key}.pub"))).unwrap(), wanted.trim(), "{key}");
        let (payload, signature) = split_commit(&read(format!("commit_{key}_signed.txt")));
        assert_eq!(sshsig::verify("git", payload.as_bytes(), &signature).unwrap(), wanted.trim(), "{key}");
        let changed = payload.replacen("Test User", "Tent User", 1);
        assert!(sshsig::verify("git", changed.as_bytes(), &signature).is_err(), "{key}");
        assert!(sshsig::verify("file", payload.as_bytes(), &signature).is_err(), "{key}");
    }
}

#[test]
fn signed_tags_verify_with_the_expected_key() {
    let Some(folder) = folder() else { return };
    let read = |name: String| fs::read_to_string(folder.join(name)).unwrap();
    for key in KEYS {
        let tag = read(format!("tag_{key}_signed.txt"));
        let (payload, signature) = tag.split_at(tag.find("-----BEGIN").unwrap());
        let wanted = read(format!("key_{key}.pub_fingerprint"));
        assert_eq!(sshsig::verify("git", payload.as_bytes(), signature).unwrap(), wanted.trim(), "{key}");
    }
}

#[test]
fn unsigned_commits_and_openpgp_are_no_ssh_signatures() {
    let Some(folder) = folder() else { return };
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let (_, signature) = split_commit(&read("commit_unsigned.txt"));
    assert!(sshsig::verify("git", b"", &signature).unwrap_err().to_string().contains("not an SSH signature"));
    let (payload, signature) = split_commit(&read("../gpg_signatures/commit_ed25519_signed.txt"));
    assert!(signature.starts_with("-----BEGIN PGP"), "{signature}");
    assert!(sshsig::verify("git", payload.as_bytes(), &signature).is_err());
}
