//! A server on this machine that answers as a test tells it to, well or badly.

use std::sync::{Arc, Mutex};

use countersign_core::configuration::{Host, HostKind, SecretReference};
use countersign_core::digest::Digest;
use countersign_core::names::CommitId;
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{Report, ReportedTarget};
use countersign_core::ports::secrets::Secrets;
use countersign_core::time::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::host::Clock;

/// The token that the tests' secrets hold.
pub(crate) const TOKEN: &str = "t0ken-of-the-tests";

/// A request as the server got it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, headers and a body.
    Whole(u16, Vec<(&'static str, String)>, String),
    /// A body that ends before it should.
    Truncated(String),
    /// A body that never ends.
    Endless,
    /// The connection is closed without an answer.
    Nothing,
}

impl Reply {
    pub(crate) fn json(body: &serde_json::Value) -> Self {
        Self::Whole(200, vec![("content-type", "application/json".to_owned())], body.to_string())
    }

    pub(crate) fn status(status: u16, headers: &[(&'static str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self::Whole(status, headers, body.to_owned())
    }
}

type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// The server. It ends with this value.
pub(crate) struct Server {
    pub(crate) base: String,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (handler, seen): (Handler, _) = (Arc::new(handler), requests.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(serve(stream, handler.clone(), seen.clone()));
            }
        });
        Self { base, requests, task }
    }

    /// Everything that was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The requests as `METHOD target`, in order.
    pub(crate) fn log(&self) -> Vec<String> {
        self.requests().iter().map(|request| format!("{} {}", request.method, request.target)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, handler: Handler, seen: Arc<Mutex<Vec<Request>>>) {
    let Some(request) = read(&mut stream).await else { return };
    let reply = handler(&request);
    seen.lock().unwrap().push(request);
    let _ = answer(&mut stream, reply).await;
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, length)| length.parse().unwrap());
    while bytes.len() < end + 4 + length {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    let body = String::from_utf8(bytes[end + 4..].to_vec()).unwrap();
    Some(Request { method, target, headers, body })
}

async fn answer(stream: &mut TcpStream, reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Whole(status, headers, body) => {
            let mut head = format!(
                "HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-length: {}\r\n",
                body.len()
            );
            for (name, value) in headers {
                head += &format!("{name}: {value}\r\n");
            }
            stream.write_all(format!("{head}\r\n{body}").as_bytes()).await
        }
        Reply::Truncated(body) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len() + 1);
            stream.write_all(format!("{head}{body}").as_bytes()).await
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
            let chunk = format!("{:x}\r\n{}\r\n", 1 << 16, " ".repeat(1 << 16));
            loop {
                stream.write_all(chunk.as_bytes()).await?;
            }
        }
        Reply::Nothing => Ok(()),
    }
}

/// A clock that stands still.
pub(crate) fn clock() -> Clock {
    Arc::new(|| Timestamp::from_millis(1_795_212_000_000))
}

/// Holds [`TOKEN`] as `env:FORGE_TOKEN`, and what else a test gives it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vault {
    pub(crate) more: Vec<(String, Vec<u8>)>,
}

impl Secrets for Vault {
    async fn read(&self, reference: &SecretReference) -> Result<Vec<u8>, PortError> {
        let name = String::from(reference.clone());
        if name == "env:FORGE_TOKEN" {
            return Ok(TOKEN.as_bytes().to_vec());
        }
        let found = self.more.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        found.ok_or_else(|| PortError::Unavailable(format!("the secret {name} cannot be read")))
    }
}

/// A host of `kind` whose interface is at `base`.
pub(crate) fn host(kind: HostKind, base: &str) -> Host {
    Host {
        kind,
        url: base.to_owned(),
        api: None,
        webhook_secret: SecretReference::Environment("WEBHOOK".to_owned()),
        token: Some(SecretReference::Environment("FORGE_TOKEN".to_owned())),
        app: None,
        user: None,
        ssh: None,
        poll_seconds: None,
    }
}

/// The commit whose id repeats a digit.
pub(crate) fn commit(digit: char) -> CommitId {
    digit.to_string().repeat(40).parse().unwrap()
}

/// A report of one target on one commit of `forge/team/shop`, for the reason `because of INDEX`.
pub(crate) fn report(of: char, environment: &str, index: u64, verdict: &str) -> Report {
    let digest = Digest::of(b"");
    let reason = format!("because of {index}");
    let target = json!({ "application": "shop", "environment": environment, "cluster": "east" });
    let disposition = if verdict == "allowed" { "authorized" } else { "refused" };
    let decision = json!({
        "v": 1, "attempt": digest, "target": target, "began": "2026-11-20T22:00:00Z", "preview": false,
        "follows": { "repository": "forge/team/shop", "reference": "refs/heads/main" },
        "operation": "deploy", "commit": commit(of), "tree": commit(of), "closure": digest, "objects": [],
        "namespaces": [], "clusterKinds": [], "adopt": false, "facts": digest, "bundle": digest,
        "engine": "e", "verdict": verdict, "reason": reason, "rules": [], "approvals": [], "explained": []
    });
    let state = json!({
        "attempt": digest, "index": index, "preview": false, "verdict": verdict,
        "disposition": disposition, "reason": reason, "decision": digest
    });
    Report {
        repository: "forge/team/shop".parse().unwrap(),
        commit: commit(of),
        environment: environment.parse().unwrap(),
        targets: vec![ReportedTarget {
            target: serde_json::from_value(target).unwrap(),
            state: serde_json::from_value(state).unwrap(),
            decision: serde_json::from_value(decision).unwrap(),
            diff: Vec::new(),
            outcome: None,
        }],
        others: Vec::new(),
    }
}
