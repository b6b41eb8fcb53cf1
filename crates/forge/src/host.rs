//! How a forge is reached: its host in the configuration, and the credential, read at the moment of use.

use std::sync::Arc;

use countersign_core::configuration::{Host, SecretReference};
use countersign_core::names::HostName;
use countersign_core::ports::secrets::Secrets;
use countersign_core::time::Timestamp;

use crate::client::failure::Failure;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A credential, with what may be said of it. It has no `Debug`, so that no message can show it.
pub(crate) struct Token {
    value: String,
    what: String,
}

impl Token {
    /// A credential that `what` describes, as `the token env:FORGE_TOKEN`.
    pub(crate) fn new(value: String, what: String) -> Self {
        Self { value, what }
    }

    /// The credential itself.
    pub(crate) fn value(&self) -> &str {
        &self.value
    }

    /// What may be said of it.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }
}

/// Reads a credential through the port, as text.
///
/// # Errors
/// When it cannot be read, is empty, or is nothing that a header can hold.
pub(crate) async fn read_secret(
    secrets: &impl Secrets,
    reference: &SecretReference,
) -> Result<String, Failure> {
    let name = String::from(reference.clone());
    let bytes = secrets.read(reference).await.map_err(Failure::of_port)?;
    match String::from_utf8(bytes) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        _ => Err(Failure::Final(format!(
            "the secret {name} is empty or not text: put what the forge gave you there"
        ))),
    }
}

/// The token that the host's configuration names.
///
/// # Errors
/// When none is named, or it cannot be read.
pub(crate) async fn token(name: &HostName, host: &Host, secrets: &impl Secrets) -> Result<Token, Failure> {
    let Some(reference) = &host.token else {
        return Err(Failure::Final(format!(
            "the host {name} has no `token`: name one under `hosts.{name}` in countersign.yaml, as `token: env:NAME`"
        )));
    };
    let what = format!("the token {}", String::from(reference.clone()));
    Ok(Token::new(read_secret(secrets, reference).await?, what))
}

/// The base of the REST interface: what the configuration says, or the forge's convention below its URL.
pub(crate) fn api_base(host: &Host, convention: &str) -> String {
    match &host.api {
        Some(api) => api.trim_end_matches('/').to_owned(),
        None => format!("{}{convention}", host.url.trim_end_matches('/')),
    }
}
