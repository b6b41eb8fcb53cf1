//! A real cluster: the `Cluster` port over any Kubernetes or OpenShift API.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::kube::config::{KubeConfigOptions, Kubeconfig};
use ::kube::{Client, Config};
use countersign_core::ports::cluster::{ClusterError, ServedKind};

mod discovery;
mod error;
mod place;
mod port;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may be silent, longer than the slowest admission webhook may take (30 seconds).
const READ_TIMEOUT: Duration = Duration::from_secs(45);

/// How a cluster is reached.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The kubeconfig file; none for the cluster that this process runs in.
    pub kubeconfig: Option<PathBuf>,
    /// A context of that file; none for its current one.
    pub context: Option<String>,
}

/// Why a cluster could not be connected to.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to the cluster of {place}: {why}")]
pub struct ConnectError {
    place: String,
    why: String,
}

/// A cluster, as one identity sees it. Clones share the connection and what is known of its kinds.
#[derive(Clone)]
pub struct KubeCluster {
    client: Client,
    config: Config,
    place: String,
    served: Arc<Mutex<Option<Arc<Vec<ServedKind>>>>>,
}

impl std::fmt::Debug for KubeCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The rest holds credentials.
        f.debug_struct("KubeCluster").field("place", &self.place).finish_non_exhaustive()
    }
}

impl KubeCluster {
    /// Reads how the cluster is reached. Sends nothing yet; belongs to the runtime that it is made in.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read or used, or this process runs in no cluster.
    pub async fn connect(connection: &Connection) -> Result<Self, ConnectError> {
        let place = match &connection.kubeconfig {
            Some(path) => format!("kubeconfig {}", path.display()),
            None => "this pod".to_owned(),
        };
        let failed = |why: String| ConnectError { place: place.clone(), why };
        let config = match &connection.kubeconfig {
            Some(path) => {
                let options =
                    KubeConfigOptions { context: connection.context.clone(), ..KubeConfigOptions::default() };
                let file = Kubeconfig::read_from(path).map_err(|error| failed(chain(&error)))?;
                Config::from_custom_kubeconfig(file, &options).await.map_err(|error| failed(chain(&error)))?
            }
            None => Config::incluster().map_err(|error| failed(chain(&error)))?,
        };
        Self::patiently(config, place)
    }

    /// The cluster at this URL, whose authority's certificate is `authority` (PEM in base64), as the bearer of
    /// `token` sees it, for as long as that is good.
    ///
    /// # Errors
    /// When the URL or the certificate cannot be used.
    pub async fn of_bearer(endpoint: &str, authority: &str, token: &str) -> Result<Self, ConnectError> {
        let failed = |why: String| ConnectError { place: endpoint.to_owned(), why };
        let file = serde_json::json!({
            "clusters": [{
                "name": "it", "cluster": { "server": endpoint, "certificate-authority-data": authority },
            }],
            "users": [{ "name": "us", "user": { "token": token } }],
            "contexts": [{ "name": "here", "context": { "cluster": "it", "user": "us" } }],
            "current-context": "here",
        });
        // An error of what holds a token is not shown.
        let file: Kubeconfig =
            serde_json::from_value(file).map_err(|_| failed("it cannot be described".to_owned()))?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
        Self::patiently(config.map_err(|error| failed(chain(&error)))?, endpoint.to_owned())
    }

    /// The client, with limits of how long anything takes.
    fn patiently(mut config: Config, place: String) -> Result<Self, ConnectError> {
        // The default tries again for a quarter of an hour, and waits for ever on a silent server. Here a
        // failure is told at once: who asked knows when to ask again.
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        // Otherwise the time that a pooled connection was idle counts as silence of the server.
        config.reset_reader_on_write = true;
        Self::from_config(config, place)
    }

    /// The same cluster, as `user` sees it: every request impersonates that identity, which the own one
    /// must be allowed to.
    ///
    /// # Errors
    /// When the connection cannot be set up again.
    pub fn acting_as(&self, user: &str) -> Result<Self, ConnectError> {
        let mut config = self.config.clone();
        config.auth_info.impersonate = Some(user.to_owned());
        Self::from_config(config, self.place.clone())
    }

    fn from_config(config: Config, place: String) -> Result<Self, ConnectError> {
        match Client::try_from(config.clone()) {
            Ok(client) => Ok(Self { client, config, place, served: Arc::default() }),
            Err(error) => Err(ConnectError { place, why: chain(&error) }),
        }
    }

    /// The kinds that were served when that was last looked at.
    fn known(&self) -> Option<Arc<Vec<ServedKind>>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets which kinds are served: the server does not know one that it served.
    fn forget(&self) {
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The kinds that are served now.
    async fn refresh(&self) -> Result<Arc<Vec<ServedKind>>, ClusterError> {
        let served = Arc::new(discovery::served(&self.client).await?);
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&served));
        Ok(served)
    }

    /// A kind, which is looked for on the cluster if it was not served when that was last looked at.
    async fn kind(&self, api_version: &str, kind: &str) -> Result<ServedKind, ClusterError> {
        let find = |served: &[ServedKind]| {
            served.iter().find(|served| served.api_version == api_version && served.kind == kind).cloned()
        };
        if let Some(found) = self.known().and_then(|served| find(&served)) {
            return Ok(found);
        }
        find(&self.refresh().await?).ok_or_else(|| {
            ClusterError::NotFound(format!("the cluster does not serve {kind} in {api_version}"))
        })
    }
}

/// An error with all that caused it, since the outermost often says nothing.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}
