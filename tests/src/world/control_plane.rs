//! A real Kubernetes control plane with one simulated node.
//!
//! etcd, the API server, the controller manager and the scheduler are the real ones. Pods are
//! scheduled, and reported as running by kwok, but no container runs.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use super::ports::Port;
use super::servers::ServerGroup;
use super::tools::Programs;

mod credentials;
mod launch;

/// A running control plane. It ends when it is dropped, and at the latest with this process.
#[derive(Debug)]
pub struct ControlPlane {
    servers: ServerGroup,
    url: String,
    token: String,
    ca_pem: String,
    kubeconfig: PathBuf,
    _port: Port,
}

impl ControlPlane {
    /// Builds the servers if need be, starts them, and returns when the node takes pods. Blocks
    /// for about 4 seconds, and for minutes the first time on a machine. May be called from
    /// asynchronous code.
    ///
    /// # Errors
    /// When the servers cannot be built, or do not start; the message holds the end of their logs.
    pub fn start() -> Result<Self> {
        Self::start_with(None)
    }

    /// As [`ControlPlane::start`], with tokens also checked by the webhook at this URL, as EKS checks its own.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub fn start_with_authenticator(url: &str) -> Result<Self> {
        Self::start_with(Some(url.to_owned()))
    }

    fn start_with(authenticator: Option<String>) -> Result<Self> {
        let programs = Programs::of(&["etcd", "kubernetes", "kwok"])?;
        // A runtime cannot block inside another one, which the caller may have.
        let starting = thread::spawn(move || -> Result<Self> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(launch::launch(&programs, authenticator.as_deref()))
        });
        starting.join().map_err(|_| anyhow!("starting the control plane panicked: see above"))?
    }

    /// The control plane that all tests of this process share, started by the first who asks.
    /// Tests keep apart by namespaces: see [`ControlPlane::namespace`].
    ///
    /// # Errors
    /// As [`ControlPlane::start`]; a failure is not tried again.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::start().map_err(|error| format!("{error:#}")));
        shared.as_ref().map_err(|message| anyhow!("{message}"))
    }

    /// The API server's address, such as `https://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A kubeconfig file with the address, the authority and the administrator's token.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The bearer token of an administrator (group `system:masters`).
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The certificate of the authority behind the API server's own, in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The servers' temporary folder, with a `NAME.log` for each of them.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.servers.folder()
    }

    /// A client of an administrator. It belongs to the runtime that it was made in.
    ///
    /// # Errors
    /// When the kubeconfig file is gone.
    pub async fn client(&self) -> Result<Client> {
        connect(&self.kubeconfig).await
    }

    /// Creates a namespace that no other test of this process uses, named after `label`.
    ///
    /// # Errors
    /// When the API server refuses it, as it does a label that is not a DNS label.
    pub async fn namespace(&self, label: &str) -> Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{label}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.create_namespace(&name).await?;
        Ok(name)
    }

    /// Creates a namespace of exactly this name.
    ///
    /// # Errors
    /// When the API server refuses it, as it does one that exists.
    pub async fn create_namespace(&self, name: &str) -> Result<()> {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.to_owned());
        let namespaces = Api::<Namespace>::all(self.client().await?);
        let created = namespaces.create(&PostParams::default(), &namespace).await;
        created.with_context(|| format!("cannot create namespace {name}"))?;
        Ok(())
    }
}

/// A client of the server that this kubeconfig file names.
pub(super) async fn connect(kubeconfig: &Path) -> Result<Client> {
    let place = || format!("cannot use the kubeconfig file {}", kubeconfig.display());
    let file = Kubeconfig::read_from(kubeconfig).with_context(place)?;
    let mut config =
        Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.with_context(place)?;
    // The default tries again for a quarter of an hour, and never gives up on a silent server.
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = Some(Duration::from_secs(60));
    Client::try_from(config).with_context(place)
}
