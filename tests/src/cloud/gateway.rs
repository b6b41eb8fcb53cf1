//! What stands before the services: it knows every function by its role's access key, checks the signature of each
//! request, allows what the contract allows and nothing else, counts, and lets things go wrong where a test asks for it.

pub mod answer;
pub mod call;
pub mod faults;
pub mod rights;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, header};
use countersign_core::digest::Digest;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::sigv4::{Authorization, Scope, Signed};
use crate::world::aws::ACCESS;
use answer::{Refusal, broken};
use call::Call;
use faults::{Fate, Faults};
use rights::{Rights, Used};

/// The largest request that is handed on.
const MAX_REQUEST: usize = 64 << 20;

/// How long a connection lasts over which no answer comes.
const SILENCE: Duration = Duration::from_secs(120);

/// The credentials of a function's role.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The function.
    pub function: String,
    /// The access key's id.
    pub access_key: String,
    /// Its secret.
    pub secret: String,
    /// The token that goes with both.
    pub token: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("function", &self.function).finish_non_exhaustive()
    }
}

/// Where each service really is, and how the cluster is reached.
#[derive(Clone, Debug)]
pub struct Behind {
    /// URLs by service.
    pub services: BTreeMap<String, String>,
    /// The URL of the API server, and its authority in PEM, which EKS shows.
    pub cluster: (String, String),
}

/// The calls that were made, by function and name.
pub type Counts = BTreeMap<(String, String), u64>;

/// What went wrong as a test asked for, and how often: by function, call and fate.
pub type Suffered = BTreeMap<(String, String, Fate), u64>;

/// The gateway. It ends with the runtime that it was started in.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Where it listens.
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    behind: Behind,
    roles: BTreeMap<String, Credentials>,
    rights: Rights,
    faults: Faults,
    client: reqwest::Client,
    counts: Mutex<Counts>,
    suffered: Mutex<Suffered>,
    used: Mutex<BTreeSet<Used>>,
    refused: Mutex<BTreeSet<String>>,
}

impl Gateway {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(behind: Behind, roles: &[Credentials], rights: Rights, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port")?;
        let url = format!("http://{}", listener.local_addr()?);
        let roles = roles.iter().map(|role| (role.access_key.clone(), role.clone())).collect();
        let client = reqwest::Client::builder().no_proxy().build()?;
        let shared = Arc::new(Shared {
            behind,
            roles,
            rights,
            faults: Faults::new(seed),
            client,
            counts: Mutex::default(),
            suffered: Mutex::default(),
            used: Mutex::default(),
            refused: Mutex::default(),
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, shared })
    }

    /// What goes wrong.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The calls made so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What went wrong so far.
    #[must_use]
    pub fn suffered(&self) -> Suffered {
        self.shared.suffered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The rights used so far.
    #[must_use]
    pub fn used(&self) -> BTreeSet<Used> {
        self.shared.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was asked for and no role allows.
    #[must_use]
    pub fn refused(&self) -> BTreeSet<String> {
        self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_REQUEST).await else { return broken() };
    let authorization = text(&parts.headers, "authorization");
    let Ok(authorization) = Authorization::parse(&authorization) else {
        return Refusal { status: 403, code: "MissingAuthenticationToken", message: authorization }
            .response("s3");
    };
    let service = authorization.scope.service.clone();
    let answered = shared.answer(&parts, &body, &authorization).await;
    answered.unwrap_or_else(|refusal| {
        let mut refused = shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refusal.code.starts_with("AccessDenied") && !refusal.message.contains("the tests") {
            refused.insert(refusal.message.clone());
        }
        refusal.response(&service)
    })
}

impl Shared {
    async fn answer(
        &self,
        parts: &Parts,
        body: &Bytes,
        by: &Authorization,
    ) -> Result<Response<Body>, Refusal> {
        let service = by.scope.service.as_str();
        let role = self.roles.get(&by.scope.access_key).ok_or_else(|| Refusal {
            status: 403,
            code: "InvalidClientTokenId",
            message: format!("{}: nobody's access key", by.scope.access_key),
        })?;
        is_signed_by(role, parts, body, by).map_err(|error| Refusal {
            status: 403,
            code: "SignatureDoesNotMatch",
            message: format!("{error:#}"),
        })?;
        let call = Call::read(service, &parts.method, &parts.uri, &parts.headers, body)
            .map_err(|error| Refusal::denied(service, format!("{}: {error:#}", role.function)))?;
        self.count(&role.function, &call);
        let used = self.rights.allow(&role.function, &call).map_err(|why| Refusal::denied(service, why))?;
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(used);
        let has_header = |name: &str| parts.headers.contains_key(name);
        let is_conditional =
            call.name == "s3.PutObject" && (has_header("if-match") || has_header("if-none-match"));
        let fate = self.faults.next(&role.function, &call.name, is_conditional);
        self.note(&role.function, &call, fate);
        match fate {
            Fate::Throttled => return Err(Refusal::throttled(service)),
            Fate::Conflicted => return Err(Refusal::conflicted()),
            Fate::Failed => return Err(Refusal::unavailable(service)),
            Fate::Denied => return Err(Refusal::denied(service, "denied: the tests ask for it".to_owned())),
            Fate::Well | Fate::DoneAndFailed | Fate::DoneAndBroken | Fate::DoneAndSilent => {}
        }
        let handed = self.hand_on(parts, body, &by.scope).await;
        let answer = handed.map_err(|error| Refusal {
            status: 502,
            code: "BadGateway",
            message: format!("{error:#}"),
        })?;
        match fate {
            Fate::DoneAndFailed => Err(Refusal::unavailable(service)),
            Fate::DoneAndBroken => Ok(broken()),
            Fate::DoneAndSilent => {
                tokio::time::sleep(SILENCE).await;
                Ok(broken())
            }
            _ => self.shown(role, &call, answer),
        }
    }

    fn count(&self, function: &str, call: &Call) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((function.to_owned(), call.name.clone())).or_default() += 1;
    }

    fn note(&self, function: &str, call: &Call, fate: Fate) {
        if fate != Fate::Well {
            let mut suffered = self.suffered.lock().unwrap_or_else(PoisonError::into_inner);
            *suffered.entry((function.to_owned(), call.name.clone(), fate)).or_default() += 1;
        }
    }

    /// What the service answers, signed for it by the one key that it knows: it knows nothing of roles.
    async fn hand_on(&self, parts: &Parts, body: &Bytes, scope: &Scope) -> Result<(u16, HeaderMap, Bytes)> {
        let base = self.behind.services.get(&scope.service).context("nothing is behind this service")?;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = parts.headers.clone();
        for name in [header::CONTENT_LENGTH, header::HOST, header::AUTHORIZATION] {
            headers.remove(name);
        }
        headers.remove("x-amz-security-token");
        if scope.service == "s3" {
            sign_again(&mut headers, parts, base.trim_start_matches("http://"), scope)?;
        } else {
            // Whose key it is tells others who asks.
            headers.insert(header::AUTHORIZATION, parts.headers[header::AUTHORIZATION].clone());
        }
        let request = self.client.request(parts.method.clone(), format!("{base}{path}"));
        let answer = request.headers(headers).body(body.clone()).send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok((status, headers, answer.bytes().await?))
    }

    /// The answer as the role sees it.
    fn shown(
        &self,
        role: &Credentials,
        call: &Call,
        (status, headers, mut body): (u16, HeaderMap, Bytes),
    ) -> Result<Response<Body>, Refusal> {
        if call.name == "s3.GetObject" && status == 404 && !self.rights.tells_absence(&role.function, call) {
            // No refusal of the contract: this is how absence looks for who may not list.
            let message = "absent, or not allowed: the tests cannot tell either".to_owned();
            return Err(Refusal::denied("s3", message));
        }
        if call.name == "eks.DescribeCluster" && status == 200 {
            body = self.described(&body).into();
        }
        let mut answer = Response::builder().status(status);
        for (name, value) in &headers {
            if ![header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION].contains(name) {
                answer = answer.header(name, value);
            }
        }
        Ok(answer.body(Body::from(body)).unwrap_or_else(|_| broken()))
    }

    /// What EKS shows of the cluster, with the address and the authority of the real API server.
    fn described(&self, body: &[u8]) -> Vec<u8> {
        use base64::Engine as _;
        let mut shown: Value = serde_json::from_slice(body).unwrap_or_default();
        let (url, authority) = &self.behind.cluster;
        shown["cluster"]["endpoint"] = json!(url);
        let authority = base64::engine::general_purpose::STANDARD.encode(authority);
        shown["cluster"]["certificateAuthority"]["data"] = json!(authority);
        shown.to_string().into_bytes()
    }
}

/// Whether the holder of the role's secret signed exactly this.
fn is_signed_by(role: &Credentials, parts: &Parts, body: &[u8], by: &Authorization) -> Result<()> {
    let payload = text(&parts.headers, "x-amz-content-sha256");
    let digest = Digest::of(body).hex();
    let is_literal = payload.starts_with("UNSIGNED") || payload.starts_with("STREAMING-UNSIGNED");
    ensure!(payload.is_empty() || is_literal || payload == digest, "the body is another one");
    let covered = |name: &String| (name.clone(), text(&parts.headers, name));
    let time = text(&parts.headers, "x-amz-date");
    let signed = Signed {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: by.headers.iter().map(covered).collect(),
        payload: if payload.is_empty() { &digest } else { &payload },
        time: &time,
        scope: by.scope.clone(),
    };
    ensure!(signed.signature(&role.secret)? == by.signature, "the signature is not one of this request");
    ensure!(text(&parts.headers, "x-amz-security-token") == role.token, "the session token is another one");
    Ok(())
}

fn sign_again(headers: &mut HeaderMap, parts: &Parts, host: &str, scope: &Scope) -> Result<()> {
    headers.insert(header::HOST, host.parse()?);
    let is_covered = |name: &&str| *name == "host" || name.starts_with("x-amz-");
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str()).filter(is_covered).collect();
    names.sort_unstable();
    let covered = names.iter().map(|name| ((*name).to_owned(), text(headers, name))).collect();
    let (payload, time) = (text(headers, "x-amz-content-sha256"), text(headers, "x-amz-date"));
    let signed = Signed {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: covered,
        payload: &payload,
        time: &time,
        scope: Scope { access_key: ACCESS.0.to_owned(), ..scope.clone() },
    };
    headers.insert(header::AUTHORIZATION, signed.authorization(ACCESS.1)?.parse()?);
    Ok(())
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
