//! moto, which speaks the protocols of STS, Secrets Manager and EKS.
//!
//! It checks no signature and knows no policy: who asks, and whether they may, is for what stands before it.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use countersign_core::digest::Digest;
use serde_json::{Value, json};

use super::wait_for;
use crate::world::ports::Port;
use crate::world::servers::ServerGroup;
use crate::world::tools::Programs;

/// The version of the API of STS.
const STS: &str = "2011-06-15";

/// A running moto; clones share it. It ends when the last is dropped, and at the latest with this process.
#[derive(Clone, Debug)]
pub struct Moto(Arc<Server>);

#[derive(Debug)]
struct Server {
    _servers: ServerGroup,
    url: String,
    client: reqwest::Client,
    _port: Port,
}

/// Credentials that end.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The access key's id.
    pub access_key: String,
    /// Its secret.
    pub secret: String,
    /// The token that goes with both.
    pub token: String,
}

impl Moto {
    /// Starts it. Blocks until it listens.
    ///
    /// # Errors
    /// When it cannot be installed, or does not start.
    pub fn start() -> Result<Self> {
        let programs = Programs::of(&["moto"])?;
        let mut servers = ServerGroup::new("moto")?;
        let port = Port::reserve()?;
        let number = port.number().to_string();
        servers.start("moto", programs.path("moto_server")?, &["-H", "127.0.0.1", "-p", &number])?;
        wait_for(&servers, port.number())?;
        let url = format!("http://127.0.0.1:{number}");
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self(Arc::new(Server { _servers: servers, url, client, _port: port })))
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// A session of a role, as Lambda gets one for each function.
    ///
    /// # Errors
    /// When moto refuses.
    pub async fn assume(&self, role: &str, session: &str) -> Result<Session> {
        let body = format!("Action=AssumeRole&Version={STS}&RoleArn={role}&RoleSessionName={session}");
        let text = self.sts("tests", "", &body).await?;
        Ok(Session {
            access_key: element(&text, "AccessKeyId")?,
            secret: element(&text, "SecretAccessKey")?,
            token: element(&text, "SessionToken")?,
        })
    }

    /// The ARN of the session whose access key this is.
    ///
    /// # Errors
    /// When moto refuses.
    pub async fn caller(&self, access_key: &str, token: &str) -> Result<String> {
        let body = format!("Action=GetCallerIdentity&Version={STS}");
        element(&self.sts(access_key, token, &body).await?, "Arn")
    }

    /// Keeps a secret; returns its ARN.
    ///
    /// # Errors
    /// When there is one of that name.
    pub async fn secret(&self, name: &str, value: &str) -> Result<String> {
        let made = self.secrets("CreateSecret", json!({ "Name": name, "SecretString": value })).await?;
        Ok(made["ARN"].as_str().context("the secret has no ARN")?.to_owned())
    }

    /// Gives a secret a new value, as a rotation does.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn rotate(&self, name: &str, value: &str) -> Result<()> {
        let asked = json!({ "SecretId": name, "SecretString": value });
        self.secrets("PutSecretValue", asked).await.map(drop)
    }

    /// Makes a call of Secrets Manager that writes a version, whose id is that of its content.
    async fn secrets(&self, operation: &str, mut asked: Value) -> Result<Value> {
        asked["ClientRequestToken"] = json!(Digest::of(asked.to_string().as_bytes()).hex());
        let target = format!("secretsmanager.{operation}");
        let request = self.0.client.post(&self.0.url).header("x-amz-target", target);
        let request = request.header("content-type", "application/x-amz-json-1.1").body(asked.to_string());
        Ok(serde_json::from_str(&self.send("secretsmanager", "tests", request).await?)?)
    }

    /// Makes a cluster of EKS known. Its address is that of no server.
    ///
    /// # Errors
    /// When there is one of that name.
    pub async fn cluster(&self, name: &str) -> Result<()> {
        let role = format!("arn:aws:iam::{}:role/eks", crate::cloud::lambda::ACCOUNT);
        let body = json!({ "name": name, "roleArn": role, "resourcesVpcConfig": {} });
        let request = self.0.client.post(format!("{}/clusters", self.0.url));
        let request = request.header("content-type", "application/json").body(body.to_string());
        self.send("eks", "tests", request).await.map(drop)
    }

    async fn sts(&self, access_key: &str, token: &str, body: &str) -> Result<String> {
        let request = self.0.client.post(&self.0.url).header("x-amz-security-token", token);
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned());
        self.send("sts", access_key, request).await
    }

    /// Sends a request in somebody's name: moto reads who asks for which service, and checks no signature.
    async fn send(
        &self,
        service: &str,
        access_key: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<String> {
        let scope = format!("{access_key}/20260101/{}/{service}/aws4_request", crate::cloud::lambda::REGION);
        let authorization = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let answer = request.header("authorization", authorization).send().await.context("moto is gone")?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "moto answered {status}: {text}");
        Ok(text)
    }
}

/// The text of the first element of this name.
fn element(xml: &str, name: &str) -> Result<String> {
    let after = xml.split(&format!("<{name}>")).nth(1);
    let text = after.and_then(|after| after.split('<').next());
    Ok(text.with_context(|| format!("moto's answer has no {name}: {xml}"))?.to_owned())
}
