//! The cluster that the sample application is deployed to.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use countersign_cluster::keep;
use countersign_cluster::kube::{Connection, KubeCluster};

use crate::commands::block_on;

/// Its name in `countersign.yaml`.
pub const NAME: &str = "local";

/// The cluster that the sample application is deployed to.
pub struct SampleCluster {
    /// Its UID.
    pub uid: String,
    /// How it is reached, as an absolute path; a simulated one needs nothing.
    pub kubeconfig: Option<PathBuf>,
}

impl SampleCluster {
    /// The cluster that the kubeconfig leads to, asked for its UID; without one, a simulated cluster with the
    /// UID that `new_uid` gives.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    pub fn find(kubeconfig: Option<&Path>, new_uid: impl FnOnce() -> String) -> anyhow::Result<Self> {
        let Some(kubeconfig) = kubeconfig else { return Ok(Self { uid: new_uid(), kubeconfig: None }) };
        let place = kubeconfig.display();
        let path = std::path::absolute(kubeconfig).with_context(|| format!("{place}: not a usable path"))?;
        let asked = block_on(async {
            let connection = Connection { kubeconfig: Some(path.clone()), context: None };
            Ok(keep::uid(&KubeCluster::connect(&connection).await?).await?)
        });
        let uid = asked.with_context(|| format!("{place}: the cluster cannot be asked for its UID"))?;
        Ok(Self { uid, kubeconfig: Some(path) })
    }

    /// Whether it only exists in the data folder.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.kubeconfig.is_none()
    }
}
