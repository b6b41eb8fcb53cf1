//! The order of objects in the output, and of fields in a configuration.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::context::Context;
use super::id::{Gvk, group_version};
use super::resource::Resource;
use crate::yaml::node::Text;

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
type Ranks<'a> = HashMap<&'a str, i64>;

impl Order {
    /// Warns of an object whose place kustomize gives by the order in which it compares.
    pub(crate) fn warn_if_unranked(&self, context: &mut Context<'_>, resource: &Resource) {
        let Self::Custom { first, last } = self else { return };
        let has_rank = || first.iter().chain(last).any(|kind| kind == "Namespace");
        let is_core = || resource.text("apiVersion").is_some_and(|text| group_version(text).0.is_empty());
        if resource.kind() == "Namespace" && !has_rank() && !is_core() {
            let message = "kustomize may put this Namespace elsewhere: here it stands where its group does";
            context.warn(resource.node.at, message, "name Namespace in orderFirst or orderLast");
        }
    }

    /// What objects are sorted with, if they are.
    pub(crate) fn ranks(&self) -> Option<Ranks<'_>> {
        match self {
            Self::Fifo => None,
            Self::Legacy => Some(ranks(FIRST.into_iter(), LAST.into_iter())),
            Self::Custom { first, last } => {
                Some(ranks(first.iter().map(String::as_str), last.iter().map(String::as_str)))
            }
        }
    }
}

fn ranks<'a>(
    first: impl ExactSizeIterator<Item = &'a str>,
    last: impl Iterator<Item = &'a str>,
) -> Ranks<'a> {
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

/// What an object is sorted by. Its texts are those of the object: there may be many objects.
pub(crate) struct Key {
    rank: i64,
    api_version: Text,
    kind: Text,
    namespace: Text,
    name: Text,
}

impl Key {
    pub(crate) fn of(resource: &Resource, ranks: &Ranks<'_>) -> Self {
        let empty = || Text::from("");
        Self {
            rank: ranks.get(resource.kind()).copied().unwrap_or(0),
            api_version: resource.text("apiVersion").cloned().unwrap_or_else(empty),
            kind: resource.text("kind").cloned().unwrap_or_else(empty),
            namespace: resource.metadata("namespace").cloned().unwrap_or_else(empty),
            name: resource.metadata("name").cloned().unwrap_or_else(empty),
        }
    }

    fn is_core(&self) -> bool {
        group_version(&self.api_version).0.is_empty()
    }

    fn spelled_kind(&self) -> String {
        let (group, version) = group_version(&self.api_version);
        spelled(group, version, &self.kind)
    }

    /// The namespace and the name as the bytes of what kustomize spells.
    fn place(&self) -> impl Iterator<Item = u8> {
        or(&self.namespace, "~X").bytes().chain(*b"|").chain(or(&self.name, "~N").bytes())
    }

    fn id(&self) -> Vec<u8> {
        let (group, version) = group_version(&self.api_version);
        let named =
            format!("{}.{}.{}|", or(&self.kind, "[noKind]"), or(version, "[noVer]"), or(group, "[noGrp]"));
        named.bytes().chain(self.place()).collect()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank).then_with(|| {
            if (&self.kind, &self.api_version) == (&other.kind, &other.api_version) {
                return self.place().cmp(other.place());
            }
            let spelled = self.spelled_kind().cmp(&other.spelled_kind());
            // Where they have a rank of their own: among other kinds there would be no order.
            let namespaces = self.rank != 0 && &*self.kind == "Namespace";
            match (spelled, self.is_core(), other.is_core()) {
                (Ordering::Equal, ..) => self.id().cmp(&other.id()),
                // Among namespaces the core group's come first, against the order of the spelling.
                (order, true, true) if namespaces => order.reverse(),
                (_, true, false) if namespaces => Ordering::Less,
                (_, false, true) if namespaces => Ordering::Greater,
                (order, ..) => order,
            }
        })
    }
}
