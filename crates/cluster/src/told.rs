//! What was last told of a target's drift, kept beside its inventory: so it is told once, and once that it is over.

use countersign_core::authorization::Sequence;
use countersign_core::digest::Digest;
use countersign_core::names::Target;
use countersign_core::ports::cluster::Cluster;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Reason};
use crate::keep::{self, Kept, NAMESPACE};

/// The version that this release writes.
const TOLD_VERSION: u32 = 1;
/// The field of the `ConfigMap` that holds it.
const FIELD: &str = "drift.json";

/// What was last told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Told {
    v: u32,
    /// The change that it was about.
    pub sequence: Sequence,
    /// How many reports there were of this change.
    pub reports: u32,
    /// The digest of how it differs; none while it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<Digest>,
    /// Why it could not be put back, where that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
    /// Whether the last report may not have been sent: it is kept first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
}

impl Told {
    /// Nothing was told of this change.
    #[must_use]
    pub const fn nothing(sequence: Sequence) -> Self {
        Self { v: TOLD_VERSION, sequence, reports: 0, differs: None, stuck: None, unsent: false }
    }

    /// The same, once it was sent.
    #[must_use]
    pub fn sent(&self) -> Self {
        Self { unsent: false, ..self.clone() }
    }

    /// What will have been told with one report more, which is still to be sent.
    #[must_use]
    pub fn and(&self, differs: Option<Digest>, stuck: Option<String>) -> Self {
        Self { differs, stuck, reports: self.reports.saturating_add(1), unsent: true, ..*self }
    }
}

/// What was last told as it was read; writing over it succeeds only if it is still what is stored.
#[derive(Debug)]
pub struct Held {
    /// What was told; of another change it says nothing of this one.
    pub told: Told,
    kept: Option<Kept>,
}

/// What was last told of the change of this `sequence`.
///
/// # Errors
/// When the cluster cannot be read, or what is there is not ours.
pub async fn read(fence: &impl Cluster, target: &Target, sequence: Sequence) -> Result<Held, Failure> {
    let kept = keep::read(fence, &name_of(target), FIELD).await?;
    let told = kept.as_ref().map(|kept| parse(target, &kept.text)).transpose()?;
    let told = told.filter(|told| told.sequence == sequence).unwrap_or(Told::nothing(sequence));
    Ok(Held { told, kept })
}

/// Keeps what was told.
///
/// # Errors
/// When the cluster cannot be written to, or somebody else wrote meanwhile.
pub async fn write(fence: &impl Cluster, target: &Target, told: Told, over: &Held) -> Result<Held, Failure> {
    let text = serde_json::to_string(&told).map_err(|error| {
        Failure::new(Reason::Invalid, format!("what was told cannot be written: {error}"))
    })?;
    let name = name_of(target);
    let kept = keep::write(fence, (&name, FIELD), &text, over.kept.as_ref()).await?;
    let conflict =
        || Failure::new(Reason::Conflict, format!("ConfigMap {name} was written by somebody else"));
    Ok(Held { told, kept: Some(kept.ok_or_else(conflict)?) })
}

fn parse(target: &Target, text: &str) -> Result<Told, Failure> {
    let name = name_of(target);
    let wrong = |why: String| {
        let message = format!("ConfigMap {name} in {NAMESPACE} is not understood: {why}: delete it");
        Failure::new(Reason::Invalid, message)
    };
    let told: Told = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if told.v != TOLD_VERSION {
        return Err(wrong(format!("version {}, this release reads {TOLD_VERSION}", told.v)));
    }
    Ok(told)
}

fn name_of(target: &Target) -> String {
    format!("drift.{}.{}", target.application, target.environment)
}
