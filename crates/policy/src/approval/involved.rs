//! Who took part in a head, and so cannot approve it.

use std::collections::BTreeMap;

use countersign_core::facts::Facts;
use countersign_core::names::{CommitId, PersonName};
use countersign_core::review::{CommitFacts, Identity};
use countersign_core::signatures::VerifiedSignatures;

use super::people::People;
use super::proposals::{PUSHED, Proposal};
use super::short;

/// Who took part in a head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Involved {
    /// Everyone who did, and how.
    pub people: BTreeMap<PersonName, String>,
    /// Why not everyone can be known; then nobody's approval counts.
    pub unknown: Option<String>,
}

/// Who took part in each proposed head and, where an approval of the tip itself can explain it, in the tip.
#[must_use]
pub fn by_head(
    facts: &Facts,
    signatures: &VerifiedSignatures,
    people: &People,
    proposals: &[Proposal],
) -> BTreeMap<CommitId, Involved> {
    let mut heads: BTreeMap<CommitId, Involved> = BTreeMap::new();
    for proposal in proposals {
        let involved = heads.entry(proposal.head.clone()).or_default();
        for (identity, part) in &proposal.parties {
            for person in people.could_be(identity) {
                involved.people.entry(person.clone()).or_insert_with(|| (*part).to_owned());
            }
        }
    }
    for (head, involved) in &mut heads {
        match facts.proposed.get(head).filter(|commits| !commits.is_empty()) {
            Some(commits) => commits.iter().for_each(|commit| involved.add(commit, signatures, people)),
            None => involved.unknown = Some("the commits that its head brings are not known".to_owned()),
        }
    }
    if facts.range.stands_alone() {
        let tip = &facts.change.commit;
        let proposed = facts.proposed.get(tip).into_iter().flatten();
        let commit = facts.range.commits.iter().chain(proposed).find(|commit| commit.id == *tip);
        let involved = heads.entry(tip.clone()).or_default();
        match commit {
            Some(commit) => {
                involved.unknown = None;
                involved.add(commit, signatures, people);
            }
            None => involved.unknown = Some("who wrote that commit is not known".to_owned()),
        }
    }
    for proposal in proposals.iter().filter(|proposal| has_unknown_pusher(proposal)) {
        if let Some(involved) = heads.get_mut(&proposal.head) {
            involved.unknown = Some("who pushed to its branch is not known".to_owned());
        }
    }
    heads
}

/// Whether the forge tells of a push and not by whom.
fn has_unknown_pusher(proposal: &Proposal) -> bool {
    let unknown = |(identity, part): &(Identity, &str)| {
        *part == PUSHED && identity.account.is_none() && identity.key.is_none()
    };
    proposal.parties.iter().any(unknown)
}

impl Involved {
    fn add(&mut self, commit: &CommitFacts, signatures: &VerifiedSignatures, people: &People) {
        let id = short(&commit.id);
        let mut took_part = |person: &PersonName, how: &str| {
            self.people.entry(person.clone()).or_insert_with(|| format!("{how} commit {id}"));
        };
        let signatory = signatures.commits.get(&commit.id).and_then(|signatory| signatory.person.as_ref());
        signatory.into_iter().for_each(|person| took_part(person, "signed"));
        people
            .by_email(&commit.author.email)
            .into_iter()
            .for_each(|person| took_part(person, "is the author of"));
        people
            .by_email(&commit.committer.email)
            .into_iter()
            .for_each(|person| took_part(person, "is the committer of"));
        for email in &commit.co_authors {
            people.by_email(email).into_iter().for_each(|person| took_part(person, "is a co-author of"));
        }
    }
}
