//! The HTTP surface: webhooks, commands, health, metrics, and the log for anyone who wants to verify it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use countersign_core::keys;
use countersign_core::ports::store::Store as _;
use countersign_forge::headers::Headers;
use countersign_local::fault;
use countersign_local::queue::LocalQueue;
use countersign_local::secrets::LocalSecrets;
use countersign_local::store::LocalStore;
use countersign_receive::{Answer, MAX_BODY, Receiver, Request};
use tokio::net::TcpListener;

use super::node::Node;
use crate::installation::now;

type Shared = State<Arc<Node>>;

/// Serves until `stop` ends; requests that are being answered are finished.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    node: Arc<Node>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/webhooks/{host}", post(webhook))
        .route("/commands", post(command))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/log/{*path}", get(log))
        // One more byte than is taken, so that `receive` itself gives the answer that people read.
        .layer(DefaultBodyLimit::max(MAX_BODY + 1))
        .with_state(node);
    axum::serve(listener, router).with_graceful_shutdown(stop).await.context("the listener failed")
}

/// The `receive` stage on this node's ports.
pub fn receiver(node: &Node) -> Receiver<'_, LocalStore, LocalQueue, LocalSecrets> {
    Receiver {
        store: &node.store,
        queue: &node.queue,
        secrets: &node.secrets,
        configurations: &node.configurations,
        root_key: &node.genesis.1.root_key,
    }
}

async fn webhook(State(node): Shared, Path(host): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Headers = headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    let request = Request { host: &host, headers: &headers, body: &body, received: now() };
    answer(&node, receiver(&node).webhook(request).await)
}

async fn command(State(node): Shared, body: Bytes) -> Response {
    answer(&node, receiver(&node).statement(&body, now()).await)
}

fn answer(node: &Node, answer: Answer) -> Response {
    fault::reach(|| "http.answer/before".to_owned());
    node.metrics.answered(answer.counted_as);
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, format!("{}\n", answer.text)).into_response()
}

async fn ready(State(node): Shared) -> Response {
    let readable = node.store.get(keys::ACTIVE_BUNDLE).await;
    match readable {
        Ok(Some(_)) if node.ready.load(Ordering::Acquire) => "ready\n".into_response(),
        Ok(_) => (StatusCode::SERVICE_UNAVAILABLE, "starting or stopping\n").into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

async fn metrics(State(node): Shared) -> Response {
    match node.metrics.text(&node).await {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// Serves the log in tlog-tiles layout. Everything but the checkpoint never changes.
async fn log(State(node): Shared, Path(path): Path<String>) -> Response {
    let checkpoint = path == "checkpoint";
    if !checkpoint && !path.starts_with("tile/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    match node.store.get(&format!("{}{path}", keys::LOG)).await {
        Ok(Some(found)) if checkpoint => {
            let headers =
                [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
            (headers, found.bytes).into_response()
        }
        Ok(Some(found)) => {
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CACHE_CONTROL, "max-age=31536000, immutable"),
            ];
            (headers, found.bytes).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}
