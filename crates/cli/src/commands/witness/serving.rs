//! The witness as a service: it looks again and again, and serves what it cosigned.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use countersign_core::keys;
use countersign_core::ports::store::Store;
use countersign_witness::Found;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Looker, Own};
use crate::serve::{logs, stop_signal};

/// What is served, and how the last look ended.
struct Shown {
    own: Arc<Own>,
    /// Why the log is another than was seen before.
    inconsistent: Mutex<Option<String>>,
}

/// Looks every `period`, and serves meanwhile, until it is told to stop.
///
/// # Errors
/// When the address is taken, or the listener fails.
pub async fn until_stopped<L: Store>(looker: &Looker<'_, L>, period: Duration) -> anyhow::Result<()> {
    logs::start(tracing::Level::INFO, false);
    let address = looker.arguments.listen;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: stop what does, or give another --listen"))?;
    let shown = Arc::new(Shown { own: Arc::clone(looker.own), inconsistent: Mutex::default() });
    let router = Router::new()
        .route("/witness/{*path}", get(cosigned))
        .route("/healthz", get(health))
        .with_state(Arc::clone(&shown));
    let stop = stop_signal()?;
    println!(
        "{}",
        json!({ "listening": format!("http://{}", listener.local_addr()?), "vkey": looker.own.key })
    );
    let served = async {
        axum::serve(listener, router).with_graceful_shutdown(stop).await.context("the listener failed")
    };
    tokio::select! {
        ended = served => ended,
        () = look_again(looker, period, &shown) => Ok(()),
    }
}

async fn look_again<L: Store>(looker: &Looker<'_, L>, period: Duration, shown: &Shown) {
    let mut seen = None;
    loop {
        match looker.look().await {
            Ok(Found::Inconsistent(why)) => {
                tracing::error!(why, "this is not the log that was seen before: find out who writes it");
                *shown.inconsistent.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
            }
            Ok(found) => {
                *shown.inconsistent.lock().unwrap_or_else(PoisonError::into_inner) = None;
                if seen.as_ref() != Some(&found) {
                    tracing::info!(?found, "looked");
                }
                seen = Some(found);
            }
            Err(error) => tracing::warn!(error = format!("{error:#}"), "cannot look now"),
        }
        tokio::time::sleep(period).await;
    }
}

/// Fails while the log is another than was seen before, so that whatever watches the process cries.
async fn health(State(shown): State<Arc<Shown>>) -> Response {
    match &*shown.inconsistent.lock().unwrap_or_else(PoisonError::into_inner) {
        None => "ok\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn cosigned(State(shown): State<Arc<Shown>>, Path(path): Path<String>) -> Response {
    match shown.own.store.get(&format!("{}{path}", keys::WITNESS)).await {
        Ok(Some(found)) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], found.bytes).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
