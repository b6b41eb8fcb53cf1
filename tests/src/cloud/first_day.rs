//! An installation on the stack: what `infra/CONTRACT.md` says must be there on the first day, and the people, the forge
//! and the sample application that it is for.

pub mod applications;
mod control;

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use countersign_aws::lambda::now;
use countersign_cluster::kube::{Connection, KubeCluster};
use countersign_core::configuration::HostKind;
use countersign_core::keys;
use countersign_core::names::FollowedRef;
use countersign_core::ports::cluster::Cluster as _;
use countersign_core::ports::signer::{Algorithm, PublicKey, Signer as _};
use countersign_core::ports::store::Store as _;
use countersign_evaluate::bundles;
use countersign_ledger::genesis::{self, GENESIS_VERSION, Genesis};
use countersign_ledger::note::NoteKey;
use countersign_local::key_file::KeyFile;
use countersign_policy::bundle::Bundle;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::stack::{CLUSTER, Services, Settings, Stack, WITNESS};
use crate::installation::clone::WorkingClone;
use crate::installation::{Installation, PEOPLE};
use crate::world::gitea::Gitea;
use crate::world::gitea::account::Account;
use applications::Applications;
use control::Control;

/// The repository of the sample application on Gitea.
pub const SHOP: &str = "acme/shop";

/// The control repository on Gitea.
pub const CONTROL: &str = "acme/control";

/// The login that Countersign reads and reports with.
pub const COUNTERSIGN: &str = "countersign";

/// What Countersign's own token may do, and no more.
const SCOPES: [&str; 3] = ["read:user", "write:repository", "write:issue"];

/// What Gitea signs its webhooks with.
const WEBHOOK_SECRET: &str = "a webhook secret for tests";

/// The namespaces that the cluster's owner made for the sample.
const NAMESPACES: [&str; 2] = ["shop-staging", "shop-production"];

/// What the cluster's owner grants.
const RBAC: &str = include_str!("../../../samples/rbac.yaml");

/// How long something that must happen may take. It takes seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_millis(100);

/// The running installation.
#[derive(Debug)]
pub struct Cloud {
    /// The functions, and what they stand on.
    pub stack: Stack,
    /// The forge.
    pub gitea: Gitea,
    /// Those whose approvals count.
    pub people: Vec<Account>,
    /// The folder of keys and clones. Its server does not run: the functions are in its place.
    pub installation: Installation,
    /// The log's keys, the newest first.
    pub log_keys: Vec<NoteKey>,
    /// Where everything that is not waited for runs. It is the last to go.
    pub runtime: Runtime,
}

impl Cloud {
    /// Makes it, starts it, and waits until the sample is deployed as its baseline says.
    ///
    /// # Errors
    /// When it does not get there; the message holds the end of every function's log.
    pub fn start(settings: Settings) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let services = runtime.block_on(runtime.spawn(Services::start(settings)))??;
        let installation = Installation::new()?;
        let (gitea, people, countersign) = forge(&installation)?;
        let applications =
            applications::make(services.settings(), &installation, &gitea, (&people, &countersign))?;
        let root = KeyFile::load(&installation.folder().join("root.pem"), Algorithm::Ed25519)?;
        let secrets = runtime.block_on(secrets(&services, &countersign))?;
        let uid = runtime.block_on(owner(&services))?;
        let facts = Facts { secrets: &secrets, uid: &uid, applications: &applications };
        let control = control::push(&installation, (&gitea, &people), services.settings(), &facts)?;
        let genesis = runtime.block_on(put_in_place(&services, &installation, &root, &control))?;
        trust(&services, &installation)?;
        let log_key = NoteKey::log(&genesis.origin, &genesis.log_key)?;
        let running = services.run(root.public_key(), &log_key, &secrets.pseudonyms);
        let stack = runtime.block_on(running)?;
        let repositories = applications.names.iter().map(|name| applications::repository(name));
        for repository in repositories.chain([SHOP.to_owned(), CONTROL.to_owned()]) {
            let url = format!("http://{}/webhooks/gitea", stack.api.address);
            gitea.webhook(&repository, &url, WEBHOOK_SECRET)?;
        }
        let cloud = Self { stack, gitea, people, installation, log_keys: vec![log_key], runtime };
        for environment in ["staging", "production"] {
            cloud.until_healthy("shop", environment)?;
        }
        for name in &applications.names {
            cloud.until_healthy(name, "staging")?;
        }
        Ok(cloud)
    }

    /// The account of a person.
    ///
    /// # Errors
    /// When nobody has that name.
    pub fn person(&self, name: &str) -> Result<&Account> {
        self.people.iter().find(|account| account.login == name).with_context(|| format!("nobody is {name}"))
    }

    /// A person's clone of the sample application.
    ///
    /// # Errors
    /// When it cannot be cloned.
    pub fn clone(&self, name: &str) -> Result<WorkingClone<'_>> {
        self.clone_of(name, SHOP)
    }

    /// A person's clone of a repository on the forge.
    ///
    /// # Errors
    /// When it cannot be cloned.
    pub fn clone_of(&self, name: &str, repository: &str) -> Result<WorkingClone<'_>> {
        let account = self.person(name)?;
        self.installation.clone_url(&account.git_url(repository), &format!("gitea/{repository}"))
    }

    /// Waits until `look` succeeds.
    ///
    /// # Errors
    /// When it does not in time; the message holds the end of every function's log.
    pub fn until<T>(&self, what: &str, look: impl Fn() -> Result<T>) -> Result<T> {
        self.until_within(PATIENCE, what, look)
    }

    /// As [`Cloud::until`], for what takes longer.
    ///
    /// # Errors
    /// As [`Cloud::until`].
    pub fn until_within<T>(&self, patience: Duration, what: &str, look: impl Fn() -> Result<T>) -> Result<T> {
        let begun = Instant::now();
        loop {
            match look() {
                Ok(found) => return Ok(found),
                Err(error) if begun.elapsed() > patience => bail!(
                    "waited in vain: {what} ({error:#})\n{}refused: {:?}\n--- gitea\n{}",
                    self.stack.services.logs(),
                    self.stack.services.gateway.refused(),
                    self.gitea.log()
                ),
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
    }
}

/// Starts the forge with the sample application on it, and the people.
fn forge(installation: &Installation) -> Result<(Gitea, Vec<Account>, Account)> {
    let gitea = Gitea::start()?;
    gitea.organization("acme")?;
    let people = PEOPLE.iter().map(|name| gitea.user(name)).collect::<Result<Vec<_>>>()?;
    let countersign = gitea.user_with_token(COUNTERSIGN, &SCOPES)?;
    for repository in ["shop", "control"] {
        gitea.repository("acme", repository)?;
        grant(&gitea, &format!("acme/{repository}"), people.iter().chain([&countersign]))?;
    }
    let shop = installation.clone("shop")?;
    shop.git(&["push", "-q", &people[0].git_url(SHOP), "HEAD:refs/heads/main"])?;
    Ok((gitea, people, countersign))
}

/// Lets accounts write a repository.
fn grant<'a>(gitea: &Gitea, repository: &str, people: impl IntoIterator<Item = &'a Account>) -> Result<()> {
    people.into_iter().try_for_each(|person| gitea.grant(repository, &person.login, "write"))
}

/// The names of what Secrets Manager keeps.
struct Secrets {
    webhook: String,
    token: String,
    /// The ARN of the secret that makes pseudonyms.
    pseudonyms: String,
}

/// What the control repository says that only this installation knows.
struct Facts<'a> {
    secrets: &'a Secrets,
    uid: &'a str,
    applications: &'a Applications,
}

async fn secrets(services: &Services, countersign: &Account) -> Result<Secrets> {
    let name = |name: &str| format!("{}/{name}", services.installation);
    let (webhook, token) = (name("gitea-webhook"), name("gitea-token"));
    services.moto.secret(&webhook, WEBHOOK_SECRET).await?;
    services.moto.secret(&token, &countersign.token).await?;
    let pseudonyms = services.moto.secret(&name("pseudonyms"), &"5e".repeat(32)).await?;
    Ok(Secrets { webhook, token, pseudonyms })
}

/// What the cluster's owner grants, as the sample says.
fn granted() -> Result<Vec<Value>> {
    serde_saphyr::from_multiple(RBAC).map_err(|error| anyhow!("rbac.yaml: {error}"))
}

/// What the cluster's owner does; returns the cluster's UID.
async fn owner(services: &Services) -> Result<String> {
    let world = &services.control_plane;
    for namespace in NAMESPACES.iter().chain(["countersign-system"].iter()) {
        world.create_namespace(namespace).await?;
    }
    let connection = Connection { kubeconfig: Some(world.kubeconfig().to_owned()), context: None };
    let cluster = KubeCluster::connect(&connection).await?;
    let applications = applications::names(services.settings());
    for namespace in &applications {
        world.create_namespace(namespace).await?;
    }
    for object in granted()?.into_iter().chain(applications::granted(&applications)?) {
        cluster.compare_and_swap(&object).await.with_context(|| object.to_string())?;
    }
    Ok(countersign_cluster::keep::uid(&cluster).await?)
}

/// Puts the first bundle and the genesis where the contract says, and beside the installation's keys.
async fn put_in_place(
    services: &Services,
    installation: &Installation,
    root: &KeyFile,
    control: &Control,
) -> Result<Genesis> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let bundle = Bundle::compile(&control.files).map_err(|problems| anyhow!("{problems:?}"))?;
    let [log_key, authorization_key, _]: [PublicKey; 3] = services.keys.clone();
    let genesis = Genesis {
        v: GENESIS_VERSION,
        origin: format!("countersign.example/cloud-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        epoch: 1,
        root_key: root.public_key().clone(),
        log_key,
        authorization_key,
        hosts: [("gitea".parse()?, HostKind::Gitea)].into(),
        control: FollowedRef {
            repository: format!("gitea/{CONTROL}").parse()?,
            reference: "refs/heads/main".parse()?,
        },
        commit: control.commit.parse()?,
        bundle: *bundle.digest(),
        created: now(),
    };
    let signed = genesis::sign(root, &genesis).await?;
    bundles::store(&services.store, &bundle).await?;
    services.store.put(keys::GENESIS, &signed).await?;
    fs::write(installation.data().join("genesis.json"), &signed)?;
    Ok(genesis)
}

/// Has the cluster trust the installation, and demand its witness where that is wanted, as `docs/OPERATIONS.md` tells its
/// owner.
pub(super) fn trust(services: &Services, installation: &Installation) -> Result<()> {
    let kubeconfig = services.control_plane.kubeconfig().to_str().context("the path is not UTF-8")?;
    let key = NoteKey::witness(WITNESS, &services.keys[2])?.to_string();
    let mut arguments = vec!["cluster", "add", CLUSTER, "--data", "data", "--kubeconfig", kubeconfig];
    if services.settings().witnessed {
        arguments.extend(["--witness", &key]);
    }
    installation.json(&arguments).map(drop)
}
