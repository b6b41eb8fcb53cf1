use countersign_core::digest::to_hex;
use proptest::prelude::*;

use super::*;

const SECRET: &[u8] = b"It's a Secret to Everybody";
const BODY: &[u8] = b"Hello, World!";
/// The example that GitHub's documentation gives for the two above.
const HEX: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

fn check(kind: HostKind, headers: &[(&str, &str)]) -> Result<(), SignatureError> {
    check_with(kind, SECRET, headers, BODY)
}

fn check_with(
    kind: HostKind,
    secret: &[u8],
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<(), SignatureError> {
    verify(kind, secret, &headers.iter().copied().collect(), body)
}

fn prefixed_hex() -> String {
    format!("sha256={HEX}")
}

#[test]
fn github_signs_with_sha256() {
    let good = prefixed_hex();
    fn header(value: &str) -> [(&str, &str); 1] {
        [("x-hub-signature-256", value)]
    }
    assert_eq!(check(HostKind::Github, &header(&good)), Ok(()));
    assert_eq!(check(HostKind::Github, &header(&good.to_uppercase().replace("SHA256", "sha256"))), Ok(()));
    assert_eq!(check(HostKind::Github, &[]), Err(SignatureError::Missing));
    assert_eq!(check(HostKind::Github, &header(HEX)), Err(SignatureError::OtherAlgorithm));
    assert_eq!(
        check(HostKind::Github, &[("X-Hub-Signature", "sha1=00")]),
        Err(SignatureError::OtherAlgorithm)
    );
    for wrong in [&good[..70], "sha256=", "sha256=zz", &format!("{good}00")] {
        assert_eq!(check(HostKind::Github, &header(wrong)), Err(SignatureError::Wrong), "{wrong}");
    }
    let headers = header(&good);
    assert_eq!(check_with(HostKind::Github, SECRET, &headers, b"Hello, World?"), Err(SignatureError::Wrong));
    assert_eq!(check_with(HostKind::Github, b"other", &headers, BODY), Err(SignatureError::Wrong));
}

#[test]
fn an_empty_secret_proves_nothing() {
    let empty = mac(b"", &[BODY]).unwrap().finalize().into_bytes();
    let hex = to_hex(&empty);
    for kind in [HostKind::Github, HostKind::Gitea, HostKind::Gitlab, HostKind::Plain] {
        let headers = [
            ("X-Hub-Signature-256", format!("sha256={hex}")),
            ("X-Gitea-Signature", hex.clone()),
            ("X-Gitlab-Token", String::new()),
            (plain::SIGNATURE_HEADER, format!("sha256={hex}")),
        ];
        let headers = headers.into_iter().collect();
        assert_eq!(verify(kind, b"", &headers, BODY), Err(SignatureError::NoSecret));
    }
}

#[test]
fn gitea_and_forgejo_sign_in_bare_digits() {
    for header in ["X-Gitea-Signature", "X-Forgejo-Signature"] {
        assert_eq!(check(HostKind::Gitea, &[(header, HEX)]), Ok(()));
        assert_eq!(check(HostKind::Gitea, &[(header, &HEX.replace('7', "8"))]), Err(SignatureError::Wrong));
    }
    let good = prefixed_hex();
    assert_eq!(check(HostKind::Gitea, &[("X-Hub-Signature-256", &good)]), Ok(()));
    assert_eq!(check(HostKind::Gitea, &[("X-Gitea-Signature", "")]), Err(SignatureError::Missing));
    let both = [("X-Gitea-Signature", "00"), ("X-Hub-Signature-256", good.as_str())];
    assert_eq!(check(HostKind::Gitea, &both), Err(SignatureError::Wrong));
}

#[test]
fn gitlab_sends_a_token() {
    let token = std::str::from_utf8(SECRET).unwrap();
    assert_eq!(check(HostKind::Gitlab, &[("X-Gitlab-Token", token)]), Ok(()));
    for wrong in ["", "it", &token[1..], &format!("{token} ")] {
        let expected = if wrong.is_empty() { SignatureError::Missing } else { SignatureError::Wrong };
        assert_eq!(check(HostKind::Gitlab, &[("X-Gitlab-Token", wrong)]), Err(expected));
    }
}

#[test]
fn gitlab_may_sign_per_standard_webhooks() {
    // Base64 of "a secret of some 24 bytes".
    let secret = b"whsec_YSBzZWNyZXQgb2Ygc29tZSAyNCBieXRlcw==";
    let signed = mac(b"a secret of some 24 bytes", &[b"msg_1.1614265330.", BODY]).unwrap();
    let good = format!("v1a,AAAA v1,{}", STANDARD.encode(signed.finalize().into_bytes()));
    let with = |signature: &str, more: &[(&str, &str)]| {
        let mut headers = vec![
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", signature),
        ];
        headers.extend(more);
        check_with(HostKind::Gitlab, secret, &headers, BODY)
    };
    assert_eq!(with(&good, &[]), Ok(()));
    assert_eq!(with(&good, &[("X-Gitlab-Token", "a token of its own")]), Ok(()));
    assert_eq!(with("v1,AAAA", &[]), Err(SignatureError::Wrong));
    assert_eq!(with("v1,not base64!", &[]), Err(SignatureError::Wrong));
    assert_eq!(with("v1a,AAAA", &[]), Err(SignatureError::OtherAlgorithm));
    assert_eq!(with("v1,AAAA", &[("X-Gitlab-Token", "other")]), Err(SignatureError::Wrong));
    let without_time = [("webhook-id", "msg_1"), ("webhook-signature", good.as_str())];
    assert_eq!(check_with(HostKind::Gitlab, secret, &without_time, BODY), Err(SignatureError::Missing));
}

#[test]
fn the_hook_signs_what_is_verified() {
    assert_eq!(plain::sign(SECRET, BODY), Some(prefixed_hex()));
    assert_eq!(plain::sign(b"", BODY), None);
    assert_eq!(check(HostKind::Plain, &[(plain::SIGNATURE_HEADER, &prefixed_hex())]), Ok(()));
    assert_eq!(check(HostKind::Plain, &[]), Err(SignatureError::Missing));
}

proptest! {
    #[test]
    fn no_other_body_has_the_signature(secret in "[ -~]{1,80}", body: Vec<u8>, other: Vec<u8>) {
        let signature = plain::sign(secret.as_bytes(), &body).unwrap();
        let headers = [(plain::SIGNATURE_HEADER, signature.as_str())];
        let check = |body: &[u8]| check_with(HostKind::Plain, secret.as_bytes(), &headers, body);
        prop_assert_eq!(check(&body), Ok(()));
        prop_assert_eq!(check(&other).is_ok(), body == other);
    }

    #[test]
    fn arbitrary_headers_never_verify_and_never_panic(value: String) {
        for kind in [HostKind::Github, HostKind::Gitea, HostKind::Gitlab, HostKind::Plain] {
            let names = ["X-Hub-Signature-256", "X-Gitea-Signature", "X-Gitlab-Token", "webhook-id",
                "webhook-timestamp", "webhook-signature", plain::SIGNATURE_HEADER];
            let headers = names.into_iter().map(|name| (name, value.as_str())).collect();
            prop_assert!(verify(kind, SECRET, &headers, BODY).is_err());
        }
    }
}
