//! How a cluster of EKS is reached: its address, its authority, and a token that it takes for a quarter of an hour.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_eks::Client;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::ports::PortError;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::failure::Failure;

/// The longest that what [`Clusters::reach`] returns is used: the token is taken for five minutes more.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// How long the signed request inside a token may be sent, as every client of EKS says it.
const REQUEST_LIFE: Duration = Duration::from_secs(60);

/// The header that binds a token to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// What no later try can mend.
const REFUSALS: [&str; 1] = ["InvalidParameterException"];

/// How a cluster is reached, for a quarter of an hour. Its `Debug` form shows no token.
#[derive(Clone)]
pub struct Reached {
    /// The URL of the API server.
    pub endpoint: String,
    /// The certificate of its authority: PEM in base64, as a kubeconfig holds it.
    pub authority: String,
    /// The bearer token.
    pub token: String,
}

impl std::fmt::Debug for Reached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reached").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A client of one cluster, made anew every ten minutes, which is before its token ends.
#[derive(Debug)]
pub struct Connection<C> {
    clusters: Clusters,
    name: String,
    kept: Mutex<Option<(Instant, C)>>,
}

impl<C: Clone> Connection<C> {
    /// To the cluster that EKS knows by this name. Nothing is asked for yet.
    #[must_use]
    pub fn new(config: &SdkConfig, name: &str) -> Self {
        Self { clusters: Clusters::new(config), name: name.to_owned(), kept: Mutex::default() }
    }

    /// The client, which `connect` makes where there is none that is still good.
    ///
    /// # Errors
    /// When EKS does not show the cluster, or `connect` fails.
    pub async fn client<E: std::fmt::Display>(
        &self,
        connect: impl AsyncFnOnce(&Reached) -> Result<C, E>,
    ) -> Result<C, PortError> {
        let mut kept = self.kept.lock().await;
        if let Some((_, client)) = kept.as_ref().filter(|(made, _)| made.elapsed() < LIFE) {
            return Ok(client.clone());
        }
        let made = Instant::now();
        let reached = self.clusters.reach(&self.name, SystemTime::now()).await?;
        let client = connect(&reached).await.map_err(|error| PortError::Unavailable(error.to_string()))?;
        *kept = Some((made, client.clone()));
        Ok(client)
    }
}

/// The clusters of one account and region, as the identity of this process reaches them.
#[derive(Clone, Debug)]
pub struct Clusters {
    client: Client,
    config: SdkConfig,
}

impl Clusters {
    /// The clusters of the account and region of `config`.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(5))
            .operation_timeout(Duration::from_secs(15))
            .build();
        let of_eks = aws_sdk_eks::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(of_eks), config: config.clone() }
    }

    /// Looks the cluster up and makes a token for it, which is good from `now` on.
    ///
    /// # Errors
    /// When EKS does not show the cluster, or there are no credentials.
    pub async fn reach(&self, name: &str, now: SystemTime) -> Result<Reached, PortError> {
        let what = format!("eks: describe {name}");
        let described = self.client.describe_cluster().name(name).send().await;
        let described = described.map_err(|error| Failure::new(&what, &error).refused_if(&REFUSALS))?;
        let missing = || PortError::Unavailable(format!("{what}: it has no address yet: is it being made?"));
        let cluster = described.cluster.ok_or_else(missing)?;
        let authority = cluster.certificate_authority.and_then(|authority| authority.data);
        Ok(Reached {
            endpoint: cluster.endpoint.ok_or_else(missing)?,
            authority: authority.ok_or_else(missing)?,
            token: self.token(name, now).await?,
        })
    }

    async fn token(&self, name: &str, now: SystemTime) -> Result<String, PortError> {
        let cannot = |why: &dyn std::fmt::Display| {
            PortError::Unavailable(format!("eks: no token can be made for {name}: {why}"))
        };
        let provider =
            self.config.credentials_provider().ok_or_else(|| cannot(&"there are no credentials"))?;
        let credentials = provider.provide_credentials().await.map_err(|error| cannot(&error))?;
        let region = self.config.region().ok_or_else(|| cannot(&"there is no region"))?;
        token(name, region.as_ref(), &credentials, now).map_err(|why| cannot(&why))
    }
}

/// A token: a presigned request to STS for the caller's identity, bound to the cluster by a signed header.
fn token(
    cluster: &str,
    region: &str,
    credentials: &aws_credential_types::Credentials,
    now: SystemTime,
) -> Result<String, String> {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let url = format!("https://sts.{region}.{domain}/?Action=GetCallerIdentity&Version=2011-06-15");
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(REQUEST_LIFE);
    let identity = credentials.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?;
    let headers = [(CLUSTER_HEADER, cluster)];
    let request = SignableRequest::new("GET", &url, headers.into_iter(), SignableBody::Bytes(&[]))
        .map_err(|error| error.to_string())?;
    let signed = sign(request, &SigningParams::from(parameters)).map_err(|error| error.to_string())?;
    let mut request = http::Request::get(&url).body(()).map_err(|error| error.to_string())?;
    signed.into_parts().0.apply_to_request_http1x(&mut request);
    Ok(format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(request.uri().to_string())))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::UNIX_EPOCH;

    use tokio::time::advance;

    use super::*;
    use crate::answering::{Service, answer};

    fn url(region: &str, session: Option<&str>) -> String {
        let credentials = aws_credential_types::Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            session.map(str::to_owned),
            None,
            "test",
        );
        let now = UNIX_EPOCH + Duration::from_secs(1_795_212_000);
        let token = token("shop", region, &credentials, now).unwrap();
        let encoded = token.strip_prefix("k8s-aws-v1.").unwrap();
        assert!(!encoded.contains('='));
        String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
    }

    #[test]
    fn a_token_is_a_presigned_request_for_the_callers_identity_bound_to_one_cluster() {
        let url = url("eu-west-1", Some("session"));
        let expected = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&";
        assert!(url.starts_with(expected), "{url}");
        for part in [
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Credential=AKIDEXAMPLE%2F20261120%2Feu-west-1%2Fsts%2Faws4_request",
            "X-Amz-Date=20261120T220000Z",
            "X-Amz-Expires=60",
            "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id",
            "X-Amz-Security-Token=session",
            "X-Amz-Signature=",
        ] {
            assert!(url.contains(part), "{part} is missing in {url}");
        }
        assert!(!url.contains("wJalr"), "{url}");
    }

    #[test]
    fn china_has_a_domain_of_its_own() {
        assert!(url("cn-north-1", None).starts_with("https://sts.cn-north-1.amazonaws.com.cn/?"));
    }

    /// The client of a connection: how often one was made before it.
    async fn client(connection: &Connection<u32>, made: &AtomicU32) -> u32 {
        let connect = async |reached: &Reached| {
            assert_eq!(reached.endpoint, "https://shop.example");
            assert!(reached.token.starts_with("k8s-aws-v1."));
            Ok::<_, String>(made.fetch_add(1, Ordering::Relaxed))
        };
        connection.client(connect).await.unwrap()
    }

    fn shown() -> Service {
        let cluster =
            r#"{"cluster":{"endpoint":"https://shop.example","certificateAuthority":{"data":"UEVN"}}}"#;
        Service::new(move |_| answer(200, &[], cluster))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_made_anew_after_ten_minutes_and_not_before() {
        let (eks, made) = (shown(), AtomicU32::new(0));
        let connection = Connection::new(&eks.config().await, "shop");
        assert_eq!(client(&connection, &made).await, 0);
        advance(LIFE - Duration::from_millis(1)).await;
        assert_eq!(client(&connection, &made).await, 0);
        assert_eq!(eks.asked().len(), 1, "nobody is asked for what is still good");
        advance(Duration::from_millis(1)).await;
        assert_eq!(client(&connection, &made).await, 1);
        assert_eq!(eks.asked().len(), 2, "the cluster is looked up again, and its token made anew");
        advance(LIFE - Duration::from_millis(1)).await;
        assert_eq!(client(&connection, &made).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_could_not_be_made_is_not_kept() {
        let (eks, made) = (shown(), AtomicU32::new(0));
        let connection = Connection::new(&eks.config().await, "shop");
        let failed = connection.client(async |_: &Reached| Err("no route")).await;
        assert_eq!(failed, Err(PortError::Unavailable("no route".to_owned())));
        assert_eq!(client(&connection, &made).await, 0);
    }
}
