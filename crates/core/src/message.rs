//! Messages between stages, and the queues that carry them. At least once everywhere.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::event::Event;
use crate::names::{AttemptId, ClusterName, CommitId, EnvironmentName, RepositoryId, Target};
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// The version of the messages that this release writes.
pub const MESSAGE_VERSION: u32 = 1;

/// A queue. What kind of record a message may be, and of which cluster, follows from the queue that it
/// came by, never from its body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueName {
    /// receive, poll, record → gather; grouped by [`Event::group`].
    Events,
    /// gather → evaluate; grouped by target.
    Facts,
    /// evaluate → record; one group.
    Decisions,
    /// record → apply of one cluster; grouped by target.
    Deploys(ClusterName),
    /// apply, observe → observe of one cluster; not ordered, delayed.
    Observations(ClusterName),
    /// apply, observe, drift of one cluster → record; grouped by target.
    Outcomes(ClusterName),
    /// record → report; grouped by repository, commit and environment.
    Reports,
}

impl QueueName {
    /// Every queue of an installation with these clusters.
    #[must_use]
    pub fn all<'a>(clusters: impl IntoIterator<Item = &'a ClusterName>) -> Vec<Self> {
        let of_cluster = |name: &ClusterName| {
            [Self::Deploys(name.clone()), Self::Observations(name.clone()), Self::Outcomes(name.clone())]
        };
        let shared = [Self::Events, Self::Facts, Self::Decisions, Self::Reports];
        shared.into_iter().chain(clusters.into_iter().flat_map(of_cluster)).collect()
    }

    /// Whether messages of a group come in order, one batch at a time.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        !matches!(self, Self::Observations(_))
    }
}

impl std::fmt::Display for QueueName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Events => f.write_str("events"),
            Self::Facts => f.write_str("facts"),
            Self::Decisions => f.write_str("decisions"),
            Self::Deploys(cluster) => write!(f, "deploys-{cluster}"),
            Self::Observations(cluster) => write!(f, "observations-{cluster}"),
            Self::Outcomes(cluster) => write!(f, "outcomes-{cluster}"),
            Self::Reports => f.write_str("reports"),
        }
    }
}

/// What every message wears: its version, and the trace from webhook to outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message<T> {
    /// [`MESSAGE_VERSION`].
    pub v: u32,
    /// Names the chain of messages that one cause set off.
    pub trace: String,
    /// The content.
    pub body: T,
}

impl<T> Message<T> {
    /// A message of this release's version.
    pub fn new(trace: &str, body: T) -> Self {
        Self { v: MESSAGE_VERSION, trace: trace.to_owned(), body }
    }
}

/// On `events`.
pub type EventMessage = Message<Event>;

/// On `facts`: facts were gathered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FactsGathered {
    /// The attempt whose facts are stored.
    pub attempt: AttemptId,
    /// The target.
    pub target: Target,
}

/// On `decisions`: decisions were made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionsMade {
    /// The decisions of one received batch.
    pub decisions: Vec<DecisionMade>,
}

/// One decision of a [`DecisionsMade`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionMade {
    /// Its blob.
    pub decision: Digest,
    /// The trace that it belongs to: one batch may hold several.
    pub trace: String,
}

/// On `deploys-CLUSTER`: an authorization was issued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeployDue {
    /// The attempt whose authorization is stored.
    pub attempt: AttemptId,
    /// The target.
    pub target: Target,
}

/// On `observations-CLUSTER`: health is to be followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservationDue {
    /// The attempt that was applied.
    pub attempt: AttemptId,
    /// The target.
    pub target: Target,
    /// The sequence of the authorization.
    pub sequence: u64,
    /// When it was applied.
    pub since: Timestamp,
    /// How often was looked before.
    pub looks: u32,
    /// Whether it was told before that this did not become healthy in time: it is told once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
}

/// On `outcomes-CLUSTER`.
pub type OutcomeMessage = Message<Outcome>;

/// On `reports`: something about a commit in an environment changed. The state is read, not the message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportDue {
    /// The repository.
    pub repository: RepositoryId,
    /// The commit.
    pub commit: CommitId,
    /// The environment.
    pub environment: EnvironmentName,
}
