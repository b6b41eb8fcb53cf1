//! The order of objects in the output, and of fields in a configuration.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::id::{Gvk, Id};
use super::resource::Resource;

/// Kinds that come first, in this order: kustomize's order since its first release.
pub(crate) const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that come last, in this order.
pub(crate) const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// How objects are ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// By kind, then by name.
    #[default]
    Legacy,
    /// By kind, with lists of kinds that come first and last.
    Custom { first: Vec<String>, last: Vec<String> },
    /// As they were named.
    Fifo,
}

/// The rank of each kind that has one.
fn ranks<'a>(
    first: impl ExactSizeIterator<Item = &'a str>,
    last: impl Iterator<Item = &'a str>,
) -> HashMap<&'a str, i64> {
    let count = i64::try_from(first.len()).unwrap_or(i64::MAX);
    let before = first.zip(0_i64..).map(move |(kind, index)| (kind, index - count));
    before.chain(last.zip(1..)).collect()
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// How two kinds without a rank stand: by group, version and kind, as kustomize spells them when it sorts.
fn spelled(group: &str, version: &str, kind: &str) -> String {
    format!("{}_{}_{}", or(group, "~G"), or(version, "~V"), or(kind, "~K"))
}

/// The order of fields in a configuration.
pub(crate) fn configuration_order(a: &Gvk, b: &Gvk) -> Ordering {
    let rank = |kind: &str| {
        let first = FIRST.iter().position(|known| *known == kind).and_then(|at| i64::try_from(at).ok());
        let last = LAST.iter().position(|known| *known == kind).and_then(|at| i64::try_from(at).ok());
        first.map(|at| at - 22).or(last.map(|at| at + 1)).unwrap_or(0)
    };
    let by_rank = rank(&a.kind).cmp(&rank(&b.kind));
    by_rank.then_with(|| spelled(&a.group, &a.version, &a.kind).cmp(&spelled(&b.group, &b.version, &b.kind)))
}

/// What an object is sorted by.
#[derive(PartialEq, Eq)]
struct Key {
    rank: i64,
    kind: String,
    /// Among namespaces the core group's come first, against the order of the spelling.
    reversed: bool,
    id: String,
}

impl Key {
    fn of(id: &Id<'_>, ranks: &HashMap<&str, i64>) -> Self {
        let named =
            format!("{}.{}.{}", or(id.kind, "[noKind]"), or(id.version, "[noVer]"), or(id.group, "[noGrp]"));
        Self {
            rank: ranks.get(id.kind).copied().unwrap_or(0),
            kind: spelled(id.group, id.version, id.kind),
            reversed: id.kind == "Namespace" && id.group.is_empty(),
            id: format!("{named}|{}|{}", or(id.namespace, "~X"), or(id.name, "~N")),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        let by_rank = self.rank.cmp(&other.rank);
        by_rank.then_with(|| match self.kind.cmp(&other.kind) {
            Ordering::Equal => self.id.cmp(&other.id),
            order if self.reversed || other.reversed => order.reverse(),
            order => order,
        })
    }
}

/// Sorts objects.
pub(crate) fn sort(resources: &mut [Resource], order: &Order) {
    let ranks = match order {
        Order::Fifo => return,
        Order::Legacy => ranks(FIRST.into_iter(), LAST.into_iter()),
        Order::Custom { first, last } => {
            ranks(first.iter().map(String::as_str), last.iter().map(String::as_str))
        }
    };
    resources.sort_by_cached_key(|resource| Cached(Key::of(&resource.id(), &ranks)));
}

struct Cached(Key);

impl PartialEq for Cached {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Cached {}

impl PartialOrd for Cached {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cached {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.order(&other.0)
    }
}
