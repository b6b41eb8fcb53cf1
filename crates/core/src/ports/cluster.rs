//! Clusters: the few verbs of the Kubernetes API that a change needs.

use std::future::Future;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::facts::ObjectKey;

/// A kind that a cluster serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServedKind {
    /// The API version, as `apps/v1`.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The plural, as in URLs.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// How an object is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyOptions {
    /// The field manager.
    pub manager: String,
    /// Take fields over from other managers.
    pub force: bool,
    /// Change nothing, only say what would come out.
    pub dry_run: bool,
}

/// What a delete must find, so that it deletes the object that was meant.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Preconditions {
    /// The object's UID.
    pub uid: Option<String>,
    /// The object's resource version.
    pub resource_version: Option<String>,
}

/// Why a cluster did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// It may work later: unreachable, throttled, timed out, a server error.
    #[error("the cluster does not answer: {0}")]
    Unavailable(String),
    /// Another field manager, or another version, stands against it (409).
    #[error("{0}")]
    Conflict(String),
    /// The object is not valid there (400, 422).
    #[error("{0}")]
    Invalid(String),
    /// The credentials do not allow it (401, 403).
    #[error("{0}")]
    Forbidden(String),
    /// No such kind, or no such namespace (404).
    #[error("{0}")]
    NotFound(String),
}

/// What a conditional write of a whole object did.
#[derive(Clone, Debug, PartialEq)]
pub enum Swapped {
    /// It is stored; this is the object now.
    Stored(Value),
    /// The resource version was another, or the object exists already; nothing was written.
    Conflict,
}

/// A cluster, as one identity sees it.
pub trait Cluster: Sync {
    /// The kinds that are served. They may be those of an earlier look: a kind that came since may be missing.
    fn discover(&self) -> impl Future<Output = Result<Vec<ServedKind>, ClusterError>> + Send;

    /// The kinds that are served now.
    fn rediscover(&self) -> impl Future<Output = Result<Vec<ServedKind>, ClusterError>> + Send {
        self.discover()
    }

    /// An object, if it exists.
    fn get(&self, key: &ObjectKey) -> impl Future<Output = Result<Option<Value>, ClusterError>> + Send;

    /// All objects of a kind, in one namespace or in all, that bear the label `selector` (`name=value`).
    fn list(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> impl Future<Output = Result<Vec<Value>, ClusterError>> + Send;

    /// Server-side apply; returns the object that came, or would come, out.
    fn apply(
        &self,
        object: &Value,
        options: &ApplyOptions,
    ) -> impl Future<Output = Result<Value, ClusterError>> + Send;

    /// Deletes an object in the background; `false` if it was not there.
    fn delete(
        &self,
        key: &ObjectKey,
        preconditions: &Preconditions,
    ) -> impl Future<Output = Result<bool, ClusterError>> + Send;

    /// Stores a whole object: creates it when it bears no `metadata.resourceVersion`, and replaces exactly
    /// that version otherwise.
    fn compare_and_swap(&self, object: &Value) -> impl Future<Output = Result<Swapped, ClusterError>> + Send;
}
