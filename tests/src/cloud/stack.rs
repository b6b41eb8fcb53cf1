//! The stack: every function with the environment, the queues, the buckets and the role that the templates give it.

mod environment;
mod queues;
mod roles;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Result;
use countersign_aws::kms::KmsSigner;
use countersign_aws::s3::{Buckets, S3Store};
use countersign_core::names::ClusterName;
use countersign_core::ports::signer::{Algorithm, PublicKey, Signer as _};
use countersign_ledger::note::NoteKey;
use tempfile::TempDir;

use super::authenticator::{Authenticator, Entries};
use super::contract::Contract;
use super::gateway::rights::Rights;
use super::gateway::{Behind, Gateway};
use super::http_api::HttpApi;
use super::lambda::Lambda;
use super::mapping::Mappings;
use super::schedules::{SCHEDULES, Schedules};
use crate::world::aws::elasticmq::ElasticMq;
use crate::world::aws::kms::{self, Kms};
use crate::world::aws::moto::Moto;
use crate::world::aws::versitygw::VersityGateway;
use crate::world::control_plane::ControlPlane;

pub use roles::{CLUSTER_FUNCTIONS, FUNCTIONS};

/// The name of the cluster in `countersign.yaml`.
pub const CLUSTER: &str = "east";

/// Its name in EKS.
pub const EKS_CLUSTER: &str = "shop-east";

/// The name in the witness's cosignatures.
pub const WITNESS: &str = "witness.example";

/// What may be different from how the templates have it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The longest that a queue hides a received message.
    pub visibility: Option<Duration>,
    /// How long a function hides what it works on at once, where not for a minute: what it held when it was killed comes
    /// again after this.
    pub hidden: Option<Duration>,
    /// How far the clock of each function is ahead, in milliseconds.
    pub clocks: BTreeMap<String, i64>,
    /// The approvals that staging asks for, where not one.
    pub approvals: Option<u32>,
    /// Whether the cluster demands that the witness has cosigned.
    pub witnessed: bool,
    /// How often each repository is asked about, in seconds, where not every five.
    pub poll_seconds: Option<u32>,
    /// How many applications there are besides the sample, each with a repository and a namespace of its own.
    pub applications: usize,
    /// What random moments are drawn from.
    pub seed: u64,
}

/// The stack, before anything runs: the services, the roles, and a cluster.
#[derive(Debug)]
pub struct Services {
    /// The installation's name.
    pub installation: String,
    /// What stands before the services.
    pub gateway: Gateway,
    /// What EKS does with tokens.
    pub authenticator: Authenticator,
    /// The cluster.
    pub control_plane: ControlPlane,
    /// STS, Secrets Manager and EKS.
    pub moto: Moto,
    /// The buckets, as the platform reaches them, past the gateway.
    pub store: S3Store,
    /// The three keys: of checkpoints, of authorizations, of cosignatures.
    pub keys: [PublicKey; 3],
    /// The two of the next epoch: of checkpoints, of authorizations.
    pub next_keys: [PublicKey; 2],
    contract: Contract,
    settings: Settings,
    buckets: [String; 4],
    roles: Vec<super::gateway::Credentials>,
    folder: TempDir,
    _kms: Kms,
}

/// The running stack. It ends with the runtime that it was started in.
#[derive(Debug)]
pub struct Stack {
    /// What it stands on.
    pub services: Services,
    /// The functions.
    pub lambda: Arc<Lambda>,
    /// Where forges and people send to.
    pub api: HttpApi,
    /// What takes from queues.
    pub mappings: Mappings,
    _schedules: Schedules,
}

impl Services {
    /// Starts the services and makes the roles, the queues and the buckets.
    ///
    /// # Errors
    /// When one of them does not start.
    pub async fn start(settings: Settings) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let installation = format!("countersign-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let contract = Contract::read()?;
        let moto = tokio::task::block_in_place(Moto::start)?;
        let kms = Kms::start().await?;
        let queues = tokio::task::block_in_place(ElasticMq::shared)?;
        let gateway = tokio::task::block_in_place(VersityGateway::shared)?;
        queues::make(queues, &contract, &installation, settings.visibility).await?;
        let buckets = [
            gateway.bucket().await?,
            gateway.bucket().await?,
            gateway.bucket().await?,
            gateway.bucket().await?,
        ];
        let roles = roles::assume(&moto, &installation).await?;
        moto.cluster(EKS_CLUSTER).await?;
        let authenticator = Authenticator::start(&moto).await?;
        let url = authenticator.url.clone();
        let start = move || ControlPlane::start_with_authenticator(&url);
        let control_plane = tokio::task::spawn_blocking(start).await??;
        authenticator.admit(Entries {
            cluster: EKS_CLUSTER.to_owned(),
            roles: roles.clone(),
            groups: roles::groups(&installation),
        });
        let s3 = format!("http://127.0.0.1:{}", gateway.port());
        let behind = Behind {
            services: [
                ("s3", s3.as_str()),
                ("sqs", queues.url()),
                ("kms", kms.url.as_str()),
                ("sts", moto.url()),
                ("secretsmanager", moto.url()),
                ("eks", moto.url()),
            ]
            .map(|(service, url)| (service.to_owned(), url.to_owned()))
            .into(),
            cluster: (control_plane.url().to_owned(), control_plane.ca_pem().to_owned()),
        };
        let rights = Rights::new(&contract, &installation, CLUSTER);
        let (keys, next_keys) = public_keys(&kms).await?;
        let store = store(&s3, &buckets).await;
        Ok(Self {
            gateway: Gateway::start(behind, &roles, rights, settings.seed).await?,
            folder: tempfile::Builder::new().prefix("countersign-cloud-").tempdir()?,
            installation,
            authenticator,
            control_plane,
            moto,
            store,
            keys,
            next_keys,
            contract,
            settings,
            buckets,
            roles,
            _kms: kms,
        })
    }

    /// The name of a function in Lambda.
    #[must_use]
    pub fn function(&self, name: &str) -> String {
        roles::lambda_name(&self.installation, name)
    }

    /// The URLs of the queues of dead letters, at their server.
    ///
    /// # Errors
    /// When the server is gone.
    pub fn dead_queues(&self) -> Result<Vec<String>> {
        queues::dead(&self.installation)
    }

    /// Whether a function finds a variable when it starts.
    #[must_use]
    pub fn is_told(&self, function: &str, variable: &str) -> bool {
        self.contract.variables.get(variable).is_some_and(|who| who.contains(function))
    }

    /// What may be different from how the templates have it.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where each function's log lines are.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// What every function logged last, for whoever looks into a failure.
    #[must_use]
    pub fn logs(&self) -> String {
        let tail = |name: &&str| {
            let text = std::fs::read_to_string(self.log(name)).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            format!("--- {name}\n{}\n", lines[lines.len().saturating_sub(25)..].join("\n"))
        };
        FUNCTIONS.iter().map(tail).collect()
    }

    /// What it is told of the installation that was made on it, and starts the functions.
    ///
    /// # Errors
    /// When a function has no program, or a port is missing.
    pub async fn run(self, root_key: &PublicKey, log_key: &NoteKey, pseudonyms: &str) -> Result<Stack> {
        let functions = FUNCTIONS.map(|name| self.configured(name, root_key, log_key, pseudonyms));
        let lambda = Arc::new(Lambda::new(functions.into_iter().collect::<Result<_>>()?));
        let client = ElasticMq::shared()?.client().await;
        let visibility = self.settings.visibility;
        let mappings = queues::mappings(&self.contract, &self.installation, visibility)?;
        let mappings = Mappings::start(client, &lambda, &mappings, self.settings.seed);
        let schedules = SCHEDULES.map(|(name, task, period)| (self.function(name), task, period)).to_vec();
        Ok(Stack {
            api: HttpApi::start(&lambda, &self.function("receive")).await?,
            _schedules: Schedules::start(&lambda, schedules),
            services: self,
            lambda,
            mappings,
        })
    }
}

/// The cluster's name as a value.
///
/// # Errors
/// Never: it is one.
pub fn cluster_name() -> Result<ClusterName> {
    Ok(CLUSTER.parse()?)
}

async fn public_keys(kms: &Kms) -> Result<([PublicKey; 3], [PublicKey; 2])> {
    let config = crate::world::aws::config(&kms.url).await;
    let open = async |key, algorithm| {
        anyhow::Ok(KmsSigner::open(&config, key, algorithm).await?.public_key().clone())
    };
    let first = [
        open(kms::ED25519_KEY, Algorithm::Ed25519).await?,
        open(kms::P256_KEY, Algorithm::EcdsaP256Sha256).await?,
        open(kms::WITNESS_KEY, Algorithm::Ed25519).await?,
    ];
    let next = [
        open(kms::NEXT_ED25519_KEY, Algorithm::Ed25519).await?,
        open(kms::NEXT_P256_KEY, Algorithm::EcdsaP256Sha256).await?,
    ];
    Ok((first, next))
}

async fn store(s3: &str, [data, manifests, log, witness]: &[String; 4]) -> S3Store {
    let config = crate::world::aws::config(s3).await;
    let some = |bucket: &String| Some(bucket.clone());
    let (data, manifests, log, witness) = (some(data), some(manifests), some(log), some(witness));
    S3Store::new(&config, Buckets { data, manifests, log, witness }, true)
}
