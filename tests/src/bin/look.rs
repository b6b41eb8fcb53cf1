//! For the demo: what runs in a namespace, read from the cluster itself and not from what Countersign says.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use countersign_cluster::kube::{Connection, KubeCluster};
use countersign_core::ports::cluster::Cluster;
use countersign_local::database::Database;
use countersign_local::simulated::SimulatedCluster;
use serde_json::Value;

/// The digits of a digest that are shown.
const DIGITS: usize = 12;

/// Shows the deployments of a namespace.
#[derive(Debug, Parser)]
struct Arguments {
    /// The namespace.
    namespace: String,
    /// A real cluster, by its kubeconfig.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    kubeconfig: Option<PathBuf>,
    /// The simulated cluster `local` of this data folder; `serve` may be running.
    #[arg(long, value_name = "DIR", required_unless_present = "kubeconfig")]
    data: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let namespace = &arguments.namespace;
    let deployments = match (arguments.kubeconfig, arguments.data) {
        (None, Some(data)) => {
            let database = Database::open_read_only(&data)?;
            deployments(&SimulatedCluster::kept(&database, &"local".parse()?), namespace).await?
        }
        (kubeconfig, _) => {
            let connection = Connection { kubeconfig, context: None };
            deployments(&KubeCluster::connect(&connection).await?, namespace).await?
        }
    };
    for deployment in &deployments {
        println!("{}", line(deployment));
    }
    Ok(())
}

async fn deployments(cluster: &impl Cluster, namespace: &str) -> Result<Vec<Value>> {
    let found = cluster.list("apps/v1", "Deployment", Some(namespace), None).await;
    found.with_context(|| format!("the deployments of {namespace} cannot be listed"))
}

/// The resource version tells of every write, also of one that is taken back.
fn line(deployment: &Value) -> String {
    let text = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    let ready = deployment.pointer("/status/availableReplicas").and_then(Value::as_u64).unwrap_or(0);
    let image = text("/spec/template/spec/containers/0/image");
    let image = match image.split_once("@sha256:") {
        Some((name, digest)) => format!("{name}@sha256:{}…", digest.get(..DIGITS).unwrap_or(digest)),
        None => image.to_owned(),
    };
    format!(
        "{}/{}  {image}  {ready} ready  resourceVersion {}",
        text("/metadata/namespace"),
        text("/metadata/name"),
        text("/metadata/resourceVersion")
    )
}
