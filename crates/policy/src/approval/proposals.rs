//! Proposals: pull requests of a forge and signed statements of plain Git, in one shape.

use countersign_core::facts::Facts;
use countersign_core::names::{CommitId, PersonName, Reference};
use countersign_core::review::{Identity, PullRequest, PullRequestState};
use countersign_core::signatures::VerifiedSignatures;
use countersign_core::statement::Says;
use schemars::JsonSchema;
use serde::Serialize;

use super::people::{People, shown_as};
use super::short;
use super::statements::{Said, Statements};

/// How somebody took part who pushed.
pub const PUSHED: &str = "pushed to the pull request";

/// A pull request or a signed proposal.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// The forge's number, or the digest of the proposing statement.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where a person can look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who opened it, if the control repository knows them by account or key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<PersonName>,
    /// What the evidence says of who opened it, for people.
    pub author_shown_as: String,
    /// The branch that it asks to change.
    pub base: Reference,
    /// The head that it asks to bring there.
    pub head: CommitId,
    /// Whether the head lives in another repository.
    pub fork: bool,
    /// Whether it is open, merged or closed. A signed proposal stays open until its proposer closes it.
    pub state: PullRequestState,
    /// Its labels.
    pub labels: Vec<String>,
    /// Whether it is a statement signed with the author's own key.
    pub signed: bool,
    /// Why it explains nothing; none if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Everyone whom the evidence names as author, pusher or contributor.
    #[serde(skip)]
    pub parties: Vec<(Identity, &'static str)>,
}

/// The forge's pull requests.
pub fn on_forge(facts: &Facts, people: &People) -> Vec<Proposal> {
    facts.pull_requests.iter().map(|request| from_forge(facts, people, request)).collect()
}

fn from_forge(facts: &Facts, people: &People, request: &PullRequest) -> Proposal {
    let wanted = &facts.target.follows.reference;
    let refused = if request.fork {
        Some("its pull request comes from a fork, and who pushed to a fork is not known".to_owned())
    } else if request.state == PullRequestState::Closed {
        Some("its pull request was closed without merging".to_owned())
    } else if request.base != *wanted {
        Some(format!("its pull request asks to change {}, and this target follows {wanted}", request.base))
    } else {
        None
    };
    let author = (request.author.clone(), "opened the pull request");
    let pushers = request.pushers.iter().map(|pusher| (pusher.clone(), PUSHED));
    let contributors = request.contributors.iter();
    let contributors =
        contributors.map(|one| (one.clone(), "wrote or committed a commit of the pull request"));
    Proposal {
        id: request.id.clone(),
        title: request.title.clone(),
        url: request.url.clone(),
        author: people.by_account(request.author.account).cloned(),
        author_shown_as: shown_as(&request.author),
        base: request.base.clone(),
        head: request.head.clone(),
        fork: request.fork,
        state: request.state,
        labels: request.labels.clone(),
        signed: false,
        refused,
        parties: std::iter::once(author).chain(pushers).chain(contributors).collect(),
    }
}

/// Proposals signed with a key.
pub fn signed(facts: &Facts, signatures: &VerifiedSignatures, statements: &Statements<'_>) -> Vec<Proposal> {
    let proposal = |said: &Said<'_>| {
        let Says::Propose { base, head, title } = &said.statement.says else { return None };
        let closed = statements.closed(said);
        let fingerprint = &said.by.fingerprint;
        let wanted = &facts.target.follows.reference;
        let refused = if said.by.person.is_none() {
            Some(format!(
                "its proposal is signed by {fingerprint}, which is nobody's key in the control repository"
            ))
        } else if closed {
            Some("its proposal was closed".to_owned())
        } else if base != wanted {
            Some(format!("its proposal asks to change {base}, and this target follows {wanted}"))
        } else {
            unsigned_commit(facts, signatures, head)
        };
        let key = Identity { key: Some(fingerprint.clone()), ..Identity::default() };
        Some(Proposal {
            id: said.id.to_string(),
            title: title.clone(),
            url: None,
            author: said.by.person.clone(),
            author_shown_as: shown_as(&key),
            base: base.clone(),
            head: head.clone(),
            fork: false,
            state: if closed { PullRequestState::Closed } else { PullRequestState::Open },
            labels: Vec::new(),
            signed: true,
            refused,
            parties: vec![(key, "signed the proposal")],
        })
    };
    statements.iter().filter_map(proposal).collect()
}

/// Why a signed proposal explains nothing: without a forge, only the signatures of its commits say who
/// wrote them.
fn unsigned_commit(facts: &Facts, signatures: &VerifiedSignatures, head: &CommitId) -> Option<String> {
    let Some(commits) = facts.proposed.get(head).filter(|commits| !commits.is_empty()) else {
        return Some("the commits that its proposal brings are not known".to_owned());
    };
    let known = |id| signatures.commits.get(id).is_some_and(|signatory| signatory.person.is_some());
    let unsigned = commits.iter().find(|commit| !known(&commit.id))?;
    let why = match signatures.refused.get(unsigned.id.as_str()) {
        Some(why) => why.clone(),
        None if unsigned.signature.is_none() => "it has no signature".to_owned(),
        None => "its key is nobody's in the control repository".to_owned(),
    };
    Some(format!("commit {} of its proposal is not signed by a known person: {why}", short(&unsigned.id)))
}
