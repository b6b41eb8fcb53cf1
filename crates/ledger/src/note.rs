//! Signed notes and verifier keys (c2sp.org/signed-note), cosignatures (c2sp.org/tlog-cosignature).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::ports::signer::PublicKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::LedgerError;
use crate::key::VerifyingKey;

/// The most bytes that a note may have.
pub const MAX_NOTE: usize = 1024 * 1024;

/// The most signatures that a note may have; the specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 64;

/// What a signature line begins with: an em dash and a space.
const SIGNATURE_START: &str = "\u{2014} ";

/// A note, split into its text and its signatures; nothing in it is believed before a key verified it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    text: &'a str,
    signatures: Vec<NoteSignature<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct NoteSignature<'a> {
    name: &'a str,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl<'a> Note<'a> {
    /// Splits a signed note.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when it is too long or not of a note's form.
    pub fn parse(note: &'a str) -> Result<Self, LedgerError> {
        let wrong = |why: &str| LedgerError::malformed("note", why);
        if note.len() > MAX_NOTE {
            return Err(wrong("longer than 1 MiB"));
        }
        if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(wrong("holds a control character"));
        }
        let blank = note.rfind("\n\n").ok_or_else(|| wrong("no blank line before the signatures"))?;
        let (text, lines) = note.split_at_checked(blank + 1).ok_or_else(|| wrong("no text"))?;
        let lines = lines.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.filter(|lines| !lines.is_empty()).ok_or_else(|| wrong("no signature lines"))?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(wrong("more signatures than are read"));
        }
        let signatures = lines.split('\n').map(NoteSignature::parse).collect::<Option<Vec<_>>>();
        let signatures = signatures.ok_or_else(|| wrong("a signature line is not of its form"))?;
        Ok(Self { text, signatures })
    }

    /// The text, with its final newline. Believe it only after [`Note::verify`].
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Whether `key` signed the note.
    ///
    /// # Errors
    /// [`LedgerError::Signature`] when a line claims to be of this key and is not: such a note is
    /// not to be believed at all.
    pub fn is_signed_by(&self, key: &NoteKey) -> Result<bool, LedgerError> {
        let mut signed = false;
        for signature in &self.signatures {
            if signature.name == key.name && signature.id == key.id() {
                key.verify(self.text, &signature.bytes)?;
                signed = true;
            }
        }
        Ok(signed)
    }

    /// Checks that `key` signed the note. Lines of keys that are not known are ignored.
    ///
    /// # Errors
    /// [`LedgerError::Signature`] when it did not.
    pub fn verify(&self, key: &NoteKey) -> Result<(), LedgerError> {
        if self.is_signed_by(key)? {
            return Ok(());
        }
        let names: Vec<&str> = self.signatures.iter().map(|signature| signature.name).collect();
        Err(LedgerError::Signature(format!(
            "no signature of key {key}; the note is signed under the names {}: check which log's key is \
             trusted here",
            names.join(", ")
        )))
    }
}

impl<'a> NoteSignature<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(SIGNATURE_START)?.split_once(' ')?;
        let decoded = STANDARD.decode(encoded).ok()?;
        let (id, bytes) = decoded.split_first_chunk::<4>()?;
        if !is_key_name(name) || bytes.is_empty() {
            return None;
        }
        Some(Self { name, id: *id, bytes: bytes.to_vec() })
    }
}

/// Key names have neither white space nor a plus sign.
fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// What a note key signs: the numbers that the specifications assign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Ed25519 over the note's text.
    Log = 0x01,
    /// Ed25519 over a checkpoint and a time.
    Witness = 0x04,
}

/// A key that verifies notes, under its name. Its text form is the *vkey* that C2SP tools read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NoteKey {
    name: String,
    kind: Kind,
    key: ed25519_dalek::VerifyingKey,
}

impl NoteKey {
    /// The key of a log, under the log's origin.
    ///
    /// # Errors
    /// [`LedgerError::Malformed`] when the key is not Ed25519, or the origin cannot be a key's name.
    pub fn log(origin: &str, key: &PublicKey) -> Result<Self, LedgerError> {
        Self::new(origin, Kind::Log, key)
    }

    /// The key of a witness, under the witness's name.
    ///
    /// # Errors
    /// As [`NoteKey::log`].
    pub fn witness(name: &str, key: &PublicKey) -> Result<Self, LedgerError> {
        Self::new(name, Kind::Witness, key)
    }

    fn new(name: &str, kind: Kind, key: &PublicKey) -> Result<Self, LedgerError> {
        if !is_key_name(name) {
            return Err(LedgerError::malformed("key name", "empty, or has white space or a plus sign"));
        }
        match VerifyingKey::parse(key)? {
            VerifyingKey::Ed25519(key) => Ok(Self { name: name.to_owned(), kind, key }),
            VerifyingKey::P256(_) => Err(LedgerError::malformed("note key", "notes are signed with Ed25519")),
        }
    }

    /// The name: for a log, its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is the key of a witness.
    #[must_use]
    pub fn is_witness(&self) -> bool {
        self.kind == Kind::Witness
    }

    /// The key id: a short hash of the name, the kind and the key.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let hasher = Sha256::new().chain_update(&self.name).chain_update([b'\n', self.kind as u8]);
        let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.chain_update(self.key.as_bytes()).finalize());
        [a, b, c, d]
    }

    /// Verifies one signature of this key over a note's text.
    fn verify(&self, text: &str, signature: &[u8]) -> Result<(), LedgerError> {
        let key = VerifyingKey::Ed25519(self.key);
        let verified = match self.kind {
            Kind::Log => key.verify(text.as_bytes(), signature),
            Kind::Witness => match signature.split_first_chunk::<8>() {
                Some((time, signature)) => {
                    let message = cosigned_message(text, u64::from_be_bytes(*time));
                    key.verify(message.as_bytes(), signature)
                }
                None => Err(LedgerError::Signature("no time".to_owned())),
            },
        };
        verified.map_err(|_| LedgerError::Signature(format!("the signature of key {self} does not verify")))
    }
}

/// The line that adds a signature to a note.
pub(crate) fn signature_line(key: &NoteKey, signature: &[u8]) -> String {
    let bytes = [&key.id(), signature].concat();
    format!("{SIGNATURE_START}{} {}\n", key.name, STANDARD.encode(bytes))
}

/// What a witness signs at `time`, in seconds since 1970: the checkpoint's text under a header.
#[must_use]
pub fn cosigned_message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.id();
        let material = STANDARD.encode([&[self.kind as u8], self.key.as_bytes().as_slice()].concat());
        write!(f, "{}+{a:02x}{b:02x}{c:02x}{d:02x}+{material}", self.name)
    }
}

impl FromStr for NoteKey {
    type Err = LedgerError;

    fn from_str(text: &str) -> Result<Self, LedgerError> {
        let key = parse_vkey(text).ok_or_else(|| {
            LedgerError::malformed("verifier key", "expected NAME+8 HEX DIGITS+BASE64 of an Ed25519 key")
        })?;
        // The id in the text is redundant: a text that was altered by hand is caught by it.
        if key.to_string() != text {
            return Err(LedgerError::malformed("verifier key", "its id is not that of its name and key"));
        }
        Ok(key)
    }
}

fn parse_vkey(text: &str) -> Option<NoteKey> {
    let mut parts = text.splitn(3, '+');
    let (name, _id, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    if encoded.len() > 64 || !is_key_name(name) {
        return None;
    }
    let material = STANDARD.decode(encoded).ok()?;
    let (kind, key) = material.split_first()?;
    let kind = match *kind {
        0x01 => Kind::Log,
        0x04 => Kind::Witness,
        _ => return None,
    };
    let key = ed25519_dalek::VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
    Some(NoteKey { name: name.to_owned(), kind, key })
}

impl TryFrom<String> for NoteKey {
    type Error = LedgerError;

    fn try_from(text: String) -> Result<Self, LedgerError> {
        text.parse()
    }
}

impl From<NoteKey> for String {
    fn from(key: NoteKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests;
