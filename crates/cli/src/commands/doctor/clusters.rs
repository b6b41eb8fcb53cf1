//! The clusters: whether each is reached, is the one that is meant, and trusts this installation and its log.

use std::path::PathBuf;

use anyhow::bail;
use countersign_cluster::keep;
use countersign_cluster::kube::{Connection, KubeCluster};
use countersign_core::configuration::{
    Cluster as Configured, ClusterKind, ClusterState, Configuration, SecretReference,
};
use countersign_core::names::ClusterName;
use countersign_core::ports::cluster::Cluster;
use countersign_ledger::checkpoint::SignedCheckpoint;
use countersign_ledger::merkle::verify_consistency;
use countersign_ledger::trust::Trust;
use countersign_ledger::view::View;
use countersign_local::simulated::SimulatedCluster;
use countersign_local::store::LocalStore;

use super::finding::Findings;
use crate::commands::reading::Installation;

/// Looks at every cluster that is not retired. `view` is the log, if it can be believed.
pub async fn look(
    installation: &Installation,
    configuration: &Configuration,
    mut view: Option<View<'_, LocalStore>>,
    findings: &mut Findings,
) {
    for (name, configured) in &configuration.clusters {
        if configured.state == ClusterState::Retired {
            continue;
        }
        match configured.kind {
            ClusterKind::Simulated => {
                let cluster = SimulatedCluster::kept(&installation.database, name);
                one(installation, name, configured, &cluster, view.as_mut(), findings).await;
            }
            ClusterKind::Kubernetes => match connect(configured).await {
                Ok(cluster) => one(installation, name, configured, &cluster, view.as_mut(), findings).await,
                Err(error) => {
                    let mend = "check the kubeconfig that countersign.yaml names, and that the API is reached from here";
                    findings.bad("cluster", name, format!("{error:#}"), mend);
                }
            },
        }
    }
}

async fn connect(configured: &Configured) -> anyhow::Result<KubeCluster> {
    let kubeconfig = match &configured.kubeconfig {
        Some(SecretReference::File(path)) => Some(PathBuf::from(path)),
        Some(SecretReference::Environment(variable)) => match std::env::var_os(variable) {
            Some(path) => Some(PathBuf::from(path)),
            None => bail!("{variable} is not set here: set it as it is for serve, and look again"),
        },
        Some(SecretReference::Managed(name)) => bail!("secret:{name} is read by cloud functions only"),
        None => None,
    };
    Ok(KubeCluster::connect(&Connection { kubeconfig, context: None }).await?)
}

/// Looks at one cluster.
pub async fn one(
    installation: &Installation,
    name: &ClusterName,
    configured: &Configured,
    cluster: &impl Cluster,
    view: Option<&mut View<'_, LocalStore>>,
    findings: &mut Findings,
) {
    let uid = match keep::uid(cluster).await {
        Ok(uid) => uid,
        Err(error) => {
            let mend = "check the kubeconfig, its credentials, and that the API is up";
            return findings.bad("cluster", name, error.to_string(), mend);
        }
    };
    if uid != configured.uid {
        let what = format!("this is the cluster with UID {uid}, countersign.yaml names {}", configured.uid);
        let mend =
            "give the kubeconfig of the cluster that is meant; correct uid only if the cluster was made anew";
        return findings.bad("cluster", name, what, mend);
    }
    findings.good("cluster", name, "answers, and is the one that is meant");
    let Some(trust) = trust(installation, name, cluster, &uid, findings).await else { return };
    if let Some(view) = view {
        checkpoint(name, cluster, &trust, view, findings).await;
    }
}

/// What the cluster trusts, if it is this installation.
async fn trust(
    installation: &Installation,
    name: &ClusterName,
    cluster: &impl Cluster,
    uid: &str,
    findings: &mut Findings,
) -> Option<Trust> {
    let add = format!("countersign cluster add {name} --data DIR");
    let text = match keep::trust(cluster).await {
        Ok(Some(text)) if !text.is_empty() => text,
        Ok(_) => {
            findings.bad("trust", name, "nothing is installed: it refuses everything", &add);
            return None;
        }
        Err(error) => {
            let mend = "let the kubeconfig's identity read ConfigMaps in countersign-system";
            findings.bad("trust", name, error.to_string(), mend);
            return None;
        }
    };
    let trust = match Trust::parse(text.as_bytes()) {
        Ok(trust) => trust,
        Err(error) => {
            findings.bad("trust", name, error.to_string(), &format!("{add} --replace"));
            return None;
        }
    };
    let wanted = Trust::new(&installation.epochs, uid, trust.witnesses.clone());
    if trust != wanted {
        let what = format!(
            "it trusts the log {} in epoch {}, with other keys than these",
            trust.origin, trust.epoch
        );
        findings.bad("trust", name, what, &format!("{add}, with --replace if it was another installation's"));
        return None;
    }
    let names: Vec<_> = trust.witnesses.keys.iter().map(|key| key.name()).collect();
    let witnessed = match trust.witnesses.required {
        0 => "; it demands no witness".to_owned(),
        _ => format!("; it demands {}", names.join(" or ")),
    };
    findings.good("trust", name, format!("this installation{witnessed}"));
    Some(trust)
}

/// Whether the checkpoint that the cluster kept is of this log's history: after an old backup it is not.
async fn checkpoint(
    name: &ClusterName,
    cluster: &impl Cluster,
    trust: &Trust,
    view: &mut View<'_, LocalStore>,
    findings: &mut Findings,
) {
    let kept = match keep::checkpoint(cluster).await {
        Ok(Some(kept)) => kept,
        Ok(None) => return findings.good("checkpoint", name, "nothing was applied there yet"),
        Err(error) => {
            let mend = "let the kubeconfig's identity read ConfigMaps in countersign-system";
            return findings.bad("checkpoint", name, error.to_string(), mend);
        }
    };
    let keys = trust.checkpoint_keys();
    let kept = match keys.and_then(|keys| SignedCheckpoint::verify_by_any(&kept.text, &keys)) {
        Ok(kept) => kept.checkpoint().clone(),
        Err(error) => {
            let mend = "the cluster's owner deletes the ConfigMap checkpoint in countersign-system, if nobody forged it";
            return findings.bad("checkpoint", name, error.to_string(), mend);
        }
    };
    let at = view.at().checkpoint().clone();
    let newer = "look for a newer copy of the database: this one lacks leaves that the cluster has seen";
    if kept.size > at.size {
        let what = format!("the cluster has seen {} leaves, this log has {}", kept.size, at.size);
        return findings.bad("checkpoint", name, what, newer);
    }
    match view.consistency_proof(kept.size).await {
        Ok(path) if verify_consistency((kept.size, &kept.root), (at.size, &at.root), &path) => {
            findings.good("checkpoint", name, format!("its {} leaves are the log's first", kept.size));
        }
        Ok(_) => {
            let mend = "stop all changes, keep both checkpoints, and find out who holds the log key";
            findings.bad("checkpoint", name, "the cluster has seen another log than this one", mend);
        }
        Err(error) => findings.bad("checkpoint", name, error.to_string(), newer),
    }
}
