//! For programs that run servers for a script, and end them when the script is done.

use std::io::{copy, sink, stdin};
use std::thread;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Ends when standard input closes, or on SIGTERM, SIGINT or SIGHUP. All are heard from this call on.
///
/// # Errors
/// When signals cannot be received.
pub fn told_to_end() -> Result<impl Future<Output = ()>> {
    let hear = |kind| signal(kind).context("signals cannot be received");
    let mut terminate = hear(SignalKind::terminate())?;
    let mut interrupt = hear(SignalKind::interrupt())?;
    let mut hang_up = hear(SignalKind::hangup())?;
    let (closed, closing) = oneshot::channel();
    thread::spawn(move || {
        // An error ends the wait as an end of file does.
        let _ = copy(&mut stdin(), &mut sink());
        let _ = closed.send(());
    });
    Ok(async move {
        tokio::select! {
            _ = closing => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}
