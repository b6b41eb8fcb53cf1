//! OpenSSH's own tool as the oracle, where it is installed: what it signs is read, what is signed here it reads.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_provenance::sshsig;

/// Runs `ssh-keygen` in `folder` with `input`; whether it succeeded.
fn ssh_keygen(folder: &Path, arguments: &[&str], input: &[u8]) -> bool {
    let mut child = Command::new("ssh-keygen")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait().unwrap().success()
}

/// A temporary folder with a fresh key named `key`; `None`, with one line, without `ssh-keygen`.
fn with_key(kind: &str, more: &[&str]) -> Option<tempfile::TempDir> {
    if Command::new("ssh-keygen").arg("-?").stderr(Stdio::null()).status().is_err() {
        assert!(std::env::var("CI").is_err(), "ssh-keygen is not installed");
        println!("ssh-keygen is not installed: these tests had no oracle");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["-q", "-t", kind, "-N", "", "-f", "key"], more].concat();
    assert!(ssh_keygen(folder.path(), &arguments, b""));
    Some(folder)
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn what_ssh_keygen_signs_verifies() {
    for (kind, more) in [("ed25519", &[][..]), ("ecdsa", &["-b", "521"]), ("rsa", &["-b", "2048"])] {
        for hash in ["sha256", "sha512"] {
            let Some(folder) = with_key(kind, more) else { return };
            fs::write(folder.path().join("message"), "a message\n").unwrap();
            let option = format!("hashalg={hash}");
            let arguments = ["-Y", "sign", "-q", "-O", &option, "-f", "key", "-n", "countersign", "message"];
            assert!(ssh_keygen(folder.path(), &arguments, b""));
            let signature = read(folder.path(), "message.sig");
            let wanted = sshsig::fingerprint(&read(folder.path(), "key.pub")).unwrap();
            assert_eq!(
                sshsig::verify("countersign", b"a message\n", &signature).unwrap(),
                wanted,
                "{kind} {hash}"
            );
            assert!(sshsig::verify("countersign", b"a message", &signature).is_err());
        }
    }
}

#[test]
fn what_is_signed_here_ssh_keygen_verifies() {
    for kind in ["ed25519", "ecdsa"] {
        let Some(folder) = with_key(kind, &[]) else { return };
        let signature = sshsig::sign(&read(folder.path(), "key"), "countersign", b"a message").unwrap();
        fs::write(folder.path().join("sig"), signature).unwrap();
        fs::write(folder.path().join("allowed"), format!("ann {}", read(folder.path(), "key.pub"))).unwrap();
        let arguments = ["-Y", "verify", "-f", "allowed", "-I", "ann", "-n", "countersign", "-s", "sig"];
        assert!(ssh_keygen(folder.path(), &arguments, b"a message"), "{kind}");
        assert!(!ssh_keygen(folder.path(), &arguments, b"a massage"), "{kind}");
    }
}

#[test]
fn keys_that_do_not_sign_here_say_what_to_do() {
    let Some(folder) = with_key("rsa", &["-b", "2048"]) else { return };
    let error = sshsig::sign(&read(folder.path(), "key"), "n", b"m").unwrap_err().to_string();
    assert!(error.contains("ssh-keygen -Y sign"), "{error}");
    let locked: PathBuf = folder.path().join("locked");
    let arguments = ["-q", "-t", "ed25519", "-N", "a passphrase", "-f", "locked"];
    assert!(ssh_keygen(folder.path(), &arguments, b""));
    let error = sshsig::sign(&fs::read_to_string(locked).unwrap(), "n", b"m").unwrap_err().to_string();
    assert!(error.contains("passphrase"), "{error}");
}

#[test]
fn weak_rsa_keys_are_refused() {
    let Some(folder) = with_key("rsa", &["-b", "1024"]) else { return };
    fs::write(folder.path().join("message"), "m").unwrap();
    assert!(ssh_keygen(folder.path(), &["-Y", "sign", "-q", "-f", "key", "-n", "n", "message"], b""));
    let reason = sshsig::verify("n", b"m", &read(folder.path(), "message.sig")).unwrap_err().to_string();
    assert!(reason.contains("1024 bits"), "{reason}");
}
