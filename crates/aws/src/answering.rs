//! A service of AWS that answers as a test says, within this process: nobody waits for a socket, so time can be paused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// Empty where it is a stream.
    pub(crate) body: String,
}

/// What says an answer; none ends the connection.
type Says = dyn Fn(&Asked) -> Option<HttpResponse> + Send + Sync;

/// The service; clones are one.
#[derive(Clone)]
pub(crate) struct Service {
    says: Arc<Says>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Service {
    /// A service that answers each request with what `says` returns.
    pub(crate) fn new(says: impl Fn(&Asked) -> Option<HttpResponse> + Send + Sync + 'static) -> Self {
        Self { says: Arc::new(says), asked: Arc::default() }
    }

    /// Region, credentials, and this instead of a network.
    pub(crate) async fn config(&self) -> SdkConfig {
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .http_client(self.clone())
            .load()
            .await
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl HttpConnector for Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let asked = Asked {
            method: request.method().to_owned(),
            headers: request.headers().iter().map(owned).collect(),
            body: String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned(),
        };
        let said = (self.says)(&asked);
        self.asked.lock().unwrap().push(asked);
        HttpConnectorFuture::ready(said.ok_or_else(|| ConnectorError::io("the connection ended".into())))
    }
}

impl HttpClient for Service {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// An answer with these headers.
pub(crate) fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Option<HttpResponse> {
    let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    for (name, value) in headers {
        answer.headers_mut().insert(*name, (*value).to_owned());
    }
    Some(answer)
}
