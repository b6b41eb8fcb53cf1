//! `countersign serve`: every stage in one process, on one SQLite file. It has the same stages as the cloud
//! functions, and no zones: who can read its data folder can sign, decide and deploy.

mod arenas;
mod clusters;
pub mod forges;
mod http;
pub mod logs;
mod metrics;
mod node;
mod pump;
mod start;
mod timer;
mod unheard;
mod witness;
mod workers;

use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::arguments::ServeArguments;
use crate::installation::DataFolder;
use crate::output::Printed;

use node::Node;

/// Runs every stage until it is told to stop.
///
/// # Errors
/// When the installation cannot be opened, the address is taken, or the control repository is not there.
pub fn run(arguments: &ServeArguments) -> anyhow::Result<Printed> {
    logs::start(arguments.log_level, arguments.log_json);
    arenas::bound();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    runtime.block_on(serve(arguments))
}

async fn serve(arguments: &ServeArguments) -> anyhow::Result<Printed> {
    let listener = TcpListener::bind(arguments.listen).await.with_context(|| {
        let address = arguments.listen;
        format!("cannot listen on {address}: stop what does, or give another --listen")
    })?;
    let address = listener.local_addr()?;
    let node = Arc::new(Node::open(arguments)?);
    let first = start::first_day(&node, &DataFolder::new(&arguments.data), &arguments.control).await?;
    let told_to_stop = stop_signal()?;
    let (stop, stopped) = watch::channel(false);
    let workers = workers::start(&node, &stopped);
    if !first {
        start::look_at_everything(&node).await?;
    }
    node.ready.store(true, std::sync::atomic::Ordering::Release);
    tracing::info!(%address, "serving; one process has no zones: guard its data folder as you would the cluster");
    println!("{}", serde_json::json!({ "listening": format!("http://{address}") }));
    http::serve(listener, Arc::clone(&node), told_to_stop).await?;
    tracing::info!("stopping: what is at work is finished, what waits stays in its queue");
    node.ready.store(false, std::sync::atomic::Ordering::Release);
    stop.send_replace(true);
    workers.await;
    Printed::done("stopped", &serde_json::json!({ "stopped": true }))
}

/// Waits for an interrupt, or for the service manager's wish to stop. Both are heard from this call on, so that
/// whoever reads that it listens can stop it well at once.
///
/// # Errors
/// When signals cannot be received.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let hear = |kind| signal(kind).context("signals cannot be received");
    let (mut terminate, mut interrupt) = (hear(SignalKind::terminate())?, hear(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
