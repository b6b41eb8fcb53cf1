//! Starts a control plane for a script: prints one line of JSON (`kubeconfig`, `url`) when it is
//! ready, and ends it when stdin closes or on SIGTERM, SIGINT or SIGHUP.

use std::io::{Write, stdout};

use anyhow::{Context, Result};
use clap::Parser;
use countersign_tests::world::control_plane::ControlPlane;
use countersign_tests::world::script::told_to_end;
use serde_json::json;

/// Starts a Kubernetes control plane, and ends it when standard input closes.
#[derive(Debug, Parser)]
struct Arguments {
    /// A namespace to create; may be given several times.
    #[arg(long = "namespace", value_name = "NAME")]
    namespaces: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // A signal that comes earlier ends this process at once, and the servers with it.
    let control_plane = ControlPlane::start()?;
    for namespace in &arguments.namespaces {
        control_plane.create_namespace(namespace).await?;
    }
    let line = json!({ "kubeconfig": control_plane.kubeconfig(), "url": control_plane.url() });
    let told_to_end = told_to_end()?;
    writeln!(stdout(), "{line}").context("cannot print the kubeconfig's path on stdout")?;
    told_to_end.await;
    drop(control_plane);
    Ok(())
}
