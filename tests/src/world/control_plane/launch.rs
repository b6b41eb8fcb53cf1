//! From programs to a control plane that schedules pods.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Node;
use kube::api::{GetParams, PostParams};
use kube::core::Request;
use kube::{Api, Client};
use serde_json::json;

use super::{ControlPlane, connect, credentials};
use crate::world::ports::Port;
use crate::world::servers::ServerGroup;
use crate::world::tools::Programs;

/// A cold start takes about 4 seconds; machines that compile at the same time need much longer.
const DEADLINE: Duration = Duration::from_secs(120);

/// The name of the one simulated node.
const NODE: &str = "node-1";

/// An address of etcd: a socket file of this name in the group's folder, so that no port can be
/// taken by another process. etcd insists on a port: it becomes part of the file's name.
const ETCD_CLIENT: &str = "unix://etcd:1";
const ETCD_PEER: &str = "unix://etcd-peer:1";

/// Starts every server and waits until the node takes pods.
///
/// # Errors
/// When a server ends or is not ready in time; the message holds the end of the logs.
pub async fn launch(programs: &Programs, authenticator: Option<&str>) -> Result<ControlPlane> {
    let mut servers = ServerGroup::new("control-plane")?;
    let token = credentials::write(servers.folder())?;
    let port = Port::reserve()?;
    start_store(&mut servers, programs)?;
    start_api(&mut servers, programs, port.number(), authenticator)?;
    let url = format!("https://127.0.0.1:{}", port.number());

    let ca_pem =
        wait(&servers, "kube-apiserver to make its certificate", async || authority(&servers)).await?;
    credentials::save(servers.folder(), "kubeconfig", &credentials::kubeconfig(&url, &ca_pem, &token))?;
    let kubeconfig = servers.folder().join("kubeconfig");
    let client = connect(&kubeconfig).await?;
    wait(&servers, "kube-apiserver to be ready", async || readyz(&client).await).await?;

    start_controllers(&mut servers, programs)?;
    let nodes = Api::<Node>::all(client);
    nodes.create(&PostParams::default(), &node()?).await.context("cannot create the simulated node")?;
    wait(&servers, "the simulated node to take pods", async || takes_pods(&nodes).await).await?;
    Ok(ControlPlane { servers, url, token, ca_pem, kubeconfig, _port: port })
}

fn start_store(servers: &mut ServerGroup, programs: &Programs) -> Result<()> {
    servers.start(
        "etcd",
        programs.path("etcd")?,
        &[
            "--name=world",
            "--data-dir=etcd-data",
            // The data is thrown away anyway, and syncing it dominates every write.
            "--unsafe-no-fsync",
            &format!("--listen-client-urls={ETCD_CLIENT}"),
            &format!("--advertise-client-urls={ETCD_CLIENT}"),
            &format!("--listen-peer-urls={ETCD_PEER}"),
            &format!("--initial-advertise-peer-urls={ETCD_PEER}"),
            &format!("--initial-cluster=world={ETCD_PEER}"),
        ],
    )
}

/// Starts the API server on its port. An authenticator is a webhook that it asks about tokens.
fn start_api(
    servers: &mut ServerGroup,
    programs: &Programs,
    port: u16,
    authenticator: Option<&str>,
) -> Result<()> {
    let mut more = Vec::new();
    if let Some(url) = authenticator {
        credentials::save(servers.folder(), "authenticator", &credentials::kubeconfig(url, "", ""))?;
        more.push("--authentication-token-webhook-config-file=authenticator");
        more.push("--authentication-token-webhook-version=v1");
    }
    let (etcd, port) = (format!("--etcd-servers={ETCD_CLIENT}"), format!("--secure-port={port}"));
    more.extend([etcd.as_str(), port.as_str()]);
    more.extend([
        "--bind-address=127.0.0.1",
        // Otherwise it looks for a network interface, and a machine without a network has none.
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        "--cert-dir=certificates",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=accounts.pub",
        "--service-account-signing-key-file=accounts.key",
        "--service-cluster-ip-range=10.0.0.0/24",
        // Pods here run nowhere: they need no service account to exist before them.
        "--disable-admission-plugins=ServiceAccount",
    ]);
    servers.start("kube-apiserver", programs.path("kube-apiserver")?, &more)
}

/// Starts what acts on objects. None of them listens on a port.
fn start_controllers(servers: &mut ServerGroup, programs: &Programs) -> Result<()> {
    servers.start(
        "kube-controller-manager",
        programs.path("kube-controller-manager")?,
        &[
            "--kubeconfig=kubeconfig",
            "--secure-port=0",
            "--leader-elect=false",
            "--controllers=*,-nodeipam,-cloud-node-lifecycle",
            "--root-ca-file=ca.pem",
        ],
    )?;
    servers.start(
        "kube-scheduler",
        programs.path("kube-scheduler")?,
        &["--kubeconfig=kubeconfig", "--secure-port=0", "--leader-elect=false"],
    )?;
    servers.start(
        "kwok",
        programs.path("kwok")?,
        &[
            "--kubeconfig=kubeconfig",
            "--manage-all-nodes=true",
            // Without a lease it says that the node lives every 20 to 50 seconds, and the controller manager calls a
            // node dead after 50: then nothing is available any more until the next sign.
            "--node-lease-duration-seconds=40",
        ],
    )
}

/// The authority that the API server made for itself, saved as `ca.pem`.
fn authority(servers: &ServerGroup) -> Result<String> {
    let certificates = servers.folder().join("certificates");
    // The key is written last: once it is there, the certificates are whole.
    fs::metadata(certificates.join("apiserver.key")).context("there is no key yet")?;
    let chain =
        fs::read_to_string(certificates.join("apiserver.crt")).context("there is no certificate yet")?;
    let start = chain.rfind("-----BEGIN CERTIFICATE-----").context("apiserver.crt holds no certificate")?;
    let ca_pem = chain[start..].to_owned();
    credentials::save(servers.folder(), "ca.pem", &ca_pem)?;
    Ok(ca_pem)
}

async fn readyz(client: &Client) -> Result<()> {
    let request = Request::new("").get("readyz", &GetParams::default())?;
    client.request_text(request).await.context("/readyz does not answer \"ok\"")?;
    Ok(())
}

/// The node as kwok expects it: the annotation makes it one of its own.
fn node() -> Result<Node> {
    let room = json!({ "cpu": "64", "memory": "256Gi", "pods": "500" });
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NODE,
            "annotations": { "kwok.x-k8s.io/node": "fake" },
            "labels": { "kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" },
        },
        "status": { "allocatable": room, "capacity": room },
    });
    serde_json::from_value(node).context("the simulated node is not a Node")
}

/// True once kwok reports the node as ready, and the controller manager has believed it.
async fn takes_pods(nodes: &Api<Node>) -> Result<()> {
    let node = nodes.get(NODE).await.context("cannot read the simulated node")?;
    let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
    if !conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True") {
        bail!("kwok has not reported it as ready");
    }
    let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
    if !taints.is_empty() {
        bail!("kube-controller-manager has not removed its taints: {taints:?}");
    }
    Ok(())
}

/// Asks again until `look` succeeds, a server ends, or the time is up.
async fn wait<T>(servers: &ServerGroup, what: &str, mut look: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let reason = match look().await {
            Ok(found) => return Ok(found),
            Err(reason) => reason,
        };
        servers.check()?;
        if Instant::now() > deadline {
            bail!(
                "waited {} s for {what}, in vain: {reason:#}\nThe end of the logs:\n{}",
                DEADLINE.as_secs(),
                servers.log_tails()
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
