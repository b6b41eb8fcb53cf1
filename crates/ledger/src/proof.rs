//! Proofs that a leaf is in the log, as texts that stand alone (c2sp.org/tlog-proof).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::digest::Digest;

use crate::checkpoint::{SignedCheckpoint, parse_decimal, parse_hash};
use crate::error::LedgerError;
use crate::merkle::{leaf_hash, verify_inclusion};
use crate::note::{MAX_NOTE, NoteKey};

/// The first line of every proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The longest path in the largest tree.
const MAX_PATH: usize = 63;

/// A proof that a leaf is in the log; nothing in it is believed before it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// The leaf's index.
    pub index: u64,
    /// The hashes from the leaf's sibling upward.
    pub path: Vec<Digest>,
    /// The signed checkpoint that the leaf is under.
    pub checkpoint: String,
}

impl LogProof {
    /// Verifies that `leaf` is in the log whose key this is; returns the checkpoint that it is under.
    ///
    /// # Errors
    /// [`LedgerError::Signature`] or [`LedgerError::Malformed`] when the checkpoint is not the log's,
    /// [`LedgerError::Forbidden`] when the leaf is not under it.
    pub fn verify(&self, leaf: &[u8], key: &NoteKey) -> Result<SignedCheckpoint, LedgerError> {
        let signed = SignedCheckpoint::verify(&self.checkpoint, key)?;
        let checkpoint = signed.checkpoint();
        if verify_inclusion(&leaf_hash(leaf), self.index, checkpoint.size, &self.path, &checkpoint.root) {
            return Ok(signed);
        }
        let why = format!("the proof does not show that these bytes are leaf {} of the log", self.index);
        Err(LedgerError::Forbidden(why))
    }
}

impl fmt::Display for LogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}\nindex {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for LogProof {
    type Err = LedgerError;

    fn from_str(text: &str) -> Result<Self, LedgerError> {
        let wrong = |why: &str| LedgerError::malformed("log proof", why);
        if text.len() > MAX_NOTE {
            return Err(wrong("longer than 1 MiB"));
        }
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or_else(|| wrong("no blank line after its hashes"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(wrong("its first line is not c2sp.org/tlog-proof@v1"));
        }
        if let Some(extra) = lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            // Extra data is nobody's word: it must be of its form, and is not used.
            STANDARD.decode(extra).map_err(|_| wrong("its extra line is not base64"))?;
            lines.next();
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(parse_decimal);
        let index = index.ok_or_else(|| wrong("no index line where one is due"))?;
        let path = lines.map(parse_hash).collect::<Option<Vec<_>>>();
        let path = path.filter(|path| path.len() <= MAX_PATH);
        let path = path.ok_or_else(|| wrong("its hashes are not at most 63 lines of base64"))?;
        Ok(Self { index, path, checkpoint: checkpoint.to_owned() })
    }
}

#[cfg(test)]
mod tests;
