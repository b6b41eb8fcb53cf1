//! Who counts: from raw reviews, identities and verified statements to approvals, each with its reason.
//!
//! A person counts who is in a team that may approve here, is known by a numeric account id on the
//! repository's host or by a key of theirs, took no part in what is reviewed, and whose latest word on the
//! reviewed head is an approval of exactly that head. E-mail addresses, which anyone can write into a
//! commit, can only exclude. Evidence that is missing never counts.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::configuration::{Approvals, Configuration, HostKind};
use countersign_core::decision::{Approval, WeighedStatus};
use countersign_core::facts::{Facts, Relation};
use countersign_core::names::{CommitId, PersonName, TeamName};
use countersign_core::signatures::VerifiedSignatures;
use schemars::JsonSchema;
use serde::Serialize;

pub mod involved;
pub mod people;
pub mod proposals;
pub mod statements;
pub mod votes;

use involved::Involved;
use people::People;
use proposals::Proposal;
use statements::Statements;
use votes::Vote;

use crate::status::{self, RequiredStatus};

/// What a change of this target needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// How many people must approve.
    pub count: u32,
    /// Teams of which at least one member each must be among them.
    pub teams: Vec<TeamName>,
    /// Whether only approvals signed with a person's own key count.
    pub signed: bool,
    /// Whether the rendered objects must equal those that were reviewed.
    pub exact: bool,
    /// Whether the owners of the files that differ must be among those who approve.
    pub code_owners: bool,
    /// The statuses that each reviewed head must have.
    pub statuses: Vec<RequiredStatus>,
    /// Teams whose members' approvals count here: `teams`, and the application's own. For the control
    /// repository: `teams`, or every team if it names none.
    pub eligible_teams: BTreeSet<TeamName>,
}

impl Requirement {
    /// What the configuration demands of the facts' target; none if the target is not configured.
    #[must_use]
    pub fn of(configuration: &Configuration, facts: &Facts) -> Option<Self> {
        let target = &facts.target.target;
        if target.is_control() {
            let approvals = &configuration.control.approvals;
            let listed = approvals.teams.iter().cloned().collect::<BTreeSet<_>>();
            let eligible =
                if listed.is_empty() { configuration.teams.keys().cloned().collect() } else { listed };
            return Some(Self::new(approvals, eligible));
        }
        let target = configuration.target(target)?;
        let approvals = &target.environment.approvals;
        let own = [target.application.team.clone()];
        let eligible = approvals.teams.iter().cloned().chain(own).collect();
        let host = &facts.target.follows.repository.host;
        Some(Self {
            exact: target.environment.exact,
            statuses: status::required(configuration, &target.environment.statuses, host),
            ..Self::new(approvals, eligible)
        })
    }

    fn new(approvals: &Approvals, eligible_teams: BTreeSet<TeamName>) -> Self {
        Self {
            count: approvals.count,
            teams: approvals.teams.clone(),
            signed: approvals.signed,
            exact: false,
            code_owners: approvals.code_owners,
            statuses: Vec::new(),
            eligible_teams,
        }
    }

    /// Everyone whose approval could count.
    pub fn people<'a>(&'a self, configuration: &'a Configuration) -> BTreeSet<&'a PersonName> {
        let teams = self.eligible_teams.iter().filter_map(|name| configuration.teams.get(name));
        teams.flat_map(|team| &team.members).collect()
    }
}

/// What the evidence comes to.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Every pull request and signed proposal.
    pub proposals: Vec<Proposal>,
    /// Every approval that was ever given, oldest first.
    pub approvals: Vec<Approval>,
    /// What programs said of the heads that take part.
    pub statuses: Vec<WeighedStatus>,
    /// For each head, who took part in it.
    pub involved: BTreeMap<CommitId, Involved>,
}

impl Evidence {
    /// Weighs the evidence in `facts`.
    #[must_use]
    pub fn weigh(
        configuration: &Configuration,
        facts: &Facts,
        signatures: &VerifiedSignatures,
        requirement: &Requirement,
    ) -> Self {
        let people = People::of(configuration, &facts.target.follows.repository.host);
        let statements = Statements::verified(facts, signatures);
        let plain = configuration
            .hosts
            .get(&facts.target.follows.repository.host)
            .is_some_and(|host| host.kind == HostKind::Plain);
        let mut proposals = proposals::signed(facts, signatures, &statements);
        // Nobody vouches for what a plain repository says of itself: there, only signed statements do.
        if !plain {
            proposals.extend(proposals::on_forge(facts, &people));
        }
        let involved = involved::by_head(facts, signatures, &people, &proposals);
        let mut votes = votes::signed(facts, configuration, signatures, &statements);
        if !plain {
            votes.extend(votes::on_forge(facts, &people));
        }
        // Forges tell whole seconds: of what was said within one, a request for changes is the last word.
        votes.sort_by(|a, b| (a.time, !a.approves, &a.id).cmp(&(b.time, !b.approves, &b.id)));
        let weighing = Weighing {
            configuration,
            facts,
            requirement,
            proposals: &proposals,
            involved: &involved,
            votes: &votes,
        };
        let approvals =
            votes.iter().filter(|vote| vote.approves).map(|vote| weighing.approval(vote)).collect();
        let statuses = status::weigh(&requirement.statuses, facts);
        Self { proposals, approvals, statuses, involved }
    }

    /// Everyone whose approval of `head` counts.
    #[must_use]
    pub fn approvers(&self, head: &CommitId) -> BTreeSet<&PersonName> {
        let counting = self.approvals.iter().filter(|approval| approval.counts && approval.head == *head);
        counting.filter_map(|approval| approval.person.as_ref()).collect()
    }

    /// Whether a proposal with this head may explain commits.
    #[must_use]
    pub fn explains(&self, head: &CommitId) -> bool {
        self.proposals.iter().any(|proposal| proposal.head == *head && proposal.refused.is_none())
    }
}

struct Weighing<'a> {
    configuration: &'a Configuration,
    facts: &'a Facts,
    requirement: &'a Requirement,
    proposals: &'a [Proposal],
    involved: &'a BTreeMap<CommitId, Involved>,
    votes: &'a [Vote],
}

impl Weighing<'_> {
    fn approval(&self, vote: &Vote) -> Approval {
        let who = vote.person.as_ref().map_or(vote.shown_as.as_str(), PersonName::as_str);
        let approved = format!("{who} approved {}", short(&vote.commit));
        let (counts, reason) = match self.against(vote) {
            Some(objection) => (false, format!("{approved}, but {objection}")),
            None if vote.signed => (true, format!("{approved} with a signature")),
            None => (true, approved),
        };
        Approval {
            id: vote.id.clone(),
            person: vote.person.clone(),
            shown_as: vote.shown_as.clone(),
            head: vote.commit.clone(),
            signed: vote.signed,
            counts,
            reason,
        }
    }

    /// Why an approval does not count.
    fn against(&self, vote: &Vote) -> Option<String> {
        if let Some(why) = &vote.dismissed {
            return Some(why.clone());
        }
        let Some(person) = &vote.person else {
            return Some("is nobody whom the control repository knows by account or key".to_owned());
        };
        if !self.requirement.people(self.configuration).contains(person) {
            let teams = list(self.requirement.eligible_teams.iter().map(TeamName::as_str));
            return Some(format!("is in no team that may approve here ({teams})"));
        }
        self.misplaced(vote)
            .or_else(|| self.outdated(vote, person))
            .or_else(|| self.unbound(vote))
            .or_else(|| self.partial(vote, person))
    }

    /// Why the pull request that it was given on carries no approval, whatever else has the same head.
    fn misplaced(&self, vote: &Vote) -> Option<String> {
        let source = vote.source.as_ref()?;
        let own = self.proposals.iter().find(|proposal| !proposal.signed && proposal.id == *source)?;
        own.refused.clone().filter(|_| own.fork || !self.is_of_lone_tip(vote))
    }

    /// Whether an approval of the tip itself can explain it, and this is one.
    fn is_of_lone_tip(&self, vote: &Vote) -> bool {
        self.facts.range.stands_alone() && vote.commit == self.facts.change.commit
    }

    /// Why it is no longer this person's word.
    fn outdated(&self, vote: &Vote, person: &PersonName) -> Option<String> {
        let latest = self.votes.iter().rfind(|other| {
            let same = other.person.as_ref() == Some(person) && other.about == vote.about;
            same && !(other.approves && self.misplaced(other).is_some())
        })?;
        if latest.id == vote.id && latest.source == vote.source {
            return None;
        }
        Some(match latest.approves {
            true => "approved again later, and the later approval is the one that is weighed".to_owned(),
            false => "requested changes later".to_owned(),
        })
    }

    /// Why it is not about what is to be explained.
    fn unbound(&self, vote: &Vote) -> Option<String> {
        if vote.commit != vote.about {
            return Some(format!("the proposed head is {} now", short(&vote.about)));
        }
        if self.is_of_lone_tip(vote) {
            return self.stale(vote);
        }
        let about: Vec<_> = self.proposals.iter().filter(|proposal| proposal.head == vote.about).collect();
        match about.iter().find_map(|proposal| proposal.refused.clone()) {
            Some(why) if about.iter().all(|proposal| proposal.refused.is_some()) => Some(why),
            _ if about.is_empty() => Some("no proposal has this head".to_owned()),
            _ if !self.leads_here(&vote.about) => Some(
                "nothing here is the merge of exactly that head: what came of it was edited, or is something else"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// Whether a head explains a part of what is to be explained.
    fn leads_here(&self, head: &CommitId) -> bool {
        let range = &self.facts.range;
        range.altering.is_empty() || range.explanations.iter().any(|run| run.head == *head)
    }

    /// A rollback needs an approval of its own: one that was given after what it rolls back.
    fn stale(&self, vote: &Vote) -> Option<String> {
        if self.facts.range.relation != Relation::Diverges {
            return None;
        }
        let history = &self.facts.history;
        match history.authorized_at {
            Some(time) if vote.time > time => None,
            Some(time) => Some(format!(
                "that was before {time}, when what runs was asked for: going back needs an approval of its own"
            )),
            None if history.used_heads.contains_key(&vote.commit) => {
                Some("that approval was used before: going back needs an approval of its own".to_owned())
            }
            None => None,
        }
    }

    /// Why this person cannot approve this change at all.
    fn partial(&self, vote: &Vote, person: &PersonName) -> Option<String> {
        let Some(involved) = self.involved.get(&vote.about) else {
            return Some("what the head brings is not known".to_owned());
        };
        if let Some(unknown) = &involved.unknown {
            return Some(unknown.clone());
        }
        if let Some(part) = involved.people.get(person) {
            return Some(part.clone());
        }
        let wants = self.requirement.signed && !vote.signed;
        wants.then(|| "only approvals signed with a person's own key count here".to_owned())
    }
}

/// The first digits of a commit, for people.
#[must_use]
pub fn short(commit: &CommitId) -> &str {
    commit.as_str().get(..8).unwrap_or(commit.as_str())
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
