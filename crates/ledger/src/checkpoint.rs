//! Checkpoints: signed heads of the log (c2sp.org/tlog-checkpoint).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::digest::Digest;
use countersign_core::ports::signer::Signer;
use countersign_core::time::Timestamp;

use crate::error::LedgerError;
use crate::key;
use crate::merkle::MAX_SIZE;
use crate::note::{Note, NoteKey, cosigned_message, signature_line};

/// What a checkpoint says: the log, its size, and the root of its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's origin.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The root hash over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The note's text. Lines that extend it are not written, and ignored when read.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    /// Reads a note's text, which is believed only if its note was verified.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when it is not of a checkpoint's form.
    pub fn parse(text: &str) -> Result<Self, LedgerError> {
        let wrong = |why: &str| LedgerError::malformed("checkpoint", why);
        let body = text.strip_suffix('\n').ok_or_else(|| wrong("no newline at its end"))?;
        let mut lines = body.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty());
        let origin = line().ok_or_else(|| wrong("no origin in its first line"))?;
        let size = line().and_then(parse_decimal).ok_or_else(|| wrong("no tree size in its second line"))?;
        let root = line().and_then(parse_hash).ok_or_else(|| wrong("no root hash in its third line"))?;
        if lines.any(str::is_empty) {
            return Err(wrong("an empty line extends it"));
        }
        if size > MAX_SIZE {
            return Err(wrong("its tree is larger than any log"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

/// A decimal number without leading zeros.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// A hash in base64.
pub(crate) fn parse_hash(text: &str) -> Option<Digest> {
    if text.len() != 44 {
        return None;
    }
    Some(Digest::from_bytes(STANDARD.decode(text).ok()?.try_into().ok()?))
}

/// A checkpoint whose signature was verified, with the exact text that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    text: String,
}

impl SignedCheckpoint {
    /// Signs a checkpoint with the log's key.
    ///
    /// # Errors
    /// The signer's error, or why the signature cannot be used.
    pub async fn sign(checkpoint: Checkpoint, signer: &impl Signer) -> Result<Self, LedgerError> {
        let key = NoteKey::log(&checkpoint.origin, signer.public_key())?;
        let body = checkpoint.text();
        let signature = key::sign(signer, body.as_bytes()).await?;
        let text = format!("{body}\n{}", signature_line(&key, &signature));
        Ok(Self { checkpoint, text })
    }

    /// Reads a checkpoint, and verifies that the log's key signed it under the log's origin.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] or [`LedgerError::Signature`].
    pub fn verify(text: &str, key: &NoteKey) -> Result<Self, LedgerError> {
        if key.is_witness() {
            return Err(LedgerError::Signature(format!("{key} is a witness's key, not a log's")));
        }
        let note = Note::parse(text)?;
        note.verify(key)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin != key.name() {
            return Err(LedgerError::Signature(format!(
                "the checkpoint is of log {:?}, the key is trusted for log {:?}",
                checkpoint.origin,
                key.name()
            )));
        }
        Ok(Self { checkpoint, text: text.to_owned() })
    }

    /// As [`SignedCheckpoint::verify`], with whichever of the log's keys signed it; the first is that of the newest epoch.
    ///
    /// # Errors
    /// As [`SignedCheckpoint::verify`] with the first key, where none of them signed it.
    pub fn verify_by_any(text: &str, keys: &[NoteKey]) -> Result<Self, LedgerError> {
        let note = Note::parse(text)?;
        let mut signed_by = keys.first();
        for key in keys {
            // A line that claims to be of one of them and is not makes the note worth nothing.
            if note.is_signed_by(key)? {
                signed_by = Some(key);
                break;
            }
        }
        let none = || LedgerError::Signature("no key of the log is trusted here".to_owned());
        Self::verify(text, signed_by.ok_or_else(none)?)
    }

    /// The checkpoint with the signature of one more key of the log: that of the epoch which begins with it.
    ///
    /// # Errors
    /// The signer's error, or why the signature cannot be used.
    pub async fn also_sign(&self, next: &impl Signer) -> Result<Self, LedgerError> {
        let key = NoteKey::log(&self.checkpoint.origin, next.public_key())?;
        let signature = key::sign(next, self.checkpoint.text().as_bytes()).await?;
        let text = format!("{}{}", self.text, signature_line(&key, &signature));
        Ok(Self { checkpoint: self.checkpoint.clone(), text })
    }

    /// Whether a key signed it.
    ///
    /// # Errors
    /// [`LedgerError::Signature`] when a line claims to be of this key and is not.
    pub fn is_signed_by(&self, key: &NoteKey) -> Result<bool, LedgerError> {
        Note::parse(&self.text)?.is_signed_by(key)
    }

    /// The checkpoint with a line more: the cosignature of a witness, who checked that it extends the last one it saw.
    ///
    /// # Errors
    /// The signer's error, or why the signature cannot be used.
    pub async fn cosign(
        &self,
        name: &str,
        witness: &impl Signer,
        time: Timestamp,
    ) -> Result<Self, LedgerError> {
        let key = NoteKey::witness(name, witness.public_key())?;
        let seconds = u64::try_from(time.as_millis() / 1000).unwrap_or_default();
        let message = cosigned_message(Note::parse(&self.text)?.text(), seconds);
        let signature = key::sign(witness, message.as_bytes()).await?;
        let timed = [seconds.to_be_bytes().as_slice(), &signature].concat();
        let text = format!("{}{}", self.text, signature_line(&key, &timed));
        Ok(Self { checkpoint: self.checkpoint.clone(), text })
    }

    /// How many of these witnesses cosigned the checkpoint.
    ///
    /// # Errors
    /// [`LedgerError::Signature`] when a line claims to be of one of them and is not.
    pub fn count_witnesses(&self, witnesses: &[NoteKey]) -> Result<usize, LedgerError> {
        let note = Note::parse(&self.text)?;
        let mut counted: Vec<&NoteKey> = Vec::new();
        for witness in witnesses.iter().filter(|key| key.is_witness()) {
            if !counted.contains(&witness) && note.is_signed_by(witness)? {
                counted.push(witness);
            }
        }
        Ok(counted.len())
    }

    /// What it says.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The signed note, as it is stored and shown to others.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests;
