//! A change as it is to be made, and whether it stays in its bounds.

use countersign_core::authorization::Sequence;
use countersign_core::digest::Digest;
use countersign_core::facts::{ObjectKey, Operation};
use countersign_core::names::{AttemptId, Target};
use countersign_core::ports::cluster::ServedKind;
use serde_json::Value;

use crate::failure::{Failure, Reason};
use crate::keep::NAMESPACE;
use crate::ownership::PREFIX;

pub(crate) mod kinds;

/// The longest name of a field manager that Kubernetes takes, in bytes.
const MANAGER_LIMIT: usize = 128;

/// What a verified authorization says is to be applied.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The target.
    pub target: &'a Target,
    /// The attempt.
    pub attempt: AttemptId,
    /// The authorization's place in the order of all.
    pub sequence: Sequence,
    /// Deploy, rollback or remove.
    pub operation: Operation,
    /// The manifest's digest.
    pub manifest: Digest,
    /// The manifest's objects.
    pub objects: &'a [Value],
    /// Namespaces that objects may live in.
    pub namespaces: &'a [String],
    /// Cluster-scoped kinds that objects may be of, as `group/Kind`, or `Kind` in the core group.
    pub cluster_kinds: &'a [String],
    /// Whether existing objects may be taken over.
    pub adopt: bool,
}

/// An object of a plan with what names it.
#[derive(Clone, Debug)]
pub(crate) struct Item<'a> {
    pub key: ObjectKey,
    pub object: &'a Value,
}

/// The field manager of a target: `countersign:APPLICATION/ENVIRONMENT`, or a digest of that where it
/// would be too long.
#[must_use]
pub fn manager(target: &Target) -> String {
    let name = format!("{PREFIX}{}/{}", target.application, target.environment);
    if name.len() <= MANAGER_LIMIT {
        return name;
    }
    format!("{PREFIX}{}", Digest::of(name.as_bytes()).hex())
}

/// What names each of `objects`.
///
/// # Errors
/// [`Reason::Invalid`] when one lacks its API version, kind or name, or when two name the same object.
pub fn keys(objects: &[Value]) -> Result<Vec<ObjectKey>, Failure> {
    items(objects).map(|items| items.into_iter().map(|item| item.key).collect())
}

/// The objects with their keys.
pub(crate) fn items(objects: &[Value]) -> Result<Vec<Item<'_>>, Failure> {
    let mut items: Vec<Item<'_>> = Vec::with_capacity(objects.len());
    let mut seen = std::collections::HashSet::new();
    for (index, object) in objects.iter().enumerate() {
        let key = ObjectKey::of(object).ok_or_else(|| {
            let message =
                format!("object {} of the manifest lacks apiVersion, kind or metadata.name", index + 1);
            Failure::new(Reason::Invalid, message)
        })?;
        // The version is no part of an object's identity: the same object can be read in each.
        if !seen.insert((key.group_kind(), key.namespace.clone(), key.name.clone())) {
            return Err(Failure::of(Reason::Invalid, &key, "the manifest holds it twice: remove one"));
        }
        items.push(Item { key, object });
    }
    Ok(items)
}

impl<'a> Plan<'a> {
    /// The objects with their keys, once it is certain that each kind is served and each object is in
    /// the bounds of the authorization.
    pub(crate) fn checked(&self, served: &[ServedKind]) -> Result<Vec<Item<'a>>, Failure> {
        self.check_operation()?;
        let items = items(self.objects)?;
        let kinds = kinds::Kinds::new(served, &items);
        let failures = items.iter().filter_map(|item| self.check(&item.key, &kinds).err());
        Failure::all(failures).map_or(Ok(()), Err)?;
        Ok(items)
    }

    /// An empty manifest is never taken to mean that everything should go.
    fn check_operation(&self) -> Result<(), Failure> {
        let wrong = match (self.operation, self.objects.is_empty()) {
            (Operation::Remove, true) | (Operation::Deploy | Operation::Rollback, false) => return Ok(()),
            (Operation::Remove, false) => "a removal with objects: it must have none",
            (Operation::Deploy | Operation::Rollback, true) => {
                "the manifest is empty: ask for a removal if everything should go"
            }
            (Operation::Activate | Operation::Hold | Operation::Release, _) => {
                "activate, hold and release change nothing on a cluster"
            }
        };
        Err(Failure::new(Reason::Invalid, wrong))
    }

    fn check(&self, key: &ObjectKey, kinds: &kinds::Kinds) -> Result<(), Failure> {
        let scope = |message: String| Err(Failure::of(Reason::Scope, key, message));
        let Some(namespaced) = kinds.namespaced(key) else {
            let message = format!(
                "the cluster does not serve {} in {}: install its definition first, or correct apiVersion and kind",
                key.kind, key.api_version
            );
            return Err(Failure::of(Reason::Invalid, key, message));
        };
        match (&key.namespace, namespaced) {
            (None, true) => scope("it has no namespace: write metadata.namespace".into()),
            (Some(_), false) => scope("its kind lives in no namespace: remove metadata.namespace".into()),
            (Some(namespace), true) => match self.namespace_is_allowed(namespace) {
                true => Ok(()),
                false => scope(format!("namespace {namespace} is not among the authorized namespaces")),
            },
            (None, false) => self.check_cluster_scoped(key),
        }
    }

    fn check_cluster_scoped(&self, key: &ObjectKey) -> Result<(), Failure> {
        let kind = key.group_kind();
        if !self.cluster_kinds.contains(&kind) {
            let message = format!("{kind} is not among the authorized cluster-scoped kinds");
            return Err(Failure::of(Reason::Scope, key, message));
        }
        if kind == "Namespace" && !self.namespace_is_allowed(&key.name) {
            let message = format!("namespace {} is not among the authorized namespaces", key.name);
            return Err(Failure::of(Reason::Scope, key, message));
        }
        Ok(())
    }

    /// Our own namespace is nobody's target: whoever writes there could forge inventories and trust.
    fn namespace_is_allowed(&self, namespace: &str) -> bool {
        namespace != NAMESPACE && self.namespaces.iter().any(|allowed| allowed == namespace)
    }
}

#[cfg(test)]
mod tests;
