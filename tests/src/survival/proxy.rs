//! A server before a real one, which behaves as badly as it is told to, or stops at a request, so that whoever asked
//! can be killed there: before what was asked for happened, or once it happened and before that was told.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::world::ports::Port;

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behavior {
    /// It hands everything on.
    Well,
    /// It hands everything on, after a while.
    Slow(Duration),
    /// It takes requests and never answers.
    Hangs,
    /// It answers these writes with this status, and hands everything else on.
    Answers(u16, Writes),
}

/// Some requests that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// Each of them, also those that are only tried.
    All,
    /// Those that are not only tried, but for the first so many.
    After(usize),
    /// Those that are not only tried, of what has this in its path.
    To(&'static str),
    /// Deletions.
    Deletions,
}

/// A request that is stopped: the `at`-th from when this was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Which one, beginning with 1.
    pub at: usize,
    /// Whether only requests are counted that change something.
    pub writes: bool,
    /// Whether it is handed on before.
    pub handed_on: bool,
}

/// The proxy. It listens until it is put down or dropped.
#[derive(Debug)]
pub struct Proxy {
    conduct: Arc<Mutex<Conduct>>,
    running: Option<Runtime>,
    port: Port,
    behind: Behind,
}

/// What is told, and what was seen since.
#[derive(Clone, Copy, Debug)]
struct Conduct {
    behavior: Behavior,
    stop: Option<Stop>,
    stopped: bool,
    requests: usize,
    writes: usize,
}

const WELL: Conduct =
    Conduct { behavior: Behavior::Well, stop: None, stopped: false, requests: 0, writes: 0 };

/// The real server.
#[derive(Clone, Debug)]
enum Behind {
    /// The API server that a kubeconfig file names, as whom that says.
    Kubeconfig(PathBuf),
    /// Any server; whoever asks proves to it who they are.
    Url(String),
}

#[derive(Clone)]
struct Shared {
    conduct: Arc<Mutex<Conduct>>,
    client: Client,
    forwards_credentials: bool,
}

impl Proxy {
    /// A proxy before an API server. It hands on as the administrator of `kubeconfig`, whoever asks.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn before_cluster(kubeconfig: &Path) -> Result<Self> {
        Self::start(Behind::Kubeconfig(kubeconfig.to_owned()))
    }

    /// A proxy before the server at this URL.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn before_url(url: &str) -> Result<Self> {
        Self::start(Behind::Url(url.to_owned()))
    }

    fn start(behind: Behind) -> Result<Self> {
        let conduct = Arc::new(Mutex::new(WELL));
        let mut proxy = Self { conduct, running: None, port: Port::reserve()?, behind };
        proxy.up()?;
        Ok(proxy)
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// Writes a kubeconfig file that leads through it into a folder; returns its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn kubeconfig(&self, folder: &Path) -> Result<PathBuf> {
        let name = "proxy";
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": name, "cluster": { "server": self.url() } }],
            "users": [{ "name": name, "user": {} }],
            "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
            "current-context": name,
        });
        let path = folder.join("proxy-kubeconfig");
        fs::write(&path, kubeconfig.to_string())?;
        Ok(path)
    }

    /// Lets it behave so from now on, and stop nowhere.
    pub fn behave(&self, behavior: Behavior) {
        *lock(&self.conduct) = Conduct { behavior, ..WELL };
    }

    /// Lets it stop at a request. Nothing else is hindered.
    pub fn stop_at(&self, stop: Stop) {
        *lock(&self.conduct) = Conduct { stop: Some(stop), ..WELL };
    }

    /// Whether a request was stopped.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        lock(&self.conduct).stopped
    }

    /// How many requests changed something since it was last told how to behave.
    #[must_use]
    pub fn writes(&self) -> usize {
        lock(&self.conduct).writes
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
        let (conduct, behind) = (Arc::clone(&self.conduct), self.behind.clone());
        let (listening, heard) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let started = async { anyhow::Ok((behind.connect().await?, TcpListener::bind(address).await?)) };
            match started.await {
                Ok((client, listener)) => {
                    let _ = listening.send(Ok(()));
                    let forwards_credentials = matches!(behind, Behind::Url(_));
                    let shared = Shared { conduct, client, forwards_credentials };
                    let _ = axum::serve(listener, Router::new().fallback(handle).with_state(shared)).await;
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

impl Behind {
    async fn connect(&self) -> Result<Client> {
        let mut config = match self {
            Self::Kubeconfig(path) => {
                let file = Kubeconfig::read_from(path)?;
                Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?
            }
            Self::Url(url) => Config::new(url.parse()?),
        };
        // The default tries again for a quarter of an hour, and never gives up on a silent server.
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(5));
        config.read_timeout = Some(Duration::from_secs(60));
        Ok(Client::try_from(config)?)
    }
}

fn lock(conduct: &Mutex<Conduct>) -> MutexGuard<'_, Conduct> {
    conduct.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What becomes of one request.
enum Fate {
    HandedOn,
    Late(Duration),
    Lost,
    Answered(u16),
    /// It is stopped here, or once it was handed on.
    Stopped {
        handed_on: bool,
    },
}

impl Conduct {
    /// Counts a request, and says what becomes of it.
    fn fate(&mut self, request: &Request) -> Fate {
        let tries = request.method() != Method::GET;
        let query = request.uri().query().unwrap_or_default();
        // Git asks by POST for what it fetches.
        let reads = query.contains("dryRun=All") || request.uri().path().ends_with("/git-upload-pack");
        let writes = tries && !reads;
        self.requests += 1;
        self.writes += usize::from(writes);
        if let Some(stop) = self.stop.filter(|stop| writes || !stop.writes) {
            let count = if stop.writes { self.writes } else { self.requests };
            return if count == stop.at {
                Fate::Stopped { handed_on: stop.handed_on }
            } else {
                Fate::HandedOn
            };
        }
        match self.behavior {
            Behavior::Well => Fate::HandedOn,
            Behavior::Slow(pause) => Fate::Late(pause),
            Behavior::Hangs => Fate::Lost,
            Behavior::Answers(code, which) => {
                let hit = match which {
                    Writes::All => tries,
                    Writes::After(first) => writes && self.writes > first,
                    Writes::To(part) => writes && request.uri().path().contains(part),
                    Writes::Deletions => request.method() == Method::DELETE,
                };
                if hit { Fate::Answered(code) } else { Fate::HandedOn }
            }
        }
    }
}

async fn handle(State(shared): State<Shared>, request: Request) -> Response {
    let fate = lock(&shared.conduct).fate(&request);
    match fate {
        Fate::HandedOn | Fate::Stopped { handed_on: true } => {}
        Fate::Late(pause) => tokio::time::sleep(pause).await,
        Fate::Lost => std::future::pending().await,
        Fate::Answered(code) => return status(code),
        Fate::Stopped { handed_on: false } => return stopped(&shared).await,
    }
    let answer = hand_on(&shared, request)
        .await
        .unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response());
    if matches!(fate, Fate::Stopped { .. }) { stopped(&shared).await } else { answer }
}

async fn stopped(shared: &Shared) -> Response {
    lock(&shared.conduct).stopped = true;
    std::future::pending().await
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

async fn hand_on(shared: &Shared, request: Request) -> Result<Response> {
    let (mut head, body) = request.into_parts();
    // The client behind speaks to its own server.
    for name in [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    if !shared.forwards_credentials {
        head.headers.remove(header::AUTHORIZATION);
    }
    let bytes = axum::body::to_bytes(body, 64 << 20).await?;
    let request = axum::http::Request::from_parts(head, kube::client::Body::from(bytes.to_vec()));
    let (head, body) = shared.client.send(request).await?.into_parts();
    Ok(Response::from_parts(head, Body::new(body)))
}
