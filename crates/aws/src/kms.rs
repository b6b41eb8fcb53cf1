//! The [`Signer`] on KMS: the private key never leaves it, and no signature is used that was not verified here.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyUsageType, MessageType, SigningAlgorithmSpec};
use countersign_core::digest::Digest;
use countersign_core::ports::PortError;
use countersign_core::ports::signer::{Algorithm, PublicKey, Signer};
use ed25519_dalek::pkcs8::DecodePublicKey as _;
use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};

use crate::failure::Failure;

/// The most bytes that KMS signs as they are (`MessageType` `RAW`); at least one is needed.
const MAX_RAW: usize = 4096;

/// What no later try can mend.
const REFUSALS: [&str; 5] = [
    "InvalidArnException",
    "InvalidKeyUsageException",
    "NotFoundException",
    "UnsupportedOperationException",
    "ValidationException",
];

/// One key in KMS. Its public half was read when it was opened, and stays what it was then.
#[derive(Clone, Debug)]
pub struct KmsSigner {
    client: Client,
    key: String,
    public: PublicKey,
    verifier: Verifier,
}

/// The public half, as signatures are verified with it.
#[derive(Clone, Debug)]
enum Verifier {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
}

impl KmsSigner {
    /// Opens the key of this ARN, which must be one for this algorithm, and pins its public half.
    ///
    /// # Errors
    /// When KMS does not show the key, or it is one for something else.
    pub async fn open(config: &SdkConfig, key: &str, algorithm: Algorithm) -> Result<Self, PortError> {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(5))
            .operation_timeout(Duration::from_secs(20))
            .build();
        let config = aws_sdk_kms::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(4))
            .timeout_config(timeouts)
            .build();
        let client = Client::from_conf(config);
        let what = format!("kms: public key of {key}");
        let shown = client.get_public_key().key_id(key).send().await;
        let shown = shown.map_err(|error| Failure::new(&what, &error).refused_if(&REFUSALS))?;
        if shown.key_usage() != Some(&KeyUsageType::SignVerify) {
            return Err(PortError::Refused(format!("{what}: this key is not for signing")));
        }
        let wanted = spec(algorithm);
        if !shown.signing_algorithms().contains(&wanted) {
            let why = format!("{what}: this key does not sign with {}", wanted.as_str());
            return Err(PortError::Refused(why));
        }
        let der = shown.public_key().map(Blob::as_ref).unwrap_or_default();
        let (verifier, pem) = Verifier::read(der, algorithm)
            .map_err(|why| PortError::Refused(format!("{what}: it cannot be used: {why}")))?;
        Ok(Self { client, key: key.to_owned(), public: PublicKey { algorithm, pem }, verifier })
    }
}

impl Signer for KmsSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs 1 to 4,096 bytes with Ed25519, and any number with ECDSA.
    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PortError> {
        let what = format!("kms: sign with {}", self.key);
        let algorithm = self.public.algorithm;
        let request = self.client.sign().key_id(&self.key).signing_algorithm(spec(algorithm));
        let request = match algorithm {
            Algorithm::EcdsaP256Sha256 => {
                let digest = Digest::of(message).as_bytes().to_vec();
                request.message_type(MessageType::Digest).message(Blob::new(digest))
            }
            Algorithm::Ed25519 if message.is_empty() || message.len() > MAX_RAW => {
                let length = message.len();
                return Err(PortError::Refused(format!(
                    "{what}: KMS signs 1 to {MAX_RAW} bytes with Ed25519, these are {length}"
                )));
            }
            Algorithm::Ed25519 => request.message_type(MessageType::Raw).message(Blob::new(message)),
        };
        let signed = request.send().await;
        let signed = signed.map_err(|error| Failure::new(&what, &error).refused_if(&REFUSALS))?;
        let signature = signed.signature.map(Blob::into_inner).unwrap_or_default();
        if self.verifier.verifies(message, &signature) {
            Ok(signature)
        } else {
            Err(PortError::Unavailable(format!(
                "{what}: the signature is not one of this message by the key that was pinned: it was thrown away"
            )))
        }
    }
}

impl Verifier {
    fn read(der: &[u8], algorithm: Algorithm) -> Result<(Self, String), String> {
        match algorithm {
            Algorithm::Ed25519 => {
                let key = ed25519_dalek::VerifyingKey::from_public_key_der(der).map_err(|e| e.to_string())?;
                let pem = key.to_public_key_pem(LineEnding::LF).map_err(|error| error.to_string())?;
                Ok((Self::Ed25519(key), pem))
            }
            Algorithm::EcdsaP256Sha256 => {
                let key = p256::ecdsa::VerifyingKey::from_public_key_der(der).map_err(|e| e.to_string())?;
                let pem = key.to_public_key_pem(LineEnding::LF).map_err(|error| error.to_string())?;
                Ok((Self::P256(key), pem))
            }
        }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_slice(signature);
                signature.is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
            }
            Self::P256(key) => {
                let signature = p256::ecdsa::DerSignature::from_bytes(signature);
                signature.is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
        }
    }
}

fn spec(algorithm: Algorithm) -> SigningAlgorithmSpec {
    match algorithm {
        Algorithm::Ed25519 => SigningAlgorithmSpec::Ed25519Sha512,
        Algorithm::EcdsaP256Sha256 => SigningAlgorithmSpec::EcdsaSha256,
    }
}
