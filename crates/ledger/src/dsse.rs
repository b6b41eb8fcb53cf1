//! DSSE envelopes, version 1, with one signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::authorization::{Envelope, EnvelopeSignature};
use countersign_core::digest::canonical_json;
use countersign_core::ports::signer::{PublicKey, Signer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::LedgerError;
use crate::key::{self, VerifyingKey};

/// The most bytes that a payload may have.
pub const MAX_PAYLOAD: usize = 1024 * 1024;

/// What is signed: the type and the payload, each with its length, so that neither can pose as the other.
#[must_use]
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// Signs a payload. The signature is verified before the envelope is returned.
///
/// # Errors
/// The signer's error, or why its signature cannot be used.
pub async fn sign(signer: &impl Signer, payload_type: &str, payload: &[u8]) -> Result<Envelope, LedgerError> {
    let keyid = VerifyingKey::parse(signer.public_key())?.id()?;
    let signature = key::sign(signer, &pre_authentication_encoding(payload_type, payload)).await?;
    Ok(Envelope {
        payload_type: payload_type.to_owned(),
        payload: STANDARD.encode(payload),
        signatures: vec![EnvelopeSignature { keyid, sig: STANDARD.encode(signature) }],
    })
}

/// Verifies an envelope's one signature; returns the payload. The caller then checks the payload's type.
///
/// The key id must be that of the key: a hint that nobody checks is a place where two copies of one
/// envelope could differ.
///
/// # Errors
/// [`LedgerError::Malformed`] when the envelope is not of its form, [`LedgerError::Signature`] when the
/// signature is not of this key.
pub fn verify(envelope: &Envelope, public: &PublicKey) -> Result<Vec<u8>, LedgerError> {
    let wrong = |why: &str| LedgerError::malformed("envelope", why);
    let [signature] = envelope.signatures.as_slice() else {
        return Err(wrong("it has not exactly one signature"));
    };
    if envelope.payload.len() / 4 * 3 > MAX_PAYLOAD {
        return Err(wrong("its payload is longer than 1 MiB"));
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|_| wrong("its payload is not base64"))?;
    let bytes = STANDARD.decode(&signature.sig).map_err(|_| wrong("its signature is not base64"))?;
    let key = VerifyingKey::parse(public)?;
    let expected = key.id()?;
    if signature.keyid != expected {
        let found: String = signature.keyid.chars().take(80).collect();
        let why = format!("the envelope names key {found:?}, the key that is trusted here is {expected}");
        return Err(LedgerError::Signature(why));
    }
    key.verify(&pre_authentication_encoding(&envelope.payload_type, &payload), &bytes)?;
    Ok(payload)
}

/// Signs a document; returns the bytes of its envelope, as they are kept in a file.
///
/// # Errors
/// As [`sign`].
pub async fn sign_document(
    signer: &impl Signer,
    payload_type: &str,
    document: &impl Serialize,
) -> Result<Vec<u8>, LedgerError> {
    let wrong = |error: serde_json::Error| LedgerError::malformed("document", error.to_string());
    let payload = canonical_json(document).map_err(wrong)?;
    canonical_json(&sign(signer, payload_type, &payload).await?).map_err(wrong)
}

/// Reads a document that the key signed as `payload_type`, from the bytes of its envelope. `what` names it in messages.
///
/// # Errors
/// [`LedgerError::Signature`] when the key did not sign it, [`LedgerError::Malformed`] when it is something else.
pub fn verify_document<T: DeserializeOwned>(
    bytes: &[u8],
    key: &PublicKey,
    payload_type: &str,
    what: &'static str,
) -> Result<T, LedgerError> {
    let wrong = |why: String| LedgerError::malformed(what, why);
    if bytes.len() > MAX_PAYLOAD {
        return Err(wrong("longer than 1 MiB".to_owned()));
    }
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let payload = verify(&envelope, key)?;
    if envelope.payload_type != payload_type {
        return Err(wrong("the key signed this as something else".to_owned()));
    }
    serde_json::from_slice(&payload).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests;
