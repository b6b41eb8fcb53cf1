//! Holds a decision against what people really did: whose approvals count, and that nothing rides along.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_core::configuration::{Approvals, Configuration};
use countersign_core::decision::Decision;
use countersign_core::facts::{Facts, Operation};
use countersign_core::keys;
use countersign_core::leaf::DecisionRecord;
use countersign_core::names::{CommitId, TeamName};
use countersign_core::ports::store;
use countersign_core::review::{PullRequest, ReviewVerdict};

use super::forge::{Forge, Given, Model, Pull};
use super::immediate;
use super::installation::{PLACES, Prepared};
use super::memory::store::MemoryStore;

/// The facts of a decision.
#[must_use]
pub fn facts(store: &MemoryStore, record: &DecisionRecord) -> Option<Facts> {
    serde_json::from_slice(&store.peek(&keys::facts(&record.attempt))?).ok()
}

/// Whether a decision that takes effect is one that may.
///
/// # Errors
/// Why it may not.
pub fn holds(
    store: &MemoryStore,
    forge: &Forge,
    prepared: &Arc<Prepared>,
    record: &DecisionRecord,
    from: Option<&CommitId>,
) -> Result<(), String> {
    if record.operation == Operation::Remove {
        return Ok(());
    }
    let facts = facts(store, record).ok_or("its facts are not stored")?;
    let decision: Decision = immediate(store::get_blob(store, keys::blob, &record.decision))
        .map_err(|error| format!("its decision is not stored: {error}"))?;
    let configuration = store.peek(&keys::bundle_configuration(&record.bundle));
    let configuration: Configuration = configuration
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or("its bundle is not stored")?;
    let model = forge.model();
    let oracle = Oracle { facts: &facts, model: &model, prepared, configuration: &configuration };
    for explained in &record.explained {
        oracle.approved(record, &decision, &explained.head)?;
    }
    oracle.rides_along(record, from)
}

struct Oracle<'a> {
    facts: &'a Facts,
    model: &'a Model,
    prepared: &'a Prepared,
    configuration: &'a Configuration,
}

impl Oracle<'_> {
    fn asked(&self, record: &DecisionRecord) -> (Approvals, BTreeSet<TeamName>) {
        if record.target.is_control() {
            let approvals = self.configuration.control.approvals.clone();
            let eligible = approvals.teams.iter().cloned().collect();
            return (approvals, eligible);
        }
        let target = self.configuration.target(&record.target);
        let approvals =
            target.as_ref().map(|target| target.environment.approvals.clone()).unwrap_or_default();
        let own = target.map(|target| target.application.team.clone());
        let eligible = approvals.teams.iter().cloned().chain(own).collect();
        (approvals, eligible)
    }

    /// The head has the approvals that are asked for, from people who may give them.
    fn approved(&self, record: &DecisionRecord, decision: &Decision, head: &CommitId) -> Result<(), String> {
        let (asked, eligible) = self.asked(record);
        let mut approvers = BTreeSet::new();
        let counting = decision.approvals.iter().filter(|approval| approval.counts && approval.head == *head);
        for approval in counting {
            let given = self
                .given(&approval.id)
                .ok_or_else(|| format!("approval {} was never given", approval.id))?;
            self.counts(given, head, &eligible).map_err(|why| {
                format!("approval {} of {} counts, and {why}", approval.id, &head.as_str()[..8])
            })?;
            approvers.extend(given.2.person);
        }
        let in_team = |team: &TeamName| approvers.iter().any(|person| self.is_in(*person, team));
        if approvers.len() < asked.count as usize || !asked.teams.iter().all(in_team) {
            return Err(format!("head {head} has not the approvals that it needs"));
        }
        Ok(())
    }

    fn is_in(&self, person: usize, team: &TeamName) -> bool {
        let name = self.prepared.people[person].id();
        self.configuration.teams.get(team).is_some_and(|team| team.members.contains(&name))
    }

    /// The review as the facts tell of it and as it really was given.
    fn given(&self, id: &str) -> Option<(&PullRequest, &Pull, &Given)> {
        self.facts.pull_requests.iter().find_map(|told| {
            let pull = self.model.pulls.iter().find(|pull| pull.number.to_string() == told.id)?;
            let given = pull.reviews.iter().find(|given| given.id.to_string() == id)?;
            Some((told, pull, given))
        })
    }

    fn counts(
        &self,
        (told, pull, given): (&PullRequest, &Pull, &Given),
        head: &CommitId,
        eligible: &BTreeSet<TeamName>,
    ) -> Result<(), String> {
        let read = told.url.as_ref().and_then(|url| url.rsplit_once("?at=")?.1.parse::<i64>().ok());
        let read = read.ok_or("nobody knows when it was read")?;
        let person = given.person.ok_or("a stranger gave it")?;
        let known = &self.prepared.people[person];
        let named = self.configuration.people.get(&known.id());
        if !named.is_some_and(|named| named.accounts.values().any(|account| *account == known.account)) {
            return Err("it was given by an account that nobody here has".to_owned());
        }
        if pull.fork {
            return Err("it is of a fork's pull request".to_owned());
        }
        if given.verdict != ReviewVerdict::Approved || given.commit != *head {
            return Err("it is of something else".to_owned());
        }
        if given.dismissed.is_some_and(|at| at < read) {
            return Err("it was dismissed".to_owned());
        }
        if !eligible.iter().any(|team| self.is_in(person, team)) {
            return Err(format!("{} may not give one here", self.prepared.people[person].name));
        }
        let wrote = self.model.authors.get(head).is_some_and(|authors| authors.contains(&person));
        if wrote || (pull.involved.contains(&person) && told.head == *head && pull.head == *head) {
            return Err(format!("{} took part in it", self.prepared.people[person].name));
        }
        let later = |other: &&Given| other.person == given.person && other.id > given.id && other.at < read;
        let last = pull.reviews.iter().rfind(later);
        match last.is_some_and(|other| {
            other.verdict == ReviewVerdict::ChangesRequested && other.dismissed.is_none()
        }) {
            true => Err("changes were requested later".to_owned()),
            false => Ok(()),
        }
    }

    /// Every file of the target at the commit is as it was authorized last, or as some approved head has it. The control
    /// repository is one target as a whole.
    fn rides_along(&self, record: &DecisionRecord, from: Option<&CommitId>) -> Result<(), String> {
        let place = PLACES.iter().find(|(_, application, environment)| {
            *application == record.target.application.as_str()
                && *environment == record.target.environment.as_str()
        });
        let (folder, begin) = match place {
            Some((folder, _, _)) => {
                let target = self.configuration.target(&record.target);
                (*folder, target.and_then(|target| target.placement.baseline.clone()))
            }
            None if record.target.is_control() => ("", Some(self.prepared.genesis.1.commit.clone())),
            None => return Err("it is of a target that there is not".to_owned()),
        };
        let bare = &self.model.repositories[&record.follows.repository];
        let Some(from) = from.or(begin.as_ref()) else { return Ok(()) };
        let heads: Vec<_> = record.explained.iter().map(|explained| bare.files(&explained.head)).collect();
        let (before, after) = (bare.files(from), bare.files(&record.commit));
        let below = |path: &&String| path.starts_with(folder);
        for path in before.keys().chain(after.keys()).filter(below) {
            let found = after.get(path);
            if found != before.get(path) && !heads.iter().any(|head| head.get(path) == found) {
                return Err(format!("{path} of {} was approved by nobody: it rides along", record.commit));
            }
        }
        Ok(())
    }
}
