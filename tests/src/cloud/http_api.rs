//! The HTTP API before `receive`: requests become events of payload format 2.0, as API Gateway documents it ("Work with
//! AWS Lambda proxy integrations for HTTP APIs").

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::lambda::{Failed, Lambda};

/// The most bytes of a body: API Gateway takes 10 MB, and Lambda's events hold 6 MB.
const MAX_EVENT: usize = 6 << 20;

/// The HTTP API. It ends with the runtime that it was started in.
#[derive(Clone, Debug)]
pub struct HttpApi {
    /// Where it listens, as `127.0.0.1:40123`.
    pub address: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    lambda: Arc<Lambda>,
    function: String,
    requests: AtomicU64,
    pushes: Mutex<BTreeMap<String, Instant>>,
}

impl HttpApi {
    /// Starts it on a free port, before this function.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(lambda: &Arc<Lambda>, function: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port")?;
        let address = listener.local_addr()?.to_string();
        let lambda = Arc::clone(lambda);
        let (requests, pushes) = (AtomicU64::new(0), Mutex::default());
        let shared = Arc::new(Shared { lambda, function: function.to_owned(), requests, pushes });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, shared })
    }

    /// How many requests were made so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// When the first webhook came that tells that a branch leads to this commit.
    #[must_use]
    pub fn told_of(&self, commit: &str) -> Option<Instant> {
        self.shared.pushes.lock().unwrap_or_else(PoisonError::into_inner).get(commit).copied()
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let came = Instant::now();
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let (parts, body) = request.into_parts();
    let Some(route) = route(&parts) else { return told(StatusCode::NOT_FOUND, "Not Found") };
    let Ok(body) = axum::body::to_bytes(body, MAX_EVENT).await else {
        return told(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    if let Some(commit) = pushed(&body) {
        shared.pushes.lock().unwrap_or_else(PoisonError::into_inner).entry(commit).or_insert(came);
    }
    let event = event(&route, &parts, &body).to_string();
    if event.len() > MAX_EVENT {
        return told(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long");
    }
    match shared.lambda.invoke(&shared.function, event.as_bytes()).await {
        Ok(answer) => response(&answer),
        Err(Failed::Throttled) => told(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        Err(_) => told(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    }
}

/// The commit that a webhook of a push is about.
fn pushed(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(body["after"].as_str()?.to_owned())
}

/// A route of the template, with its path parameters.
struct Route {
    key: &'static str,
    parameters: BTreeMap<&'static str, String>,
}

fn route(parts: &Parts) -> Option<Route> {
    let path: Vec<_> = parts.uri.path().trim_start_matches('/').split('/').collect();
    match (&parts.method, path.as_slice()) {
        (&Method::POST, ["webhooks", host]) => {
            Some(Route { key: "POST /webhooks/{host}", parameters: [("host", (*host).to_owned())].into() })
        }
        (&Method::POST, ["commands"]) => Some(Route { key: "POST /commands", parameters: BTreeMap::new() }),
        _ => None,
    }
}

/// The event. Bodies of a textual kind travel as they are, others in base64.
fn event(route: &Route, parts: &Parts, body: &[u8]) -> Value {
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.as_str())
            .and_modify(|all| *all = format!("{all},{value}"))
            .or_insert_with(|| value.into_owned());
    }
    let kind = headers.get("content-type").map(String::as_str).unwrap_or_default();
    let is_textual = ["text/", "application/json", "application/xml", "application/x-www-form-urlencoded"]
        .iter()
        .any(|textual| kind.starts_with(textual));
    let text = std::str::from_utf8(body).ok().filter(|_| is_textual);
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    json!({
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": super::lambda::ACCOUNT, "apiId": "tests", "domainName": "tests.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "tests", "requestId": "tests=", "routeKey": route.key, "stage": "$default",
            "timeEpoch": countersign_aws::lambda::now().as_millis(),
            "http": {
                "method": parts.method.as_str(), "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent"),
            },
        },
        "pathParameters": route.parameters,
        "body": text.map_or_else(|| STANDARD.encode(body), str::to_owned),
        "isBase64Encoded": text.is_none(),
    })
}

/// What a function's answer in format 2.0 becomes.
fn response(answer: &[u8]) -> Response<Body> {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else {
        return told(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    };
    let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    let mut response = Response::builder().status(status);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        response = response.header(name, value.as_str().unwrap_or_default());
    }
    let body = answer["body"].as_str().unwrap_or_default();
    let is_base64 = answer["isBase64Encoded"] == true;
    let body = if is_base64 { STANDARD.decode(body).unwrap_or_default() } else { body.as_bytes().to_vec() };
    let wrong = |_| told(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    response.body(Body::from(body)).unwrap_or_else(wrong)
}

fn told(status: StatusCode, message: &str) -> Response<Body> {
    let body = json!({ "message": message }).to_string();
    Response::builder().status(status).body(Body::from(body)).unwrap_or_default()
}
