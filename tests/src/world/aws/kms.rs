//! A KMS of our own, of the two calls that a signer makes, by the rules that AWS documents for them: a message has
//! 1 to 4,096 bytes, a digest those of its algorithm, and Ed25519 takes no digest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::pkcs8::EncodePublicKey as _;
use rand_core::{OsRng, RngCore as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The ARN of a key for checkpoints.
pub const ED25519_KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/log";
/// The ARN of a key for authorizations.
pub const P256_KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/authorization";

/// The ARN of a key for cosignatures.
pub const WITNESS_KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/witness";

/// A running KMS with three keys. It ends with the runtime that it was started in.
#[derive(Debug)]
pub struct Kms {
    /// Where it listens.
    pub url: String,
    lies: Arc<AtomicBool>,
}

struct Keys {
    log: ed25519_dalek::SigningKey,
    witness: ed25519_dalek::SigningKey,
    p256: p256::ecdsa::SigningKey,
    lies: Arc<AtomicBool>,
}

type Refusal = (&'static str, &'static str);

impl Kms {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port")?;
        let url = format!("http://{}", listener.local_addr()?);
        let ed25519 = || {
            let mut seed = [0; 32];
            OsRng.fill_bytes(&mut seed);
            ed25519_dalek::SigningKey::from_bytes(&seed)
        };
        let lies = Arc::new(AtomicBool::new(false));
        let keys = Keys {
            log: ed25519(),
            witness: ed25519(),
            p256: p256::ecdsa::SigningKey::random(&mut OsRng),
            lies: Arc::clone(&lies),
        };
        let router = Router::new().route("/", post(answer)).with_state(Arc::new(keys));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, lies })
    }

    /// From now on signatures are of another message.
    pub fn lie(&self) {
        self.lies.store(true, Ordering::SeqCst);
    }
}

async fn answer(State(keys): State<Arc<Keys>>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let asked: Value = serde_json::from_str(&body).unwrap_or_default();
    let answered = match target {
        "TrentService.GetPublicKey" => keys.public_key(&asked),
        "TrentService.Sign" => keys.sign(&asked),
        _ => Err(("UnknownOperationException", "not a call of a signer")),
    };
    match answered {
        Ok(answer) => (StatusCode::OK, answer.to_string()),
        Err((kind, message)) => {
            (StatusCode::BAD_REQUEST, json!({ "__type": kind, "message": message }).to_string())
        }
    }
}

impl Keys {
    fn ed25519(&self, key: &str) -> Option<&ed25519_dalek::SigningKey> {
        match key {
            ED25519_KEY => Some(&self.log),
            WITNESS_KEY => Some(&self.witness),
            _ => None,
        }
    }

    fn public_key(&self, asked: &Value) -> Result<Value, Refusal> {
        let key = asked["KeyId"].as_str().unwrap_or_default();
        let (der, spec, algorithm) = match (key, self.ed25519(key)) {
            (_, Some(own)) => {
                (own.verifying_key().to_public_key_der(), "ECC_NIST_EDWARDS25519", "ED25519_SHA_512")
            }
            (P256_KEY, None) => {
                (self.p256.verifying_key().to_public_key_der(), "ECC_NIST_P256", "ECDSA_SHA_256")
            }
            _ => return Err(("NotFoundException", "no such key")),
        };
        let der = der.map_err(|_| ("KMSInternalException", "the key cannot be shown"))?;
        Ok(json!({
            "KeyId": key, "KeySpec": spec, "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": [algorithm],
            "PublicKey": STANDARD.encode(der.as_bytes()),
        }))
    }

    fn sign(&self, asked: &Value) -> Result<Value, Refusal> {
        let text = |name: &str| asked[name].as_str().unwrap_or_default();
        let message = STANDARD.decode(text("Message")).map_err(|_| ("ValidationException", "not base64"))?;
        if message.is_empty() || message.len() > 4096 {
            return Err(("ValidationException", "a message has 1 to 4096 bytes"));
        }
        let mut message = message;
        if self.lies.load(Ordering::SeqCst) {
            message[0] ^= 1;
        }
        let key = text("KeyId");
        let signature = match (self.ed25519(key), text("SigningAlgorithm"), text("MessageType")) {
            (Some(own), "ED25519_SHA_512", "RAW") => own.sign(&message).to_vec(),
            (None, "ECDSA_SHA_256", "DIGEST") if key == P256_KEY && message.len() == 32 => {
                let signed: Result<p256::ecdsa::DerSignature, _> = self.p256.sign_prehash(&message);
                signed.map_err(|_| ("KMSInternalException", "cannot sign"))?.as_bytes().to_vec()
            }
            (None, "ECDSA_SHA_256", "DIGEST") if key == P256_KEY => {
                return Err(("ValidationException", "a digest of SHA-256 has 32 bytes"));
            }
            (None, ..) if key != P256_KEY => return Err(("NotFoundException", "no such key")),
            _ => return Err(("InvalidKeyUsageException", "this key does not sign so")),
        };
        Ok(json!({
            "KeyId": text("KeyId"), "SigningAlgorithm": text("SigningAlgorithm"),
            "Signature": STANDARD.encode(signature),
        }))
    }
}
