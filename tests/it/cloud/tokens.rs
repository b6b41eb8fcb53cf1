//! What EKS takes for a token, and what it does not.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use aws_config::{BehaviorVersion, Region};
use countersign_aws::eks::Clusters;
use countersign_core::time::Timestamp;
use countersign_tests::cloud::authenticator::{Authenticator, Entries};
use countersign_tests::cloud::gateway::Credentials;
use countersign_tests::world::aws::moto::{Moto, Session};

const CLUSTER: &str = "shop-east";
const GROUP: &str = "countersign:apply";

/// The role of `apply`, and EKS with an access entry for it.
struct Bench {
    moto: Moto,
    authenticator: Authenticator,
    session: Session,
}

impl Bench {
    async fn start() -> Result<Self> {
        let moto = tokio::task::block_in_place(Moto::start)?;
        let session = moto.assume("arn:aws:iam::123456789012:role/shop-east-apply", "apply").await?;
        let Session { access_key, secret, token } = session.clone();
        for cluster in [CLUSTER, "another"] {
            moto.cluster(cluster).await?;
        }
        let authenticator = Authenticator::start(&moto).await?;
        let function = "apply".to_owned();
        authenticator.admit(Entries {
            cluster: CLUSTER.to_owned(),
            roles: vec![Credentials { function, access_key, secret, token }],
            groups: [("shop-east-apply".to_owned(), GROUP.to_owned())].into(),
        });
        Ok(Self { moto, authenticator, session })
    }

    /// A token as `apply` makes it, by this session for this cluster.
    async fn token(&self, session: &Session, cluster: &str, at: SystemTime) -> Result<String> {
        let Session { access_key, secret, token } = session;
        let credentials =
            aws_credential_types::Credentials::new(access_key, secret, Some(token.clone()), None, "test");
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials)
            .endpoint_url(self.moto.url())
            .load()
            .await;
        Ok(Clusters::new(&config).reach(cluster, at).await?.token)
    }

    async fn refuses(&self, token: &str, why: &str) -> Result<()> {
        let now = at(SystemTime::now())?;
        let caller = self.authenticator.caller(token, now).await;
        let refused = caller.as_ref().is_err_and(|error| format!("{error:#}").contains(why));
        ensure!(refused, "{caller:?} instead of {why:?}");
        Ok(())
    }
}

fn at(time: SystemTime) -> Result<Timestamp> {
    Ok(Timestamp::from_millis(i64::try_from(time.duration_since(UNIX_EPOCH)?.as_millis())?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_taken_for_its_cluster_its_role_and_a_quarter_of_an_hour() -> Result<()> {
    let bench = Bench::start().await?;
    let now = SystemTime::now();
    let token = bench.token(&bench.session, CLUSTER, now).await?;
    let caller = bench.authenticator.caller(&token, at(now)?).await?;
    ensure!(caller.group == GROUP, "{caller:?}");
    ensure!(caller.arn == "arn:aws:sts::123456789012:assumed-role/shop-east-apply/apply", "{caller:?}");
    let late = at(now + Duration::from_secs(14 * 60))?;
    ensure!(bench.authenticator.caller(&token, late).await.is_ok(), "it lives for a quarter of an hour");

    let of_another = bench.token(&bench.session, "another", now).await?;
    bench.refuses(&of_another, "not signed by this role for this cluster").await?;
    let old = bench.token(&bench.session, CLUSTER, now - Duration::from_secs(16 * 60)).await?;
    bench.refuses(&old, "signed 96").await?;
    let forged = Session { secret: "guessed".to_owned(), ..bench.session.clone() };
    let forged = bench.token(&forged, CLUSTER, now).await?;
    bench.refuses(&forged, "not signed by this role").await?;
    let stranger = bench.moto.assume("arn:aws:iam::123456789012:role/stranger", "s").await?;
    let stranger = bench.token(&stranger, CLUSTER, now).await?;
    bench.refuses(&stranger, "nobody's access key").await?;
    bench.refuses("k8s-aws-v1.AAAA", "").await?;
    bench.refuses("another token", "not a token of EKS").await
}
