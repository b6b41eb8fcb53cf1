//! Public keys as KMS gives them: the base64 of a `SubjectPublicKeyInfo`, or its PEM.

use std::path::Path;

use anyhow::{Context as _, ensure};
use countersign_core::ports::signer::{Algorithm, PublicKey};
use countersign_ledger::key::VerifyingKey;

/// The most bytes of a public key's file.
const MAX_FILE: u64 = 4096;

/// The characters of a line of PEM (RFC 7468).
const LINE: usize = 64;

/// Reads the key of this algorithm.
///
/// # Errors
/// When the file cannot be read, or holds no such key.
pub fn read(file: &Path, algorithm: Algorithm) -> anyhow::Result<PublicKey> {
    let place = file.display();
    let unread = || format!("{place}: the public key cannot be read");
    let size = std::fs::metadata(file).with_context(unread)?.len();
    ensure!(size <= MAX_FILE, "{place}: {size} bytes are no public key");
    let text = std::fs::read_to_string(file).with_context(unread)?;
    parse(&text, algorithm).with_context(|| {
        format!(
            "{place}: give what `aws kms get-public-key --query PublicKey --output text` prints for this key"
        )
    })
}

/// The key in a text, as everything here writes it: `record` compares it with what KMS answers.
pub fn parse(text: &str, algorithm: Algorithm) -> anyhow::Result<PublicKey> {
    let base64: String = text.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    let letters: Vec<char> = base64.chars().collect();
    let lines: Vec<String> = letters.chunks(LINE).map(|line| line.iter().collect()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    Ok(VerifyingKey::parse(&PublicKey { algorithm, pem })?.to_public()?)
}
