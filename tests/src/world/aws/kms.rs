//! A KMS of our own, of the two calls that a signer makes, by the rules that AWS documents for them: a message has
//! 1 to 4,096 bytes, a digest those of its algorithm, and Ed25519 takes no digest.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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

/// The ARN of the key for checkpoints of the next epoch.
pub const NEXT_ED25519_KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/log-2";
/// The ARN of the key for authorizations of the next epoch.
pub const NEXT_P256_KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/authorization-2";

/// The ARN of a key for cosignatures.
pub const WITNESS_KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/witness";

/// What is wrong with KMS itself, which alone is a 500.
const FAULTS: [&str; 3] = ["DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException"];

/// A running KMS with five keys. It ends with the runtime that it was started in.
#[derive(Debug)]
pub struct Kms {
    /// Where it listens.
    pub url: String,
    told: Arc<Told>,
}

/// What a test tells it, and what it was asked.
#[derive(Debug, Default)]
struct Told {
    lies: AtomicBool,
    refusals: Mutex<Vec<&'static str>>,
    asked: Mutex<Vec<(String, Value)>>,
}

struct Keys {
    ed25519: BTreeMap<&'static str, ed25519_dalek::SigningKey>,
    p256: BTreeMap<&'static str, p256::ecdsa::SigningKey>,
    told: Arc<Told>,
}

type Refusal = (&'static str, &'static str);

impl Kms {
    /// Starts it on a free port, with keys that nobody knows.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> Result<Self> {
        Self::serve(ed25519(), p256()).await
    }

    /// The same with known keys for checkpoints and for authorizations: an Ed25519 seed (RFC 8032) and a P-256 scalar.
    ///
    /// # Errors
    /// When there is no free port, or the scalar is none.
    pub async fn with_keys(log: &[u8; 32], authorization: &[u8; 32]) -> Result<Self> {
        let scalar = p256::ecdsa::SigningKey::from_slice(authorization).context("no scalar of P-256")?;
        Self::serve(ed25519_dalek::SigningKey::from_bytes(log), scalar).await
    }

    async fn serve(log: ed25519_dalek::SigningKey, p256: p256::ecdsa::SigningKey) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port")?;
        let url = format!("http://{}", listener.local_addr()?);
        let told = Arc::<Told>::default();
        let keys = Keys {
            ed25519: [(ED25519_KEY, log), (NEXT_ED25519_KEY, ed25519()), (WITNESS_KEY, ed25519())].into(),
            p256: [(P256_KEY, p256), (NEXT_P256_KEY, self::p256())].into(),
            told: Arc::clone(&told),
        };
        let router = Router::new().route("/", post(answer)).with_state(Arc::new(keys));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, told })
    }

    /// From now on signatures are of another message.
    pub fn lie(&self) {
        self.told.lies.store(true, Ordering::SeqCst);
    }

    /// The next call is refused with this error.
    pub fn refuse(&self, error: &'static str) {
        self.told.refusals.lock().unwrap_or_else(PoisonError::into_inner).push(error);
    }

    /// The operations that were asked for so far, with what they were asked.
    #[must_use]
    pub fn asked(&self) -> Vec<(String, Value)> {
        self.told.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn ed25519() -> ed25519_dalek::SigningKey {
    let mut seed = [0; 32];
    OsRng.fill_bytes(&mut seed);
    ed25519_dalek::SigningKey::from_bytes(&seed)
}

fn p256() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::random(&mut OsRng)
}

async fn answer(State(keys): State<Arc<Keys>>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let asked: Value = serde_json::from_str(&body).unwrap_or_default();
    keys.told
        .asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push((target.trim_start_matches("TrentService.").to_owned(), asked.clone()));
    let refusal = keys.told.refusals.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let answered = match (refusal, target) {
        (Some(error), _) => Err((error, "the test says so")),
        (None, "TrentService.GetPublicKey") => keys.public_key(&asked),
        (None, "TrentService.Sign") => keys.sign(&asked),
        (None, _) => Err(("UnknownOperationException", "not a call of a signer")),
    };
    match answered {
        Ok(answer) => (StatusCode::OK, answer.to_string()),
        Err((kind, message)) => {
            let is_fault = FAULTS.contains(&kind);
            let status = if is_fault { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
            (status, json!({ "__type": kind, "message": message }).to_string())
        }
    }
}

impl Keys {
    fn public_key(&self, asked: &Value) -> Result<Value, Refusal> {
        let key = asked["KeyId"].as_str().unwrap_or_default();
        let (der, spec, algorithms) = match (self.ed25519.get(key), self.p256.get(key)) {
            (Some(own), _) => {
                let algorithms = json!(["ED25519_SHA_512", "ED25519_PH_SHA_512"]);
                (own.verifying_key().to_public_key_der(), "ECC_NIST_EDWARDS25519", algorithms)
            }
            (None, Some(own)) => {
                (own.verifying_key().to_public_key_der(), "ECC_NIST_P256", json!(["ECDSA_SHA_256"]))
            }
            (None, None) => return Err(("NotFoundException", "no such key")),
        };
        let der = der.map_err(|_| ("KMSInternalException", "the key cannot be shown"))?;
        Ok(json!({
            "KeyId": key, "KeySpec": spec, "CustomerMasterKeySpec": spec, "KeyUsage": "SIGN_VERIFY",
            "SigningAlgorithms": algorithms, "PublicKey": STANDARD.encode(der.as_bytes()),
        }))
    }

    fn sign(&self, asked: &Value) -> Result<Value, Refusal> {
        let text = |name: &str| asked[name].as_str().unwrap_or_default();
        let message = STANDARD.decode(text("Message")).map_err(|_| ("ValidationException", "not base64"))?;
        if message.is_empty() || message.len() > 4096 {
            return Err(("ValidationException", "a message has 1 to 4096 bytes"));
        }
        let mut message = message;
        if self.told.lies.load(Ordering::SeqCst) {
            message[0] ^= 1;
        }
        let key = text("KeyId");
        // A message that says nothing of itself is not hashed yet.
        let kind = asked["MessageType"].as_str().unwrap_or("RAW");
        let signature = match (self.ed25519.get(key), self.p256.get(key), text("SigningAlgorithm"), kind) {
            (Some(own), _, "ED25519_SHA_512", "RAW") => own.sign(&message).to_vec(),
            (None, Some(own), "ECDSA_SHA_256", "DIGEST") if message.len() == 32 => {
                let signed: Result<p256::ecdsa::DerSignature, _> = own.sign_prehash(&message);
                signed.map_err(|_| ("KMSInternalException", "cannot sign"))?.as_bytes().to_vec()
            }
            (None, Some(own), "ECDSA_SHA_256", "RAW") => {
                let signed: p256::ecdsa::DerSignature = own.sign(&message);
                signed.as_bytes().to_vec()
            }
            (None, Some(_), "ECDSA_SHA_256", "DIGEST") => {
                return Err(("ValidationException", "a digest of SHA-256 has 32 bytes"));
            }
            (None, None, ..) => return Err(("NotFoundException", "no such key")),
            _ => return Err(("InvalidKeyUsageException", "this key does not sign so")),
        };
        Ok(json!({
            "KeyId": text("KeyId"), "SigningAlgorithm": text("SigningAlgorithm"),
            "Signature": STANDARD.encode(signature),
        }))
    }
}
