use ssh_key::{EcdsaCurve, private::KeypairData};

use super::*;

fn key(algorithm: Algorithm) -> (String, String) {
    let key = PrivateKey::random(&mut rand_core::OsRng, algorithm).unwrap();
    (key.to_openssh(LineEnding::LF).unwrap().to_string(), key.public_key().to_openssh().unwrap())
}

fn refusal(result: Result<String, Refused>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn what_is_signed_verifies_and_names_the_key() {
    let curve = |curve| Algorithm::Ecdsa { curve };
    for algorithm in [
        Algorithm::Ed25519,
        curve(EcdsaCurve::NistP256),
        curve(EcdsaCurve::NistP384),
        curve(EcdsaCurve::NistP521),
    ] {
        let (private, public) = key(algorithm);
        let signature = sign(&private, "countersign", b"message").unwrap();
        assert_eq!(verify("countersign", b"message", &signature).unwrap(), fingerprint(&public).unwrap());
        assert!(refusal(verify("countersign", b"massage", &signature)).contains("does not verify"));
    }
}

#[test]
fn another_namespace_is_refused_by_name() {
    let (private, _) = key(Algorithm::Ed25519);
    let signature = sign(&private, "git", b"message").unwrap();
    let reason = refusal(verify("countersign", b"message", &signature));
    assert!(reason.contains("\"git\"") && reason.contains("-n countersign"), "{reason}");
}

#[test]
fn what_rides_along_is_refused() {
    let (private, _) = key(Algorithm::Ed25519);
    let good = sign(&private, "n", b"m").unwrap();
    let cases = [
        (format!("{good}x"), "more after the end"),
        (format!("x{good}"), "not an SSH signature"),
        (format!("x\n{good}"), "first line must be"),
        (format!("{good}{good}"), "more than one signature block"),
        (good.replace("-----END SSH SIGNATURE-----", ""), "cut off"),
        (good.replacen("U1NIU0lH", "!!!!!!!!", 1), "not base64"),
        (good.replacen("U1NIU0lH", "U1NIU0lI", 1), "does not begin with SSHSIG"),
        (String::new(), "not an SSH signature"),
        (format!("{good}{}", "\n".repeat(20_000)), "at most"),
    ];
    for (armored, wanted) in cases {
        let reason = refusal(verify("n", b"m", &armored));
        assert!(reason.contains(wanted), "{wanted}: {reason}");
    }
    let mut bytes = wire::unarmor(&good).unwrap();
    bytes.extend([0, 0, 0]);
    assert!(refusal(verify("n", b"m", &wire::armor(&bytes))).contains("3 bytes follow"));
    assert!(verify("n", b"m", &good.replace('\n', "\r\n")).is_ok());
}

#[test]
fn every_cut_and_every_changed_byte_is_refused() {
    let (private, _) = key(Algorithm::Ed25519);
    let bytes = wire::unarmor(&sign(&private, "n", b"m").unwrap()).unwrap();
    for length in 0..bytes.len() {
        assert!(verify("n", b"m", &wire::armor(&bytes[..length])).is_err(), "{length} bytes");
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(verify("n", b"m", &wire::armor(&changed)).is_err(), "byte {at}");
    }
}

#[test]
fn other_versions_and_hashes_are_refused() {
    let (private, _) = key(Algorithm::Ed25519);
    let bytes = wire::unarmor(&sign(&private, "n", b"m").unwrap()).unwrap();
    let mut version = bytes.clone();
    version[9] = 0;
    assert!(refusal(verify("n", b"m", &wire::armor(&version))).contains("only version 1"));
    let at = bytes.windows(6).position(|window| window == b"sha512").unwrap();
    let mut hash = bytes.clone();
    hash[at..at + 6].copy_from_slice(b"sha384");
    assert!(refusal(verify("n", b"m", &wire::armor(&hash))).contains("\"sha384\" is not taken"));
}

#[test]
fn a_security_key_must_have_been_touched() {
    // A security key's signature is over hashes that only its hardware makes; the flags are read before it.
    let (private, _) = key(Algorithm::Ed25519);
    let ed25519 = PrivateKey::from_openssh(&private).unwrap();
    let KeypairData::Ed25519(pair) = ed25519.key_data() else { panic!("an Ed25519 key") };
    let public = KeyData::SkEd25519(ssh_key::public::SkEd25519::new(pair.public, "ssh:".to_owned()));
    for (flags, wanted) in [(0, "not touched"), (1, "does not verify")] {
        let mut data = vec![7; 64];
        data.extend([flags, 0, 0, 0, 1]);
        let signature = ssh_key::Signature::new(Algorithm::SkEd25519, data).unwrap();
        let sig = SshSig::new(public.clone(), "n", HashAlg::Sha512, signature).unwrap();
        let reason = refusal(verify("n", b"m", &sig.to_pem(LineEnding::LF).unwrap()));
        assert!(reason.contains(wanted), "{reason}");
    }
}

#[test]
fn keys_that_do_not_sign_here_say_what_to_do() {
    assert!(sign("", "n", b"m").unwrap_err().to_string().contains("ssh-keygen"));
    let (_, public) = key(Algorithm::Ed25519);
    assert!(matches!(sign(&public, "n", b"m"), Err(SignError::NotAKey(_))));
}

#[test]
fn a_public_key_is_one_line() {
    let (_, public) = key(Algorithm::Ed25519);
    assert!(fingerprint(&format!("{public}\n")).unwrap().starts_with("SHA256:"));
    assert!(refusal(fingerprint(&format!("{public}\n{public}"))).contains("own"));
    assert!(refusal(fingerprint("ssh-ed25519 AAAA")).contains(".pub"));
}
