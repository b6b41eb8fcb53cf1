//! Signed statements: what a person says with a key of theirs, in plain Git or by `POST /commands`.
//!
//! A statement is a payload of JSON on one line, a newline, and an SSH signature over the payload
//! (SSHSIG, namespace `countersign`). It is kept as a blob, named by the SHA-256 of its bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::names::{CommitId, Reference, RepositoryId, Target};
use crate::time::Timestamp;

/// The SSHSIG namespace of every statement.
pub const NAMESPACE: &str = "countersign";

/// The reference below which plain Git keeps statements, each by the hexadecimal digits of its digest.
pub const STATEMENTS: &str = "refs/countersign/statements/";

/// The reference below which reports are kept, each by its commit.
pub const REPORTS: &str = "refs/countersign/reports/";

/// The most bytes that a statement may have.
pub const MAX_STATEMENT: usize = 16 * 1024;

/// The line that an armored signature begins with.
const ARMOR: &str = "-----BEGIN SSH SIGNATURE-----";

/// A statement as it was signed: nothing is believed before the signature is verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedStatement {
    /// The JSON that was signed, byte for byte, without the newline that parts it from the signature.
    pub payload: String,
    /// The armored SSH signature.
    pub signature: String,
}

/// Bytes that are not a statement.
#[derive(Debug, thiserror::Error)]
pub enum NotAStatement {
    /// Longer than [`MAX_STATEMENT`].
    #[error("the statement has {0} bytes: at most {MAX_STATEMENT} are read")]
    TooLarge(usize),
    /// Not a payload line followed by an armored signature.
    #[error("not a statement: expected one line of JSON, then {ARMOR}")]
    Shape,
    /// The payload is not a known statement.
    #[error("the statement's payload is not understood: {0}")]
    Payload(#[from] serde_json::Error),
}

impl SignedStatement {
    /// Splits a blob into payload and signature; verifies nothing.
    ///
    /// # Errors
    /// When the bytes are too many, not UTF-8, or not of a statement's shape.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAStatement> {
        if bytes.len() > MAX_STATEMENT {
            return Err(NotAStatement::TooLarge(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NotAStatement::Shape)?;
        let (payload, signature) = text.split_once('\n').ok_or(NotAStatement::Shape)?;
        if !payload.starts_with('{') || !signature.starts_with(ARMOR) {
            return Err(NotAStatement::Shape);
        }
        Ok(Self { payload: payload.to_owned(), signature: signature.to_owned() })
    }

    /// The blob's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        format!("{}\n{}", self.payload, self.signature).into_bytes()
    }

    /// The digest that names the statement.
    #[must_use]
    pub fn id(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// What the payload says; still unverified.
    ///
    /// # Errors
    /// When the payload is not a statement of a known version and kind.
    pub fn claims(&self) -> Result<Statement, NotAStatement> {
        Ok(serde_json::from_str(&self.payload)?)
    }
}

/// The payload of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    /// The version of this format: 1.
    pub v: u32,
    /// The repository that it speaks of.
    pub repository: RepositoryId,
    /// When it was signed, by the signer's clock.
    pub time: Timestamp,
    /// Random, so that no two statements are the same.
    pub nonce: String,
    /// What is said.
    pub says: Says,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Says {
    /// Plain Git's pull request: bring `head` to `base`. The signer is its author and pusher.
    Propose {
        /// The branch to change.
        base: Reference,
        /// What to bring there.
        head: CommitId,
        /// One line for people.
        title: String,
    },
    /// Approve exactly this commit.
    Approve {
        /// The commit.
        head: CommitId,
    },
    /// Take back an earlier approval, of one's own or, for a team that may, of another.
    Dismiss {
        /// The approving statement.
        approval: Digest,
    },
    /// Close one's own proposal.
    Close {
        /// The proposing statement.
        proposal: Digest,
    },
    /// Ask for something to be done.
    Command {
        /// What.
        command: Command,
        /// After this time it is refused.
        expires: Timestamp,
    },
}

/// What a person, or the holder of the root key, can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Command {
    /// Let a target take no change until it is released.
    Hold {
        /// Which.
        target: Target,
        /// Why, for people.
        reason: String,
    },
    /// Let a held target take changes again.
    Release {
        /// Which.
        target: Target,
    },
    /// Activate a bundle that the active one denies. Counts only when signed by the root key.
    Recover {
        /// The commit of the control repository whose bundle is to be active.
        commit: CommitId,
        /// That bundle.
        bundle: Digest,
        /// The bundle that is active and denies its repair.
        replaces: Digest,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_a_line_of_json_and_a_signature() {
        let bytes = b"{\"v\":1}\n-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n";
        let statement = SignedStatement::from_bytes(bytes).unwrap();
        assert_eq!(statement.to_bytes(), bytes);
        assert_eq!(statement.id(), Digest::of(bytes));
        assert!(matches!(statement.claims(), Err(NotAStatement::Payload(_))));
        assert!(matches!(SignedStatement::from_bytes(b"{}"), Err(NotAStatement::Shape)));
        let long = vec![b'a'; MAX_STATEMENT + 1];
        assert!(matches!(SignedStatement::from_bytes(&long), Err(NotAStatement::TooLarge(_))));
    }

    #[test]
    fn unknown_fields_of_a_payload_are_refused() {
        let payload = r#"{"v":1,"repository":"local/shop","time":"2026-11-20T22:00:00Z","nonce":"n",
            "says":{"kind":"approve","head":"1111111111111111111111111111111111111111","also":1}}"#;
        let statement = SignedStatement { payload: payload.to_owned(), signature: String::new() };
        assert!(statement.claims().unwrap_err().to_string().contains("also"));
    }
}
