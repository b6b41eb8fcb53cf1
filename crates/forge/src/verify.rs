//! Whether a webhook was sent by someone who holds the host's secret. Nothing is parsed before.
//!
//! The sources are GitHub's "Validating webhook deliveries", Gitea's "Webhooks", GitLab's "Webhooks"
//! and the Standard Webhooks specification. A delivery that is sent again verifies again: the delivery
//! id keeps it from being queued twice, and an event is a hint in any case.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::configuration::HostKind;
use countersign_core::digest::from_hex;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::headers::Headers;
use crate::plain;

/// What a secret of the Standard Webhooks specification begins with; base64 follows.
const STANDARD_SECRET: &[u8] = b"whsec_";

/// A webhook that is not proven to come from the host. The texts say nothing that helps to forge one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The secret that is configured is empty, so that anyone could sign.
    #[error("the webhook secret of this host is empty: configure the one that the forge signs with")]
    NoSecret,
    /// No signature came with the webhook.
    #[error("the webhook is not signed: set the secret in the forge's webhook settings")]
    Missing,
    /// Only a signature of another algorithm came with it.
    #[error("the webhook is signed with another algorithm: HMAC-SHA256 is what counts")]
    OtherAlgorithm,
    /// The signature is not that of this body with the host's secret.
    #[error("the webhook's signature is wrong: compare the secret here with the one at the forge")]
    Wrong,
}

/// Verifies the signature over the raw bytes of a webhook.
///
/// # Errors
/// When the secret is empty, or the signature is missing, of another algorithm, or wrong.
pub fn verify(kind: HostKind, secret: &[u8], headers: &Headers, body: &[u8]) -> Result<(), SignatureError> {
    if secret.is_empty() {
        return Err(SignatureError::NoSecret);
    }
    match kind {
        HostKind::Github => hub(secret, headers, body),
        HostKind::Gitea => gitea(secret, headers, body),
        HostKind::Gitlab => gitlab(secret, headers, body),
        HostKind::Plain => prefixed(secret, headers.get(plain::SIGNATURE_HEADER), body),
    }
}

/// The HMAC-SHA256 of `parts`, one after the other.
pub(crate) fn mac(secret: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac)
}

/// `X-Hub-Signature-256`; beside it `X-Hub-Signature` is SHA-1 and never counts.
fn hub(secret: &[u8], headers: &Headers, body: &[u8]) -> Result<(), SignatureError> {
    let signature = headers.get("X-Hub-Signature-256");
    if signature.is_none() && headers.get("X-Hub-Signature").is_some() {
        return Err(SignatureError::OtherAlgorithm);
    }
    prefixed(secret, signature, body)
}

/// `X-Gitea-Signature` or `X-Forgejo-Signature` in bare hexadecimal digits, or as GitHub.
fn gitea(secret: &[u8], headers: &Headers, body: &[u8]) -> Result<(), SignatureError> {
    let own = headers.get("X-Forgejo-Signature").or_else(|| headers.get("X-Gitea-Signature"));
    match own {
        Some(hex) if !hex.is_empty() => hex_mac(secret, hex, body),
        _ => hub(secret, headers, body),
    }
}

/// GitLab's signature, where it sends one, or its older token. Either shows that the sender holds the
/// secret, and a webhook of GitLab may carry both, of which one is the secret that is configured here.
fn gitlab(secret: &[u8], headers: &Headers, body: &[u8]) -> Result<(), SignatureError> {
    let signed =
        headers.get("webhook-signature").map(|signatures| standard(secret, signatures, headers, body));
    let token = headers.get("X-Gitlab-Token").filter(|token| !token.is_empty());
    match (signed, token) {
        (Some(Ok(())), _) => Ok(()),
        (_, Some(token)) if same(token.as_bytes(), secret) => Ok(()),
        (_, Some(_)) => Err(SignatureError::Wrong),
        (Some(error), None) => error,
        (None, None) => Err(SignatureError::Missing),
    }
}

/// Whether two texts are the same, in a time that tells neither their content nor their length.
fn same(left: &[u8], right: &[u8]) -> bool {
    Sha256::digest(left).ct_eq(&Sha256::digest(right)).into()
}

/// The Standard Webhooks signature: `v1,` and base64, of which several may come, parted by spaces.
fn standard(secret: &[u8], signatures: &str, headers: &Headers, body: &[u8]) -> Result<(), SignatureError> {
    let id = headers.get("webhook-id").ok_or(SignatureError::Missing)?;
    let time = headers.get("webhook-timestamp").ok_or(SignatureError::Missing)?;
    let decoded = secret.strip_prefix(STANDARD_SECRET).and_then(|text| STANDARD.decode(text).ok());
    let secret = decoded.as_deref().filter(|secret| !secret.is_empty()).unwrap_or(secret);
    let parts: [&[u8]; 5] = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    let mut verdict = SignatureError::OtherAlgorithm;
    for signature in signatures.split_ascii_whitespace().filter_map(|signature| signature.strip_prefix("v1,"))
    {
        verdict = SignatureError::Wrong;
        let signature = STANDARD.decode(signature).unwrap_or_default();
        if mac(secret, &parts).is_some_and(|mac| mac.verify_slice(&signature).is_ok()) {
            return Ok(());
        }
    }
    Err(verdict)
}

/// A signature as `sha256=` and hexadecimal digits.
fn prefixed(secret: &[u8], signature: Option<&str>, body: &[u8]) -> Result<(), SignatureError> {
    let signature = signature.ok_or(SignatureError::Missing)?;
    let hex = signature.strip_prefix("sha256=").ok_or(SignatureError::OtherAlgorithm)?;
    hex_mac(secret, hex, body)
}

fn hex_mac(secret: &[u8], hex: &str, body: &[u8]) -> Result<(), SignatureError> {
    let signature = from_hex(&hex.to_ascii_lowercase()).ok_or(SignatureError::Wrong)?;
    let mac = mac(secret, &[body]).ok_or(SignatureError::Wrong)?;
    mac.verify_slice(&signature).map_err(|_| SignatureError::Wrong)
}

#[cfg(test)]
mod tests;
