//! The signatures in facts: which key made which, and whose key that is.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::configuration::Configuration;
use countersign_core::facts::Facts;
use countersign_core::names::PersonName;
use countersign_core::review::{CommitFacts, Signature};
use countersign_core::signatures::{Signatory, VerifiedSignatures};
use countersign_core::statement::{NAMESPACE, SignedStatement};

use crate::sshsig::{self, Refused};

/// The SSHSIG namespace of commits and tags.
const GIT: &str = "git";

/// Verifies every signature that the facts hold: of statements, and of the commits in the range and in the
/// proposals. Total: what is not believed is listed with the reason.
#[must_use]
pub fn verify_signatures(facts: &Facts, configuration: &Configuration) -> VerifiedSignatures {
    let keys = Keys::of(configuration);
    let mut verified = VerifiedSignatures::default();
    for statement in &facts.statements {
        let id = statement.id();
        match verify_statement(statement).and_then(|fingerprint| keys.signatory(fingerprint)) {
            Ok(signatory) => {
                verified.statements.insert(id, signatory);
            }
            Err(refused) => {
                verified.refused.insert(id.to_string(), refused.to_string());
            }
        }
    }
    for commit in facts.range.commits.iter().chain(facts.proposed.values().flatten()) {
        if verified.commits.contains_key(&commit.id) || verified.refused.contains_key(commit.id.as_str()) {
            continue;
        }
        match verify_commit(commit)
            .map(|fingerprint| fingerprint.and_then(|fingerprint| keys.signatory(fingerprint)))
        {
            None => {}
            Some(Ok(signatory)) => {
                verified.commits.insert(commit.id.clone(), signatory);
            }
            Some(Err(refused)) => {
                verified.refused.insert(commit.id.to_string(), refused.to_string());
            }
        }
    }
    verified
}

/// Verifies a statement's signature; gives the fingerprint of the key that made it.
///
/// # Errors
/// When the signature is not a good one over the payload.
pub fn verify_statement(statement: &SignedStatement) -> Result<String, Refused> {
    sshsig::verify(NAMESPACE, statement.payload.as_bytes(), &statement.signature)
}

/// Verifies a commit's signature, if it has one; gives the fingerprint of the key that made it.
#[must_use]
pub fn verify_commit(commit: &CommitFacts) -> Option<Result<String, Refused>> {
    let signature = commit.signature.as_deref()?;
    Some(check_blocks(signature).and_then(|()| {
        let payload = commit.signed_payload.as_deref().unwrap_or_default();
        let payload = STANDARD
            .decode(payload)
            .map_err(|error| Refused::new(format!("the signed bytes are not base64: {error}")))?;
        let fingerprint = sshsig::verify(GIT, &payload, signature)?;
        check_subject(commit, &payload)?;
        Ok(fingerprint)
    }))
}

/// Refuses what is not exactly one SSH signature, naming what it is instead.
fn check_blocks(signature: &str) -> Result<(), Refused> {
    if sshsig::blocks(signature) > 1 {
        return Err(Refused::new("more than one signature block: sign once, with one key"));
    }
    let label = sshsig::labels(signature).into_iter().next().unwrap_or_default();
    match label {
        "SSH SIGNATURE" => Ok(()),
        "PGP SIGNATURE" | "PGP MESSAGE" => Err(Refused::new(
            "signed with OpenPGP, which is not read yet: sign with an SSH key (gpg.format=ssh)",
        )),
        "SIGNED MESSAGE" => Err(Refused::new(
            "signed with X.509, which is not read yet: sign with an SSH key (gpg.format=ssh)",
        )),
        _ => Err(Refused::new("not a signature that is known: sign with an SSH key (gpg.format=ssh)")),
    }
}

/// Checks that the signed bytes speak of this commit: the same tree and parents, author and committer.
fn check_subject(commit: &CommitFacts, payload: &[u8]) -> Result<(), Refused> {
    let text = String::from_utf8_lossy(payload);
    let headers = text.split("\n\n").next().unwrap_or_default();
    let values = |name: &'static str| {
        headers.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix(' '))
    };
    let person = |name, who: &Signature| {
        let stamp = format!("<{}> {} ", who.email, who.time.as_millis().div_euclid(1000));
        values(name).count() == 1 && values(name).all(|value| value.contains(&stamp))
    };
    let tree = values("tree").eq([commit.tree.as_str()]);
    let parents = values("parent").eq(commit.parents.iter().map(|parent| parent.as_str()));
    if tree && parents && person("author", &commit.author) && person("committer", &commit.committer) {
        Ok(())
    } else {
        Err(Refused::new("the signed bytes speak of another commit"))
    }
}

/// Whose each configured key is.
struct Keys(BTreeMap<String, Vec<PersonName>>);

impl Keys {
    /// Lines that are no keys are passed over here: reading the configuration reports them.
    fn of(configuration: &Configuration) -> Self {
        let mut keys: BTreeMap<String, Vec<PersonName>> = BTreeMap::new();
        for (name, person) in &configuration.people {
            for fingerprint in person.keys.iter().filter_map(|line| sshsig::fingerprint(line).ok()) {
                let owners = keys.entry(fingerprint).or_default();
                if !owners.contains(name) {
                    owners.push(name.clone());
                }
            }
        }
        Self(keys)
    }

    /// The key with its owner. A key of two people says nothing about either.
    fn signatory(&self, fingerprint: String) -> Result<Signatory, Refused> {
        match self.0.get(&fingerprint).map(Vec::as_slice) {
            None | Some([]) => Ok(Signatory { fingerprint, person: None }),
            Some([person]) => Ok(Signatory { fingerprint, person: Some(person.clone()) }),
            Some([one, other, ..]) => Err(Refused::new(format!(
                "the key {fingerprint} is listed for {one} and for {other}: give each person a key of their own"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
