//! A user of a Gitea, and what they can do there with a token of theirs.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http;

/// A user with a token.
#[derive(Clone, Debug)]
pub struct Account {
    address: String,
    /// The number that stays, whatever the login becomes.
    pub id: u64,
    /// The login.
    pub login: String,
    /// A token of theirs.
    pub token: String,
}

impl Account {
    /// Makes a token with these scopes for a user who has a password.
    pub(super) fn sign_in(
        address: &str,
        id: u64,
        login: &str,
        password: &str,
        scopes: &[&str],
    ) -> Result<Self> {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{login}:{password}")));
        let wish = json!({ "name": "tests", "scopes": scopes });
        let path = format!("/users/{login}/tokens");
        let token = asked(address, &authorization, "POST", &path, Some(&wish))?;
        let token = token["sha1"].as_str().context("the token that was made is not shown")?.to_owned();
        Ok(Self { address: address.to_owned(), id, login: login.to_owned(), token })
    }

    /// The user of the server at `address`, as `127.0.0.1:40123`, whose token this is.
    ///
    /// # Errors
    /// When the server does not know the token.
    pub fn of_token(address: &str, token: &str) -> Result<Self> {
        let user = asked(address, &format!("token {token}"), "GET", "/user", None)?;
        let id = user["id"].as_u64().context("a user without an id")?;
        let login = user["login"].as_str().context("a user without a login")?.to_owned();
        Ok(Self { address: address.to_owned(), id, login, token: token.to_owned() })
    }

    /// The URL of a repository with this user's credentials in it, for `git`.
    #[must_use]
    pub fn git_url(&self, repository: &str) -> String {
        format!("http://{}:{}@{}/{repository}.git", self.login, self.token, self.address)
    }

    /// Reads.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.ask("GET", path, None)
    }

    /// Makes something.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask("POST", path, Some(body))
    }

    /// Changes something.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask("PATCH", path, Some(body))
    }

    /// Puts something there.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn put(&self, path: &str, body: &Value) -> Result<()> {
        self.ask("PUT", path, Some(body)).map(drop)
    }

    /// Deletes something.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn delete(&self, path: &str) -> Result<()> {
        self.ask("DELETE", path, None).map(drop)
    }

    /// Makes a copy of a repository below this user's name; returns its name.
    ///
    /// # Errors
    /// When there is one already.
    pub fn fork(&self, repository: &str) -> Result<String> {
        let made = self.post(&format!("/repos/{repository}/forks"), &json!({}))?;
        Ok(made["full_name"].as_str().context("the fork has no name")?.to_owned())
    }

    /// Sets a commit status, as any program with write access can.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn set_status(&self, repository: &str, commit: &str, context: &str, state: &str) -> Result<()> {
        let status = json!({ "context": context, "state": state, "description": "says so" });
        self.post(&format!("/repos/{repository}/statuses/{commit}"), &status).map(drop)
    }

    /// The newest status of each context on a commit.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn statuses(&self, repository: &str, commit: &str) -> Result<Vec<Value>> {
        let combined = self.get(&format!("/repos/{repository}/commits/{commit}/status"))?;
        Ok(combined["statuses"].as_array().cloned().unwrap_or_default())
    }

    /// The newest status of this context on a commit, which nobody but `login` may have set.
    ///
    /// # Errors
    /// When there is none, or it is somebody else's.
    pub fn status_by(&self, repository: &str, commit: &str, context: &str, login: &str) -> Result<Value> {
        let found = self.statuses(repository, commit)?;
        let status = found.iter().find(|status| status["context"] == context);
        let status = status.with_context(|| format!("there is none among {found:?}"))?;
        ensure!(status["creator"]["login"] == login, "somebody else set it: {status}");
        Ok(status.clone())
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        asked(&self.address, &format!("token {}", self.token), method, path, body)
            .with_context(|| format!("as {}", self.login))
    }
}

fn asked(
    address: &str,
    authorization: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value> {
    let headers = [("authorization", authorization), ("content-type", "application/json")];
    let bytes = body.map(Value::to_string).unwrap_or_default();
    let answer = http::request(address, method, &format!("/api/v1{path}"), &headers, bytes.as_bytes())?;
    let text = answer.text();
    ensure!((200..300).contains(&answer.status), "{method} {path} was answered {}: {text}", answer.status);
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).with_context(|| format!("{method} {path} was answered with no JSON: {text}"))
}
