//! What a cluster keeps for us: a few small texts as `ConfigMaps` in a namespace of our own.
//!
//! Whoever may write that namespace is trusted: it belongs to the cluster's owner.

use countersign_core::facts::ObjectKey;
use countersign_core::ports::cluster::{Cluster, ClusterError, Preconditions, Swapped};
use serde_json::{Value, json};

/// The namespace that inventories, trust and the checkpoint are kept in.
pub const NAMESPACE: &str = "countersign-system";

/// The label that all that we keep bears, with the value [`MANAGED_BY`].
pub(crate) const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The value of that label.
pub(crate) const MANAGED_BY: &str = "countersign";

/// The `ConfigMap` and the field in it of each text.
const TRUST: (&str, &str) = ("trust", "trust.json");
const CHECKPOINT: (&str, &str) = ("checkpoint", "checkpoint");

/// How often to read again when somebody else writes the same text at the same moment.
const TRIES: usize = 5;

/// A text as it was read; writing over it succeeds only if it is still what is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The text.
    pub text: String,
    /// The `ConfigMap` that it was read from.
    object: Value,
}

/// The cluster's UID: that of its `kube-system` namespace.
///
/// # Errors
/// When the cluster cannot be asked, or has no such namespace.
pub async fn uid(cluster: &impl Cluster) -> Result<String, ClusterError> {
    let namespace = cluster.get(&namespace_key("kube-system")).await?;
    let uid = namespace.as_ref().and_then(|object| object.pointer("/metadata/uid")).and_then(Value::as_str);
    uid.map(str::to_owned).ok_or_else(|| {
        ClusterError::NotFound("the cluster has no kube-system namespace: is this a Kubernetes API?".into())
    })
}

/// What the cluster trusts, as it was installed; the text means nothing here.
///
/// # Errors
/// When the cluster cannot be read.
pub async fn trust(cluster: &impl Cluster) -> Result<Option<String>, ClusterError> {
    Ok(read(cluster, TRUST.0, TRUST.1).await?.map(|kept| kept.text))
}

/// Installs what the cluster trusts, whatever was there.
///
/// # Errors
/// When the cluster cannot be written to, or others keep writing at the same moment.
pub async fn install_trust(cluster: &impl Cluster, trust: &str) -> Result<(), ClusterError> {
    for _ in 0..TRIES {
        let over = read(cluster, TRUST.0, TRUST.1).await?;
        if over.as_ref().is_some_and(|kept| kept.text == trust)
            || write(cluster, TRUST, trust, over.as_ref()).await?.is_some()
        {
            return Ok(());
        }
    }
    Err(ClusterError::Conflict("others keep writing the trust of this cluster: try again".into()))
}

/// The checkpoint that was kept last.
///
/// # Errors
/// When the cluster cannot be read.
pub async fn checkpoint(cluster: &impl Cluster) -> Result<Option<Kept>, ClusterError> {
    read(cluster, CHECKPOINT.0, CHECKPOINT.1).await
}

/// Keeps another checkpoint in the place of `over`, or the first one. Which of two is kept is the
/// caller's decision. `false`: somebody else wrote meanwhile, so read and decide again.
///
/// # Errors
/// When the cluster cannot be written to.
pub async fn keep_checkpoint(
    cluster: &impl Cluster,
    text: &str,
    over: Option<&Kept>,
) -> Result<bool, ClusterError> {
    Ok(write(cluster, CHECKPOINT, text, over).await?.is_some())
}

/// Forgets the checkpoint that was kept, if it is of another log than `origin`: of this one nothing is consistent with it.
///
/// # Errors
/// When the cluster cannot be read or written to, or the checkpoint changes at the same moment.
pub async fn forget_checkpoint_of_others(cluster: &impl Cluster, origin: &str) -> Result<(), ClusterError> {
    let Some(kept) = checkpoint(cluster).await? else { return Ok(()) };
    // The first line of a checkpoint is the origin of its log.
    if kept.text.lines().next() == Some(origin) {
        return Ok(());
    }
    let text = |pointer| kept.object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let found =
        Preconditions { uid: text("/metadata/uid"), resource_version: text("/metadata/resourceVersion") };
    cluster.delete(&config_map(CHECKPOINT.0), &found).await.map(drop)
}

/// The name of a `ConfigMap` of ours.
fn config_map(name: &str) -> ObjectKey {
    ObjectKey {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        namespace: Some(NAMESPACE.into()),
        name: name.into(),
    }
}

/// The text in `field` of a `ConfigMap` of ours. One that lacks the field holds the empty text.
pub(crate) async fn read(
    cluster: &impl Cluster,
    name: &str,
    field: &str,
) -> Result<Option<Kept>, ClusterError> {
    Ok(cluster.get(&config_map(name)).await?.map(|object| kept(object, field)))
}

/// A `ConfigMap` of ours as it was read.
pub(crate) fn kept(object: Value, field: &str) -> Kept {
    let text = object.get("data").and_then(|data| data.get(field)).and_then(Value::as_str);
    Kept { text: text.unwrap_or_default().to_owned(), object }
}

/// Stores `text` in the place of `over`, and returns it as stored; `None` if that is not what is stored.
pub(crate) async fn write(
    cluster: &impl Cluster,
    (name, field): (&str, &str),
    text: &str,
    over: Option<&Kept>,
) -> Result<Option<Kept>, ClusterError> {
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": NAMESPACE, "labels": { MANAGED_BY_LABEL: MANAGED_BY } },
        "data": { field: text },
    });
    if let Some(over) = over {
        object["metadata"]["resourceVersion"] =
            over.object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    }
    let swapped = match cluster.compare_and_swap(&object).await {
        Err(ClusterError::NotFound(_)) if over.is_none() => {
            create_namespace(cluster).await?;
            cluster.compare_and_swap(&object).await?
        }
        answer => answer?,
    };
    Ok(match swapped {
        Swapped::Stored(object) => Some(kept(object, field)),
        Swapped::Conflict => None,
    })
}

async fn create_namespace(cluster: &impl Cluster) -> Result<(), ClusterError> {
    let namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": { "name": NAMESPACE, "labels": { MANAGED_BY_LABEL: MANAGED_BY } },
    });
    // A conflict means that somebody else has just created it.
    cluster.compare_and_swap(&namespace).await.map(drop)
}

fn namespace_key(name: &str) -> ObjectKey {
    ObjectKey { api_version: "v1".into(), kind: "Namespace".into(), namespace: None, name: name.into() }
}
