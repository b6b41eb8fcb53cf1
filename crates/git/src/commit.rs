//! Commits as facts: who, when, and what was signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::names::CommitId;
use countersign_core::review::{CommitFacts, Signature};
use countersign_core::time::Timestamp;
use git2::{Oid, Sort};

use crate::error::GitError;
use crate::repository::{Repository, commit_id};

/// Characters of a subject that are kept.
const MAX_SUBJECT: usize = 300;

/// Addresses of co-authors that are kept of one commit.
const MAX_CO_AUTHORS: usize = 100;

impl Repository {
    /// What is known of a commit.
    ///
    /// # Errors
    /// [`GitError::Gone`] when it is not here.
    pub fn commit(&self, commit: &CommitId) -> Result<CommitFacts, GitError> {
        self.facts_of(self.find(commit)?)
    }

    /// Commits that `head` leads to and none of `hidden` does, parents before children: what a proposal
    /// brings. `hidden` that are not here hide nothing.
    ///
    /// # Errors
    /// When `head` is not here, or brings more than `limit` commits.
    pub fn proposed(
        &self,
        head: &CommitId,
        hidden: &[CommitId],
        limit: usize,
    ) -> Result<Vec<CommitFacts>, GitError> {
        let mut here = Vec::new();
        for commit in hidden {
            here.extend(self.found(commit)?);
        }
        let ids = self.between(self.find(head)?, &here, limit)?.ok_or_else(|| {
            GitError::Final(format!(
                "{}: the proposal {head} brings more than {limit} commits: rebase it on the branch that it asks to change",
                self.place()
            ))
        })?;
        ids.into_iter().map(|id| self.facts_of(id)).collect()
    }

    /// Commits reachable from `head` and from none of `hidden`, parents first; `None` if more than `limit`.
    pub(crate) fn between(
        &self,
        head: Oid,
        hidden: &[Oid],
        limit: usize,
    ) -> Result<Option<Vec<Oid>>, GitError> {
        self.reaching(
            || format!("walking from {head}"),
            || {
                let mut walk = self.git.revwalk()?;
                walk.push(head)?;
                for hide in hidden {
                    walk.hide(*hide)?;
                }
                walk.set_sorting(Sort::TOPOLOGICAL)?;
                let mut ids = Vec::new();
                for id in walk {
                    if ids.len() == limit {
                        return Ok(None);
                    }
                    ids.push(id?);
                }
                ids.reverse();
                Ok(Some(ids))
            },
        )
    }

    pub(crate) fn facts_of(&self, id: Oid) -> Result<CommitFacts, GitError> {
        let failed = |error: git2::Error| self.failed(&format!("reading commit {id}"), &error);
        let found = self.git.find_commit(id).map_err(failed)?;
        let odb = self.git.odb().map_err(failed)?;
        let object = odb.read(id).map_err(failed)?;
        let (signature, payload) = split_signature(object.data());
        let message = String::from_utf8_lossy(found.message_bytes());
        let tree = found.tree_id().to_string();
        Ok(CommitFacts {
            id: commit_id(id),
            tree: tree.parse().map_err(|error| GitError::Final(format!("{}: {error}", self.place())))?,
            parents: found.parent_ids().map(commit_id).collect(),
            author: person(&found.author()),
            committer: person(&found.committer()),
            co_authors: co_authors(&message),
            subject: message.lines().next().unwrap_or_default().trim().chars().take(MAX_SUBJECT).collect(),
            signed_payload: signature.is_some().then(|| STANDARD.encode(payload)),
            signature,
        })
    }
}

fn person(signature: &git2::Signature<'_>) -> Signature {
    Signature {
        name: String::from_utf8_lossy(signature.name_bytes()).into_owned(),
        email: String::from_utf8_lossy(signature.email_bytes()).into_owned(),
        time: Timestamp::from_millis(signature.when().seconds().saturating_mul(1000)),
    }
}

/// A raw commit parted into its signature and the bytes that it is over: all but the headers of signatures.
/// Several signatures come out as one text of several blocks, which no verifier takes.
fn split_signature(raw: &[u8]) -> (Option<String>, Vec<u8>) {
    let headers = raw.windows(2).position(|pair| pair == b"\n\n").map_or(raw.len(), |at| at + 1);
    let (headers, message) = raw.split_at(headers);
    let (mut payload, mut signature) = (Vec::with_capacity(raw.len()), Vec::new());
    let mut inside = Part::Payload;
    for line in headers.split_inclusive(|byte| *byte == b'\n') {
        let text = if let Some(first) = line.strip_prefix(b"gpgsig ") {
            inside = Part::Signature;
            first
        } else if line.starts_with(b"gpgsig-sha256 ") {
            inside = Part::Other;
            line
        } else if let Some(more) = line.strip_prefix(b" ").filter(|_| inside != Part::Payload) {
            more
        } else {
            inside = Part::Payload;
            line
        };
        match inside {
            Part::Payload => payload.extend_from_slice(text),
            Part::Signature => signature.extend_from_slice(text),
            Part::Other => {}
        }
    }
    payload.extend_from_slice(message);
    let signature = (!signature.is_empty()).then(|| String::from_utf8_lossy(&signature).into_owned());
    (signature, payload)
}

/// What a header line belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// What is signed.
    Payload,
    /// The signature.
    Signature,
    /// A signature for another hash algorithm.
    Other,
}

/// Addresses of `Co-authored-by` lines anywhere in a message, whatever their case, folded lines unfolded.
/// More are taken than Git would take: an address here can only exclude someone.
fn co_authors(message: &str) -> Vec<String> {
    const KEY: &str = "co-authored-by:";
    let value_of = |line: &str| {
        let (key, value) = line.trim_start().split_at_checked(KEY.len())?;
        key.eq_ignore_ascii_case(KEY).then(|| value.to_owned())
    };
    let lines: Vec<_> = message.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(value) = value_of(line).filter(|_| found.len() < MAX_CO_AUTHORS) else { continue };
        let is_folded = |line: &&&str| line.starts_with([' ', '\t']) && value_of(line).is_none();
        let folded = lines.iter().skip(at + 1).take_while(is_folded);
        let value = folded.fold(value, |value, more| value + " " + more.trim());
        let address = match (value.rfind('<'), value.rfind('>')) {
            (Some(start), Some(end)) if start < end => value.get(start + 1..end).unwrap_or_default(),
            _ => value.as_str(),
        };
        found.push(address.trim().to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn co_authors_are_found_in_any_case_and_folded() {
        let message = "Subject\n\nbody\n\nCo-authored-by: Ann <ann@example.com>\nCO-AUTHORED-BY: Bob\n  <bob@example.com>\n\
                       co-authored-by:cat@example.com\n  Co-Authored-By: Dan <d> <dan@example.com>\nCo-authored: no\né";
        assert_eq!(
            co_authors(message),
            ["ann@example.com", "bob@example.com", "cat@example.com", "dan@example.com"]
        );
    }

    #[test]
    fn a_signature_is_parted_from_what_it_is_over() {
        let raw = b"tree t\nauthor a\ngpgsig -----BEGIN X\n \n data\n -----END X\ncommitter c\n\ngpgsig no\n more\n";
        let (signature, payload) = split_signature(raw);
        assert_eq!(signature.as_deref(), Some("-----BEGIN X\n\ndata\n-----END X\n"));
        assert_eq!(payload, b"tree t\nauthor a\ncommitter c\n\ngpgsig no\n more\n");
    }

    #[test]
    fn two_signatures_stay_two_blocks_and_other_hashes_are_left_out() {
        let raw = b"tree t\ngpgsig A\n a\ngpgsig-sha256 B\n b\ngpgsig C\n\nm";
        let (signature, payload) = split_signature(raw);
        assert_eq!(signature.as_deref(), Some("A\na\nC\n"));
        assert_eq!(payload, b"tree t\n\nm");
    }

    #[test]
    fn an_unsigned_commit_is_its_own_payload() {
        let raw = b"tree t\nmergetag object o\n gpgsig x\n\nm";
        assert_eq!(split_signature(raw), (None, raw.to_vec()));
    }
}
