//! What the program of `record` stands on, where nothing else of the cloud form is needed.

use std::collections::BTreeMap;

use countersign_aws::s3::S3Store;
use countersign_core::ports::signer::PublicKey;
use countersign_tests::world::aws::elasticmq::ElasticMq;
use countersign_tests::world::aws::kms::{ED25519_KEY, Kms, P256_KEY};
use countersign_tests::world::aws::moto::Moto;
use countersign_tests::world::aws::versitygw::VersityGateway;

/// Services, a bucket and a secret.
pub struct Surroundings {
    installation: &'static str,
    kms: Kms,
    moto: Moto,
    bucket: String,
    pseudonyms: String,
}

impl Surroundings {
    /// Those of an installation of this name, with the secret that makes its pseudonyms.
    pub async fn new(installation: &'static str, kms: Kms, pseudonyms: &str) -> Self {
        let server = tokio::task::block_in_place(VersityGateway::shared).expect("versitygw");
        let bucket = server.bucket().await.expect("a bucket");
        let moto = tokio::task::block_in_place(Moto::start).expect("moto");
        let name = format!("{installation}/pseudonyms");
        let pseudonyms = moto.secret(&name, pseudonyms).await.expect("a secret");
        Self { installation, kms, moto, bucket, pseudonyms }
    }

    /// The bucket of everything.
    pub async fn store(&self) -> S3Store {
        let server = VersityGateway::shared().expect("versitygw");
        server.store(&self.bucket, server.port()).await
    }

    /// What `record` is told, with this root key and the keys of the first epoch.
    pub fn environment(&self, root: &PublicKey) -> BTreeMap<String, String> {
        let root: String = root.pem.lines().filter(|line| !line.starts_with("---")).collect();
        let s3 = format!("http://127.0.0.1:{}", VersityGateway::shared().expect("versitygw").port());
        let sqs = tokio::task::block_in_place(ElasticMq::shared).expect("ElasticMQ").url();
        let prefix = format!("{sqs}/000000000000/{}-", self.installation);
        [
            ("AWS_ENDPOINT_URL_S3", s3.as_str()),
            ("AWS_ENDPOINT_URL_SQS", sqs),
            ("AWS_ENDPOINT_URL_KMS", &self.kms.url),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", self.moto.url()),
            ("COUNTERSIGN_INSTALLATION", self.installation),
            ("COUNTERSIGN_BUCKET", &self.bucket),
            ("COUNTERSIGN_LOG_BUCKET", &self.bucket),
            ("COUNTERSIGN_QUEUE_PREFIX", &prefix),
            ("COUNTERSIGN_EPOCH", "1"),
            ("COUNTERSIGN_ROOT_KEY", &root),
            ("COUNTERSIGN_LOG_KEY", ED25519_KEY),
            ("COUNTERSIGN_AUTHORIZATION_KEY", P256_KEY),
            ("COUNTERSIGN_PSEUDONYM_SECRET", &self.pseudonyms),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}
