//! The statements whose signature was verified, and which speak of this repository.

use countersign_core::digest::Digest;
use countersign_core::facts::Facts;
use countersign_core::signatures::{Signatory, VerifiedSignatures};
use countersign_core::statement::{Says, Statement};

/// The version of statements that is understood.
pub const VERSION: u32 = 1;

/// A statement that its signatory made.
#[derive(Clone, Debug)]
pub struct Said<'a> {
    /// The statement's digest.
    pub id: Digest,
    /// Who signed it.
    pub by: &'a Signatory,
    /// What it says.
    pub statement: Statement,
}

/// Every verified statement about the target's repository.
#[derive(Clone, Debug)]
pub struct Statements<'a> {
    said: Vec<Said<'a>>,
}

impl<'a> Statements<'a> {
    /// Those of `facts` that are verified, of a known version, and about the target's repository.
    #[must_use]
    pub fn verified(facts: &Facts, signatures: &'a VerifiedSignatures) -> Self {
        let about = &facts.target.follows.repository;
        let said = facts.statements.iter().filter_map(|signed| {
            let id = signed.id();
            let by = signatures.statements.get(&id)?;
            let statement = signed.claims().ok()?;
            (statement.v == VERSION && statement.repository == *about).then_some(Said { id, by, statement })
        });
        let mut said: Vec<_> = said.collect();
        said.sort_by_key(|said| (said.statement.time, said.id));
        said.dedup_by_key(|said| said.id);
        Self { said }
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Said<'a>> {
        self.said.iter()
    }

    /// Whether the signatory of `proposal` has closed it.
    #[must_use]
    pub fn closed(&self, proposal: &Said<'_>) -> bool {
        self.said.iter().any(|said| {
            matches!(&said.statement.says, Says::Close { proposal: closed } if *closed == proposal.id)
                && same(said.by, proposal.by)
        })
    }

    /// Everyone who said that `approval` is taken back.
    pub fn dismissals(&self, approval: Digest) -> impl Iterator<Item = &Said<'a>> {
        self.said.iter().filter(move |said| {
            matches!(&said.statement.says, Says::Dismiss { approval: dismissed } if *dismissed == approval)
        })
    }
}

/// Whether two signatories are one person, or one key.
#[must_use]
pub fn same(one: &Signatory, other: &Signatory) -> bool {
    one.fingerprint == other.fingerprint || (one.person.is_some() && one.person == other.person)
}
