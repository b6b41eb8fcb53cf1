//! What EKS does with a token: the webhook that the API server asks who the bearer is, and the access entries that say
//! what groups a role is in.
//!
//! A token is `k8s-aws-v1.` and a presigned request to STS for the caller's identity. EKS sends it to STS; here the
//! signature, which moto does not check, is checked with the secret of the role, and moto is asked whose it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_aws::lambda::now;
use countersign_core::digest::Digest;
use countersign_core::time::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::gateway::Credentials;
use super::lambda::REGION;
use super::sigv4::{ALGORITHM, Scope, Signed};
use crate::world::aws::moto::Moto;

/// How long a token is taken, from when its request was signed.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// The header that binds a token to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// Who may come in as what.
#[derive(Clone, Debug)]
pub struct Entries {
    /// The name of the cluster in EKS.
    pub cluster: String,
    /// The credentials of every role that STS knows.
    pub roles: Vec<Credentials>,
    /// The groups of each role, by its name: the access entries of the cluster.
    pub groups: BTreeMap<String, String>,
}

/// The webhook. It ends with the runtime that it was started in.
#[derive(Clone, Debug)]
pub struct Authenticator {
    /// What the API server asks.
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    moto: Moto,
    entries: Mutex<Option<Entries>>,
}

/// A caller that was recognized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The ARN of the session.
    pub arn: String,
    /// The group of its role.
    pub group: String,
}

impl Authenticator {
    /// Starts it on a free port. Nobody comes in until there are entries.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(moto: &Moto) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port")?;
        let url = format!("http://{}/authenticate", listener.local_addr()?);
        let shared = Arc::new(Shared { moto: moto.clone(), entries: Mutex::default() });
        let router = Router::new().route("/authenticate", post(review)).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, shared })
    }

    /// Makes these the entries.
    pub fn admit(&self, entries: Entries) {
        *self.shared.entries.lock().unwrap_or_else(PoisonError::into_inner) = Some(entries);
    }

    /// Who bears a token.
    ///
    /// # Errors
    /// Why it is not taken.
    pub async fn caller(&self, token: &str, now: Timestamp) -> Result<Caller> {
        self.shared.caller(token, now).await
    }
}

/// Answers a `TokenReview` of `authentication.k8s.io/v1`.
async fn review(State(shared): State<Arc<Shared>>, body: String) -> String {
    let mut review: Value = serde_json::from_str(&body).unwrap_or_default();
    let token = review["spec"]["token"].as_str().unwrap_or_default().to_owned();
    review["status"] = match shared.caller(&token, now()).await {
        Ok(Caller { arn, group }) => json!({
            "authenticated": true,
            "user": { "username": arn, "groups": [group, "system:authenticated"] },
        }),
        Err(error) => json!({ "authenticated": false, "error": format!("{error:#}") }),
    };
    review["spec"] = json!({});
    review.to_string()
}

impl Shared {
    async fn caller(&self, token: &str, now: Timestamp) -> Result<Caller> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let entries = entries.context("nobody is let in yet")?;
        let encoded = token.strip_prefix("k8s-aws-v1.").context("not a token of EKS")?;
        let url = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).context("not base64url")?)?;
        let request = Presigned::read(&url)?;
        let role = request.verify(&entries, now)?;
        let arn = self.moto.caller(&role.access_key, &role.token).await?;
        // `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, of which the entry names the role.
        let name = arn.split('/').nth(1).with_context(|| format!("{arn}: not a role"))?;
        let group = entries.groups.get(name).with_context(|| format!("{name}: no access entry"))?.clone();
        Ok(Caller { arn, group })
    }
}

/// A presigned request.
struct Presigned {
    host: String,
    query: String,
    parameters: BTreeMap<String, String>,
}

impl Presigned {
    fn read(url: &str) -> Result<Self> {
        let (host, query) = url
            .strip_prefix("https://")
            .and_then(|rest| rest.split_once("/?"))
            .context("not an https URL with a query")?;
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name.to_owned(), value.replace("%2F", "/").replace("%3B", ";"))
        };
        let parameters = query.split('&').map(pair).collect();
        Ok(Self { host: host.to_owned(), query: query.to_owned(), parameters })
    }

    fn parameter(&self, name: &str) -> Result<&str> {
        self.parameters.get(name).map(String::as_str).with_context(|| format!("{name} is missing"))
    }

    /// Whose it is, where it is a request for the identity, for this cluster, signed by a role and not too old.
    fn verify<'a>(&self, entries: &'a Entries, now: Timestamp) -> Result<&'a Credentials> {
        ensure!(self.host == format!("sts.{REGION}.amazonaws.com"), "{} is not STS", self.host);
        ensure!(self.parameter("Action")? == "GetCallerIdentity", "it asks for something else");
        ensure!(self.parameter("X-Amz-Algorithm")? == ALGORITHM, "another algorithm");
        let covered = self.parameter("X-Amz-SignedHeaders")?;
        ensure!(covered == format!("host;{CLUSTER_HEADER}"), "{covered}: other headers are covered");
        let scope = Scope::parse(self.parameter("X-Amz-Credential")?)?;
        let role = entries.roles.iter().find(|role| role.access_key == scope.access_key);
        let role = role.with_context(|| format!("{}: nobody's access key", scope.access_key))?;
        let time = self.parameter("X-Amz-Date")?;
        let others = self.query.split('&').filter(|part| !part.starts_with("X-Amz-Signature="));
        let headers = [("host", self.host.as_str()), (CLUSTER_HEADER, entries.cluster.as_str())];
        let signed = Signed {
            method: "GET",
            path: "/",
            query: &others.collect::<Vec<_>>().join("&"),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            payload: &Digest::of(b"").hex(),
            time,
            scope,
        };
        let expected = signed.signature(&role.secret)?;
        ensure!(expected == self.parameter("X-Amz-Signature")?, "not signed by this role for this cluster");
        let age = now.as_millis() - milliseconds(time)?;
        let life = i64::try_from(LIFE.as_millis())?;
        ensure!((-60_000..life).contains(&age), "signed {} s ago", age / 1000);
        Ok(role)
    }
}

/// `20261130T120000Z` as milliseconds since 1970.
fn milliseconds(time: &str) -> Result<i64> {
    let wrong = || format!("{time}: not a time");
    ensure!(time.len() == 16 && time.is_ascii(), wrong());
    let (date, clock) = time.split_once('T').with_context(wrong)?;
    let text = format!(
        "{}-{}-{}T{}:{}:{}",
        &date[..4],
        &date[4..6],
        &date[6..],
        &clock[..2],
        &clock[2..4],
        &clock[4..]
    );
    let parsed: Timestamp = text.parse().with_context(wrong)?;
    Ok(parsed.as_millis())
}
