//! How an object is, after the rules that kstatus (sigs.k8s.io/cli-utils) made common, and how all objects
//! of a change are together.

use countersign_core::facts::ObjectKey;
use countersign_core::outcome::{Action, ObjectOutcome};
use countersign_core::ports::cluster::{Cluster, ClusterError};
use serde_json::Value;

use crate::parallel;

mod builtin;
mod conditions;
mod fields;
mod workload;

/// So many objects are named in a summary.
const SUMMARY_LIMIT: usize = 3;

/// How an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As wanted.
    Current,
    /// On its way.
    InProgress,
    /// It came to a bad end.
    Failed,
    /// Being deleted.
    Terminating,
    /// Not there.
    NotFound,
    /// What there is cannot be judged.
    Unknown,
}

/// How an object is, with the reason for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// How it is.
    pub status: Status,
    /// Why, in a few words; may be empty when all is well.
    pub message: String,
}

impl Health {
    fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    fn current(message: impl Into<String>) -> Self {
        Self::new(Status::Current, message)
    }

    fn in_progress(message: impl Into<String>) -> Self {
        Self::new(Status::InProgress, message)
    }

    fn failed(message: impl Into<String>) -> Self {
        Self::new(Status::Failed, message)
    }
}

/// How `object` is. First what every object tells in the same way, then what its kind tells in its own,
/// then the condition `Ready`; an object that tells nothing is as wanted.
#[must_use]
pub fn of(object: &Value) -> Health {
    if !object.is_object() || object.get("kind").and_then(Value::as_str).is_none() {
        return Health::new(Status::Unknown, "it is not an object of a kind");
    }
    conditions::common(object)
        .or_else(|| builtin::of(object))
        .or_else(|| conditions::ready(object))
        .unwrap_or_else(|| Health::current(""))
}

/// The health of one object among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectHealth {
    /// The object.
    pub key: ObjectKey,
    /// How it is.
    pub health: Health,
}

/// The health of all objects of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// One entry per object that was asked for, in that order.
    pub objects: Vec<ObjectHealth>,
}

/// Objects that were all seen as wanted at one time. Only [`Overview::healthy`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healthy {
    keys: Vec<ObjectKey>,
}

impl Healthy {
    /// The objects.
    #[must_use]
    pub fn keys(&self) -> &[ObjectKey] {
        &self.keys
    }
}

/// Reads the health of the objects that `keys` name.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn of_all(cluster: &impl Cluster, keys: &[ObjectKey]) -> Result<Overview, ClusterError> {
    let tasks = keys.iter().map(|key| read(cluster, key)).collect();
    let objects = parallel::run(tasks).await.into_iter().collect::<Result<_, _>>()?;
    Ok(Overview { objects })
}

async fn read(cluster: &impl Cluster, key: &ObjectKey) -> Result<ObjectHealth, ClusterError> {
    let health = match cluster.get(key).await {
        Ok(Some(object)) => of(&object),
        Ok(None) | Err(ClusterError::NotFound(_)) => Health::new(Status::NotFound, "it is not there"),
        Err(error) => return Err(error),
    };
    Ok(ObjectHealth { key: key.clone(), health })
}

impl Overview {
    /// Failed if any object is; else in progress if any is not as wanted; else current.
    #[must_use]
    pub fn status(&self) -> Status {
        let any = |status| self.objects.iter().any(|object| object.health.status == status);
        if any(Status::Failed) {
            return Status::Failed;
        }
        match self.objects.iter().all(|object| object.health.status == Status::Current) {
            true => Status::Current,
            false => Status::InProgress,
        }
    }

    /// The proof that every object is as wanted, if it is.
    #[must_use]
    pub fn healthy(&self) -> Option<Healthy> {
        let keys = || self.objects.iter().map(|object| object.key.clone()).collect();
        (self.status() == Status::Current).then(|| Healthy { keys: keys() })
    }

    /// In one sentence, for people: how many are not as wanted, and the first of them with reasons.
    #[must_use]
    pub fn summary(&self) -> String {
        let total = self.objects.len();
        let mut wrong: Vec<&ObjectHealth> =
            self.objects.iter().filter(|object| object.health.status != Status::Current).collect();
        if wrong.is_empty() {
            return format!("all {total} objects are as wanted");
        }
        // What failed is what a person has to know first.
        wrong.sort_by_key(|object| object.health.status != Status::Failed);
        let told: Vec<String> = wrong.iter().take(SUMMARY_LIMIT).map(ToString::to_string).collect();
        let more = match wrong.len().saturating_sub(SUMMARY_LIMIT) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        format!("{} of {total} objects are not as wanted: {}{more}", wrong.len(), told.join("; "))
    }

    /// One entry per object, for an outcome.
    #[must_use]
    pub fn outcomes(&self) -> Vec<ObjectOutcome> {
        let outcome = |object: &ObjectHealth| ObjectOutcome {
            key: object.key.clone(),
            action: Action::Observed,
            message: Some(object.health.to_string()),
        };
        self.objects.iter().map(outcome).collect()
    }
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = match self.status {
            Status::Current => "as wanted",
            Status::InProgress => "in progress",
            Status::Failed => "failed",
            Status::Terminating => "terminating",
            Status::NotFound => "not found",
            Status::Unknown => "unknown",
        };
        match self.message.as_str() {
            "" => f.write_str(status),
            message => write!(f, "{status}: {message}"),
        }
    }
}

impl std::fmt::Display for ObjectHealth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.key, self.health)
    }
}

#[cfg(test)]
mod tests;
