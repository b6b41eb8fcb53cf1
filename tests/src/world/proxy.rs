//! A server before a real API server, which behaves as badly as it is told to.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kube::Client;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::control_plane::{ControlPlane, connect};
use super::ports::Port;

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behavior {
    /// It hands everything on.
    Well,
    /// It hands everything on, after a while.
    Slow(Duration),
    /// It takes requests and never answers.
    Hangs,
    /// It answers every write with this status, and hands reads on.
    Answers(u16),
}

/// The proxy. It listens until it is put down or dropped.
#[derive(Debug)]
pub struct Proxy {
    behavior: Arc<Mutex<Behavior>>,
    running: Option<Runtime>,
    port: Port,
    kubeconfig: PathBuf,
    behind: PathBuf,
}

#[derive(Clone)]
struct Shared {
    behavior: Arc<Mutex<Behavior>>,
    client: Client,
}

impl Proxy {
    /// A proxy before this control plane. It hands on as the administrator, whoever asks.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(world: &ControlPlane) -> Result<Self> {
        let port = Port::reserve()?;
        let name = "proxy";
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": name, "cluster": { "server": format!("http://127.0.0.1:{}", port.number()) } }],
            "users": [{ "name": name, "user": {} }],
            "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
            "current-context": name,
        });
        let path = world.folder().join("proxy-kubeconfig");
        fs::write(&path, kubeconfig.to_string())?;
        let behavior = Arc::new(Mutex::new(Behavior::Well));
        let behind = world.kubeconfig().to_owned();
        let mut proxy = Self { behavior, running: None, port, kubeconfig: path, behind };
        proxy.up()?;
        Ok(proxy)
    }

    /// A kubeconfig file that leads through it.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Lets it behave so from now on.
    pub fn behave(&self, behavior: Behavior) {
        *self.behavior.lock().unwrap_or_else(PoisonError::into_inner) = behavior;
    }

    /// Ends it: nobody listens any more, and every connection is broken.
    pub fn down(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown_background();
        }
    }

    /// Starts it again where it was.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn up(&mut self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let address = SocketAddr::from(([127, 0, 0, 1], self.port.number()));
        let (behavior, behind) = (Arc::clone(&self.behavior), self.behind.clone());
        let (listening, heard) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let started = async {
                let client = connect(&behind).await?;
                anyhow::Ok((client, TcpListener::bind(address).await?))
            };
            match started.await {
                Ok((client, listener)) => {
                    let _ = listening.send(Ok(()));
                    let router = Router::new().fallback(handle).with_state(Shared { behavior, client });
                    let _ = axum::serve(listener, router).await;
                }
                Err(error) => drop(listening.send(Err(error))),
            }
        });
        heard.recv().context("the proxy ended at once")??;
        self.running = Some(runtime);
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.down();
    }
}

async fn handle(State(shared): State<Shared>, request: Request) -> Response {
    let behavior = *shared.behavior.lock().unwrap_or_else(PoisonError::into_inner);
    match behavior {
        Behavior::Well => {}
        Behavior::Slow(pause) => tokio::time::sleep(pause).await,
        Behavior::Hangs => std::future::pending().await,
        Behavior::Answers(_) if request.method() == Method::GET => {}
        Behavior::Answers(code) => return status(code),
    }
    hand_on(&shared.client, request)
        .await
        .unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response())
}

/// What an API server says with this status.
fn status(code: u16) -> Response {
    let message = format!("the proxy was told to answer {code}");
    let reason = match code {
        409 => "Conflict",
        422 => "Invalid",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (code, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn hand_on(client: &Client, request: Request) -> Result<Response> {
    let (mut head, body) = request.into_parts();
    // The client behind speaks for itself, and for its own server.
    for name in [header::HOST, header::AUTHORIZATION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    let bytes = axum::body::to_bytes(body, 64 << 20).await?;
    let request = axum::http::Request::from_parts(head, kube::client::Body::from(bytes.to_vec()));
    let (head, body) = client.send(request).await?.into_parts();
    Ok(Response::from_parts(head, Body::new(body)))
}
