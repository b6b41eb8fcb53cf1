//! Messages between stages, and the queues that carry them. At least once everywhere.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::names::{AttemptId, ClusterName, CommitId, EnvironmentName, RepositoryId, Target};
use crate::time::Timestamp;

/// The version of the messages that this release writes.
pub const MESSAGE_VERSION: u32 = 1;

/// A queue. What kind of record a message may be, and of which cluster, follows from the queue that it
/// came by, never from its body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueName {
    /// receive, poll, record → gather: an [`Event`](crate::event::Event), grouped by what it says.
    Events,
    /// gather → evaluate; grouped by target.
    Facts,
    /// evaluate → record; one group.
    Decisions,
    /// record → apply of one cluster; grouped by target.
    Deploys(ClusterName),
    /// apply, observe → observe of one cluster; not ordered, delayed.
    Observations(ClusterName),
    /// apply, observe, drift of one cluster → record: an [`Outcome`](crate::outcome::Outcome), grouped by target.
    Outcomes(ClusterName),
    /// record → report; grouped by repository, commit and environment.
    Reports,
    /// Each queue → record: what became a dead letter, in the groups of the queue that it came by. What
    /// serves one cluster tells by a queue of its own, and so speaks for no other.
    DeadLetters(Option<ClusterName>),
}

impl QueueName {
    /// Every queue of an installation with these clusters.
    #[must_use]
    pub fn all<'a>(clusters: impl IntoIterator<Item = &'a ClusterName>) -> Vec<Self> {
        let of_cluster = |name: &ClusterName| {
            [
                Self::Deploys(name.clone()),
                Self::Observations(name.clone()),
                Self::Outcomes(name.clone()),
                Self::DeadLetters(Some(name.clone())),
            ]
        };
        let shared = [Self::Events, Self::Facts, Self::Decisions, Self::Reports, Self::DeadLetters(None)];
        shared.into_iter().chain(clusters.into_iter().flat_map(of_cluster)).collect()
    }

    /// Whether messages of a group come in order, one batch at a time.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        !matches!(self, Self::Observations(_))
    }

    /// The queue by which `record` learns of the dead letters of this one; none for those queues themselves,
    /// whose messages are tried for ever.
    #[must_use]
    pub fn dead_letters(&self) -> Option<Self> {
        match self {
            Self::Events | Self::Facts | Self::Decisions | Self::Reports => Some(Self::DeadLetters(None)),
            Self::Deploys(cluster) | Self::Observations(cluster) | Self::Outcomes(cluster) => {
                Some(Self::DeadLetters(Some(cluster.clone())))
            }
            Self::DeadLetters(_) => None,
        }
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
            Self::DeadLetters(None) => f.write_str("dead-letters"),
            Self::DeadLetters(Some(cluster)) => write!(f, "dead-letters-{cluster}"),
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

/// On `dead-letters` and `dead-letters-CLUSTER`: a message can never succeed, and is kept aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The queue that it came by.
    pub queue: String,
    /// Its id there.
    pub id: String,
    /// Why it can never succeed.
    pub reason: String,
    /// The digest of its body.
    pub body: Digest,
    /// The attempt that it was about, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptId>,
    /// The target that it was about, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

impl Message<DeadLetter> {
    /// What is told of the message `id` of `queue`, of which only the body is known.
    #[must_use]
    pub fn of_dead_letter(queue: &QueueName, id: &str, body: &str, reason: &str) -> Self {
        // Nothing may be missing from what cannot be understood: all of it is a try.
        let read = serde_json::from_str::<serde_json::Value>(body).unwrap_or_default();
        let about = read.get("body");
        let part = |name: &str| {
            let event = about.and_then(|about| about.get("kind"));
            about.and_then(|about| about.get(name)).or_else(|| event?.get(name)).cloned()
        };
        let letter = DeadLetter {
            queue: queue.to_string(),
            id: id.to_owned(),
            reason: reason.to_owned(),
            body: Digest::of(body.as_bytes()),
            attempt: part("attempt").and_then(|attempt| serde_json::from_value(attempt).ok()),
            target: part("target").and_then(|target| serde_json::from_value(target).ok()),
        };
        let trace = read.get("trace").and_then(serde_json::Value::as_str).unwrap_or_default();
        Self::new(&trace.chars().take(MAX_TRACE).collect::<String>(), letter)
    }
}

/// The most characters of a trace that are taken from a message that was not understood.
const MAX_TRACE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_tells_what_it_was_about_where_that_is_known() {
        let attempt = Digest::of(b"attempt").hex();
        let target = r#"{"application":"shop","environment":"staging","cluster":"east"}"#;
        let deploy =
            format!(r#"{{"v":9,"trace":"t","body":{{"attempt":"sha256:{attempt}","target":{target}}}}}"#);
        let deploys = QueueName::Deploys("east".parse().expect("a name"));
        let told = Message::of_dead_letter(&deploys, "7", &deploy, "too new");
        assert_eq!((told.trace.as_str(), told.body.queue.as_str()), ("t", "deploys-east"));
        assert_eq!(told.body.target.map(|target| target.to_string()), Some("shop/staging/east".to_owned()));
        assert!(told.body.attempt.is_some());

        let due = format!(r#"{{"body":{{"kind":{{"type":"targetDue","target":{target}}}}}}}"#);
        let told = Message::of_dead_letter(&QueueName::Events, "8", &due, "no");
        assert!(told.body.target.is_some() && told.body.attempt.is_none());

        for nothing in ["", "null", "[1]", r#"{"body":{"target":7,"attempt":{}}}"#] {
            let told = Message::of_dead_letter(&QueueName::Facts, "9", nothing, "no");
            assert_eq!((told.body.target, told.body.attempt), (None, None), "{nothing}");
            assert_eq!(told.body.body, Digest::of(nothing.as_bytes()));
        }
    }
}
