//! Starts a control plane for a script: prints one line of JSON (`kubeconfig`, `url`) when it is
//! ready, and ends it when stdin closes or on SIGTERM, SIGINT or SIGHUP.

use std::io::{Write, copy, sink, stdin, stdout};
use std::thread;

use anyhow::{Context, Result};
use clap::Parser;
use countersign_tests::world::control_plane::ControlPlane;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

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
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let (closed, closing) = oneshot::channel();
    thread::spawn(move || {
        // An error ends the wait as an end of file does.
        let _ = copy(&mut stdin(), &mut sink());
        let _ = closed.send(());
    });
    writeln!(stdout(), "{line}").context("cannot print the kubeconfig's path on stdout")?;
    tokio::select! {
        _ = closing => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hang_up.recv() => {}
    }
    drop(control_plane);
    Ok(())
}
