//! Votes: approvals and requests for changes, of forges and of signed statements, in one shape.

use std::collections::BTreeSet;

use countersign_core::configuration::Configuration;
use countersign_core::facts::Facts;
use countersign_core::names::{CommitId, PersonName};
use countersign_core::review::{PullRequest, Review, ReviewVerdict};
use countersign_core::signatures::{Signatory, VerifiedSignatures};
use countersign_core::statement::Says;
use countersign_core::time::Timestamp;

use super::people::{People, shown_as};
use super::statements::{Said, Statements, same};

/// One word of one person on one head.
#[derive(Clone, Debug)]
pub struct Vote {
    /// The forge's id of the review, or the digest of the statement.
    pub id: String,
    /// The pull request that it was given on; none for a statement. An id is unique only there.
    pub source: Option<String>,
    /// The person.
    pub person: Option<PersonName>,
    /// What the evidence says of them, for people.
    pub shown_as: String,
    /// The head of what it was given on.
    pub about: CommitId,
    /// The commit that it is bound to.
    pub commit: CommitId,
    /// When.
    pub time: Timestamp,
    /// Whether it approves; otherwise it requests changes.
    pub approves: bool,
    /// Why it is void, if it is.
    pub dismissed: Option<String>,
    /// Whether it is signed with the person's own key.
    pub signed: bool,
}

/// Reviews on the forge. What the forge says of signatures is not believed.
#[must_use]
pub fn on_forge(facts: &Facts, people: &People) -> Vec<Vote> {
    let vote = |request: &PullRequest, review: &Review| {
        let approves = match review.verdict {
            ReviewVerdict::Approved => true,
            ReviewVerdict::ChangesRequested => false,
            ReviewVerdict::Commented => return None,
        };
        Some(Vote {
            id: review.id.clone(),
            source: Some(request.id.clone()),
            person: people.by_account(review.reviewer.account).cloned(),
            shown_as: shown_as(&review.reviewer),
            about: request.head.clone(),
            commit: review.commit.clone(),
            time: review.submitted,
            approves,
            dismissed: review.dismissed.then(|| "the approval was dismissed".to_owned()),
            signed: false,
        })
    };
    let requests = facts.pull_requests.iter();
    requests
        .flat_map(|request| request.reviews.iter().filter_map(move |review| vote(request, review)))
        .collect()
}

/// Approvals signed with a key.
#[must_use]
pub fn signed(
    facts: &Facts,
    configuration: &Configuration,
    signatures: &VerifiedSignatures,
    statements: &Statements<'_>,
) -> Vec<Vote> {
    let dismissers = may_command(facts, configuration);
    let vote = |said: &Said<'_>| {
        let Says::Approve { head } = &said.statement.says else { return None };
        let taken_back = statements.dismissals(said.id).find_map(|dismissal| {
            if same(dismissal.by, said.by) {
                return Some("the approval was taken back".to_owned());
            }
            let person = dismissal.by.person.as_ref().filter(|person| dismissers.contains(person))?;
            Some(format!("the approval was dismissed by {person}"))
        });
        Some(Vote {
            id: said.id.to_string(),
            source: None,
            person: said.by.person.clone(),
            shown_as: format!("key {}", said.by.fingerprint),
            about: head.clone(),
            commit: head.clone(),
            time: said.statement.time,
            approves: true,
            dismissed: taken_back,
            signed: true,
        })
    };
    let unverified = facts.statements.iter().filter_map(|statement| {
        let id = statement.id();
        let claims = statement.claims().ok().filter(|_| !signatures.statements.contains_key(&id))?;
        let Says::Approve { head } = claims.says else { return None };
        let why = signatures.refused.get(&id.to_string()).cloned();
        let why = why.unwrap_or_else(|| "no key was found that made its signature".to_owned());
        Some(Vote {
            id: id.to_string(),
            source: None,
            person: None,
            shown_as: "someone unknown".to_owned(),
            about: head.clone(),
            commit: head,
            time: claims.time,
            approves: true,
            dismissed: Some(why),
            signed: false,
        })
    });
    statements.iter().filter_map(vote).chain(unverified).collect()
}

/// Everyone who may hold and release the facts' target, and dismiss approvals of it: the application's
/// team, and those who approve changes of the control repository.
#[must_use]
pub fn may_command<'a>(facts: &Facts, configuration: &'a Configuration) -> BTreeSet<&'a PersonName> {
    let application = configuration.applications.get(&facts.target.target.application);
    let own = application.map(|application| &application.team);
    let control = &configuration.control.approvals.teams;
    let everyone = control.is_empty().then(|| configuration.teams.keys()).into_iter().flatten();
    let teams = own.into_iter().chain(control).chain(everyone);
    teams.filter_map(|name| configuration.teams.get(name)).flat_map(|team| &team.members).collect()
}

/// Who signed, as far as the control repository knows, for people.
#[must_use]
pub fn signatory(by: &Signatory) -> String {
    by.person.as_ref().map_or_else(|| format!("the unknown key {}", by.fingerprint), ToString::to_string)
}
