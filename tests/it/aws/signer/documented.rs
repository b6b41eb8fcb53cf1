//! Our own KMS and `KmsSigner` say what AWS documents ("AWS Key Management Service API Reference": `GetPublicKey`,
//! `Sign`), and sign what RFC 8032 and RFC 6979 give as examples.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_aws::kms::KmsSigner;
use countersign_core::digest::Digest;
use countersign_core::ports::PortError;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_tests::world::aws::kms::{ED25519_KEY, Kms, P256_KEY};
use serde_json::{Value, json};

use super::open;

/// RFC 8032, 7.1, tests 2 and 3: seed, public key, message, signature.
const ED25519: [[&str; 4]; 2] = [
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
         18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
];

/// RFC 6979, A.2.5: the scalar, and the public key as x and y.
const SCALAR: &str = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
const POINT: &str = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                     7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";

/// The same, with SHA-256: message, r and s in DER (RFC 3279, 2.2.3).
const P256: [(&str, &str); 2] = [
    (
        "sample",
        "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
         022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ),
    (
        "test",
        "3045022100f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367\
         0220019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ),
];

/// What a SubjectPublicKeyInfo begins with: of Ed25519 (RFC 8410), and of an uncompressed point on P-256 (RFC 5480).
const ED25519_INFO: &str = "302a300506032b6570032100";
const P256_INFO: &str = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn seed(hex: &str) -> [u8; 32] {
    bytes(hex).try_into().expect("32 bytes")
}

async fn known() -> Kms {
    Kms::with_keys(&seed(ED25519[0][0]), &seed(SCALAR)).await.expect("a KMS")
}

/// What KMS answers to this, with the status.
async fn ask(kms: &Kms, operation: &str, asked: Value) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.post(&kms.url).header("x-amz-target", format!("TrentService.{operation}"));
    let request = request.header("content-type", "application/x-amz-json-1.1").body(asked.to_string());
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON"))
}

#[tokio::test]
async fn a_public_key_is_shown_as_documented() {
    let kms = known().await;
    for (key, spec, algorithms, der) in [
        (
            ED25519_KEY,
            "ECC_NIST_EDWARDS25519",
            json!(["ED25519_SHA_512", "ED25519_PH_SHA_512"]),
            format!("{ED25519_INFO}{}", ED25519[0][1]),
        ),
        (P256_KEY, "ECC_NIST_P256", json!(["ECDSA_SHA_256"]), format!("{P256_INFO}{POINT}")),
    ] {
        let shown = json!({
            "KeyId": key, "KeySpec": spec, "CustomerMasterKeySpec": spec, "KeyUsage": "SIGN_VERIFY",
            "SigningAlgorithms": algorithms, "PublicKey": STANDARD.encode(bytes(&der)),
        });
        assert_eq!(ask(&kms, "GetPublicKey", json!({ "KeyId": key })).await, (200, shown));
    }
}

#[tokio::test]
async fn a_signature_is_asked_for_and_given_as_documented() {
    let kms = known().await;
    let p256 = open(&kms, P256_KEY, Algorithm::EcdsaP256Sha256).await.expect("the key");
    p256.sign(b"sample").await.expect("signed");
    let ed25519 = open(&kms, ED25519_KEY, Algorithm::Ed25519).await.expect("the key");
    ed25519.sign(b"\x72").await.expect("signed");
    let digest = json!({
        "KeyId": P256_KEY, "Message": STANDARD.encode(Digest::of(b"sample").as_bytes()),
        "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256",
    });
    let raw = json!({
        "KeyId": ED25519_KEY, "Message": STANDARD.encode(b"\x72"),
        "MessageType": "RAW", "SigningAlgorithm": "ED25519_SHA_512",
    });
    let expected = [
        ("GetPublicKey", json!({ "KeyId": P256_KEY })),
        ("Sign", digest.clone()),
        ("GetPublicKey", json!({ "KeyId": ED25519_KEY })),
        ("Sign", raw),
    ];
    assert_eq!(kms.asked(), expected.map(|(operation, asked)| (operation.to_owned(), asked)));
    let signature = STANDARD.encode(bytes(P256[0].1));
    let signed = json!({ "KeyId": P256_KEY, "SigningAlgorithm": "ECDSA_SHA_256", "Signature": signature });
    assert_eq!(ask(&kms, "Sign", digest).await, (200, signed.clone()));
    // A message that is not hashed yet, as in the documented example, is hashed by KMS.
    let unhashed = json!({
        "KeyId": P256_KEY, "Message": STANDARD.encode("sample"), "SigningAlgorithm": "ECDSA_SHA_256",
    });
    assert_eq!(ask(&kms, "Sign", unhashed).await, (200, signed));
}

#[tokio::test]
async fn ed25519_signs_the_examples_of_rfc_8032() {
    for [secret, public, message, signature] in ED25519 {
        let kms = Kms::with_keys(&seed(secret), &seed(SCALAR)).await.expect("a KMS");
        let signer = open(&kms, ED25519_KEY, Algorithm::Ed25519).await.expect("the key");
        let der: String = signer.public_key().pem.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(STANDARD.decode(der).expect("base64"), bytes(&format!("{ED25519_INFO}{public}")));
        assert_eq!(signer.sign(&bytes(message)).await, Ok(bytes(signature)));
    }
}

#[tokio::test]
async fn ecdsa_signs_the_examples_of_rfc_6979() {
    let kms = known().await;
    let signer = open(&kms, P256_KEY, Algorithm::EcdsaP256Sha256).await.expect("the key");
    for (message, signature) in P256 {
        assert_eq!(signer.sign(message.as_bytes()).await, Ok(bytes(signature)), "{message}");
    }
}

async fn signer(kms: &Kms) -> Result<KmsSigner, PortError> {
    open(kms, ED25519_KEY, Algorithm::Ed25519).await
}

/// What a person can mend, as a key that was disabled by mistake, is tried again; what stays wrong is refused.
#[tokio::test]
async fn an_error_of_kms_says_whether_trying_again_can_help() {
    let kms = Kms::start().await.expect("a KMS");
    let open = signer(&kms).await.expect("the key");
    let names = |error: &PortError, code: &str| match error {
        PortError::Unavailable(why) | PortError::Refused(why) => {
            why.contains(&format!("{code}: the test says so")) && why.contains(ED25519_KEY)
        }
    };
    for (code, is_final) in [
        ("NotFoundException", true),
        ("InvalidKeyUsageException", true),
        ("DisabledException", false),
        ("KMSInvalidStateException", false),
        ("AccessDeniedException", false),
    ] {
        kms.refuse(code);
        let (status, body) = ask(&kms, "Sign", json!({})).await;
        assert_eq!((status, body["__type"].as_str()), (400, Some(code)));
        kms.refuse(code);
        let signed = open.sign(b"message").await.expect_err(code);
        kms.refuse(code);
        let opened = signer(&kms).await.expect_err(code);
        for error in [signed, opened] {
            assert_eq!(matches!(error, PortError::Refused(_)), is_final, "{error:?}");
            assert!(names(&error, code), "{error:?}");
        }
    }
    assert!(open.sign(b"message").await.is_ok(), "once it is mended, it signs");
}

#[tokio::test]
async fn a_fault_of_kms_itself_is_tried_again_at_once() {
    let kms = Kms::start().await.expect("a KMS");
    kms.refuse("KMSInternalException");
    assert_eq!(ask(&kms, "Sign", json!({})).await.0, 500);
    let signer = signer(&kms).await.expect("the key");
    kms.refuse("KeyUnavailableException");
    assert!(signer.sign(b"message").await.is_ok());
    let signs =
        kms.asked().into_iter().filter(|(operation, asked)| operation == "Sign" && *asked != json!({}));
    assert_eq!(signs.count(), 2);
}
