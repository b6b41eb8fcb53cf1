//! What opens a configured repository to Git. Pure: secrets stay references until they are used.

use crate::configuration::{Configuration, HostKind, SecretReference, Ssh};
use crate::names::RepositoryId;
use crate::ports::PortError;
use crate::ports::forge::GitCredential;
use crate::ports::secrets::Secrets;

/// What opens a repository, by reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GitAccess<'a> {
    /// A user and a token, over HTTP.
    Token {
        /// The user.
        user: &'a str,
        /// The token.
        token: &'a SecretReference,
    },
    /// A key, over SSH.
    Ssh(&'a Ssh),
    /// A token of the host's GitHub App, over HTTP: the forge's adapter gives it.
    App,
}

impl<'a> GitAccess<'a> {
    /// What `configuration` names for `repository`: its own credential, or that of its host. A host's credential
    /// is never for a repository whose own URL leads elsewhere.
    #[must_use]
    pub fn of(configuration: &'a Configuration, repository: &RepositoryId) -> Option<Self> {
        let url = configuration.git_url(repository)?;
        let host = configuration.hosts.get(&repository.host);
        let entry = configuration.repositories.get(repository);
        let same_server = host.filter(|host| server_of(&host.url) == server_of(&url));
        if url.starts_with("ssh://") {
            let own = entry.and_then(|entry| entry.ssh.as_ref());
            // Known hosts name the servers that a key may meet.
            return own.or_else(|| host.and_then(|host| host.ssh.as_ref())).map(Self::Ssh);
        }
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return None;
        }
        let user = |named: Option<&'a String>| match (named, host.map(|host| host.kind)) {
            (Some(user), _) => user.as_str(),
            (None, Some(HostKind::Github)) => "x-access-token",
            (None, Some(HostKind::Gitlab)) => "oauth2",
            (None, _) => "git",
        };
        let own = entry.and_then(|entry| Some((entry.user.as_ref(), entry.token.as_ref()?)));
        let hosts = same_server.and_then(|host| Some((host.user.as_ref(), host.token.as_ref()?)));
        let token = own.or(hosts).map(|(named, token)| Self::Token { user: user(named), token });
        let app = same_server.filter(|host| host.app.is_some() && own.is_none()).map(|_| Self::App);
        app.or(token)
    }

    /// The credential itself, read now; none where the forge's adapter gives it.
    ///
    /// # Errors
    /// When a secret cannot be read or is no text.
    pub async fn read(self, secrets: &impl Secrets) -> Result<Option<GitCredential>, PortError> {
        Ok(match self {
            Self::Token { user, token } => {
                Some(GitCredential::Token { user: user.to_owned(), secret: text(secrets, token).await? })
            }
            Self::Ssh(ssh) => Some(GitCredential::Ssh {
                key: text(secrets, &ssh.key).await?,
                known_hosts: ssh.known_hosts.join("\n"),
            }),
            Self::App => None,
        })
    }
}

/// The scheme, name and port of a URL's server.
fn server_of(url: &str) -> Option<(&str, String)> {
    let (scheme, rest) = url.split_once("://")?;
    Some((scheme, rest.split(['/', '?', '#']).next()?.to_ascii_lowercase()))
}

async fn text(secrets: &impl Secrets, reference: &SecretReference) -> Result<String, PortError> {
    let bytes = secrets.read(reference).await?;
    String::from_utf8(bytes).ok().filter(|text| !text.trim().is_empty()).ok_or_else(|| {
        let name = String::from(reference.clone());
        PortError::Unavailable(format!("the secret {name} is empty or not text: put the credential there"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn access(host: &serde_json::Value, repository: &serde_json::Value) -> String {
        let configuration: Configuration = serde_json::from_value(json!({
            "version": 1,
            "control": {"repository": "forge/control", "branch": "main", "approvals": {"count": 1}},
            "hosts": {"forge": host},
            "repositories": {"forge/shop": repository},
        }))
        .unwrap();
        match GitAccess::of(&configuration, &"forge/shop".parse().unwrap()) {
            Some(GitAccess::Token { user, token }) => format!("{user} {}", String::from(token.clone())),
            Some(GitAccess::Ssh(ssh)) => format!("key {}", String::from(ssh.key.clone())),
            Some(GitAccess::App) => "the App".to_owned(),
            None => "nothing".to_owned(),
        }
    }

    #[test]
    fn a_repositorys_own_credential_comes_first_and_a_hosts_stays_with_the_host() {
        let host = json!({
            "kind": "github", "url": "https://git.example.com", "webhookSecret": "env:W", "token": "env:HOST",
            "ssh": {"key": "env:HOST_KEY", "knownHosts": ["git.example.com ssh-ed25519 A"]},
        });
        assert_eq!(access(&host, &json!({})), "x-access-token env:HOST");
        assert_eq!(access(&host, &json!({"token": "env:OWN", "user": "me"})), "me env:OWN");
        assert_eq!(access(&host, &json!({"url": "https://git.example.com/x"})), "x-access-token env:HOST");
        assert_eq!(access(&host, &json!({"url": "https://evil.example.com/x"})), "nothing");
        assert_eq!(access(&host, &json!({"url": "http://git.example.com/x"})), "nothing");
        assert_eq!(access(&host, &json!({"url": "ssh://git.example.com/x"})), "key env:HOST_KEY");
        assert_eq!(access(&host, &json!({"url": "/srv/git/shop.git"})), "nothing");
        let other = json!({"kind": "gitea", "url": "https://git.example.com", "webhookSecret": "env:W", "token": "env:T"});
        assert_eq!(access(&other, &json!({})), "git env:T");
        let app = json!({
            "kind": "github", "url": "https://git.example.com", "webhookSecret": "env:W",
            "app": {"id": 1, "installation": 2, "privateKey": "env:PEM"},
        });
        assert_eq!(access(&app, &json!({})), "the App");
        assert_eq!(access(&app, &json!({"token": "env:OWN"})), "x-access-token env:OWN");
        assert_eq!(access(&app, &json!({"url": "https://evil.example.com/x"})), "nothing");
    }
}
