//! `countersign init`: everything that an installation begins with. Nothing is ever overwritten.

mod cluster;
pub mod made;
pub mod plan;
mod repositories;
mod template;

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use countersign_core::digest::to_hex;
use countersign_core::names::{CommitId, PersonName};
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_ledger::epochs::FIRST_EPOCH;
use countersign_ledger::genesis::{self, GENESIS_VERSION, Genesis};
use countersign_local::key_file::KeyFile;
use countersign_policy::bundle::Bundle;
use rand_core::{OsRng, RngCore as _};
use serde_json::json;

use super::{block_on, problems};
use crate::installation::now;
use crate::output::Printed;

use made::Made;
use plan::Plan;

/// Arguments of `init`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  countersign init control --data data \\\n    --person ada --key ada.pub --person grace --key grace.pub\n\n\
    Nothing is overwritten. If it fails midway, remove what it names and run it again."
)]
pub struct InitArguments {
    /// The working folder of the control repository, which is made.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The data folder, which is made: keys, the genesis, later the database.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Where bare repositories are kept [default: `repositories` beside DIR].
    #[arg(long, value_name = "DIR")]
    pub repositories: Option<PathBuf>,
    /// The root key, which is made. Keep it offline.
    #[arg(long, value_name = "FILE", default_value = "countersign-root.pem")]
    pub root_key: PathBuf,
    /// The log's name for ever, as `example.com/countersign` [default: one of its own].
    #[arg(long, value_name = "NAME")]
    pub origin: Option<String>,
    /// Someone whose approvals count; at least two, each with a --key.
    #[arg(long = "person", value_name = "NAME")]
    pub people: Vec<PersonName>,
    /// The public key of the --person before it, as ~/.ssh/id_ed25519.pub.
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// Where `countersign serve` will listen: what the receive hooks call.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7466")]
    pub listen_url: String,
    /// Also make the sample application `shop`, deployed to a simulated cluster.
    #[arg(long)]
    pub sample: bool,
    /// Deploy the sample to the Kubernetes cluster of this kubeconfig instead.
    #[arg(long, value_name = "FILE", requires = "sample")]
    pub kubeconfig: Option<PathBuf>,
}

/// Makes the installation.
///
/// # Errors
/// When something is there already, the arguments do not suffice, or something cannot be written.
pub fn run(arguments: &InitArguments) -> anyhow::Result<Printed> {
    let plan = Plan::check(arguments, &mut OsRng)?;
    // Whatever is wrong with the files is found before anything is made; the real baseline comes later.
    let stand_in: CommitId = "0".repeat(40).parse()?;
    compile(&plan, plan.sample.then_some(&stand_in))?;
    let mut made = Made::default();
    let done = make(&plan, &mut made).map_err(|error| made.explain(error))?;
    report(&plan, &done)
}

/// What the first day came to.
struct FirstDay {
    genesis: Genesis,
    tip: CommitId,
}

fn make(plan: &Plan, made: &mut Made) -> anyhow::Result<FirstDay> {
    let secrets = make_data(plan, made)?;
    let baseline = plan.sample.then(|| repositories::application(plan, made)).transpose()?;
    let bundle = compile(plan, baseline.as_ref())?;
    let files = template::files(plan, baseline.as_ref());
    let commit = repositories::control(plan, made, &files)?;
    let configuration = bundle.configuration();
    let control =
        configuration.control_ref().ok_or_else(|| anyhow!("the template names no branch: report this"))?;
    let genesis = Genesis {
        v: GENESIS_VERSION,
        origin: plan.origin.clone(),
        epoch: FIRST_EPOCH,
        root_key: secrets.root.public_key().clone(),
        log_key: secrets.log.public_key().clone(),
        authorization_key: secrets.authorization.public_key().clone(),
        hosts: configuration.hosts.iter().map(|(name, host)| (name.clone(), host.kind)).collect(),
        control,
        commit,
        bundle: *bundle.digest(),
        created: now(),
    };
    let signed = block_on(async { Ok(genesis::sign(&secrets.root, &genesis).await?) })?;
    made.write(&plan.data.genesis(), &signed)?;
    let tip = repositories::publish_control(plan, made, &signed)?;
    Ok(FirstDay { genesis, tip })
}

/// The keys that sign.
struct Secrets {
    root: KeyFile,
    log: KeyFile,
    authorization: KeyFile,
}

fn make_data(plan: &Plan, made: &mut Made) -> anyhow::Result<Secrets> {
    let data = &plan.data;
    if let Some(parent) = plan.root_key.parent() {
        made.folder(parent)?;
    }
    made.begin(&plan.root_key);
    let root = KeyFile::generate(&plan.root_key, Algorithm::Ed25519, &mut OsRng)?;
    made.private_folder(data.path())?;
    made.private_folder(&data.path().join("keys"))?;
    let log = KeyFile::generate(&data.log_key(FIRST_EPOCH), Algorithm::Ed25519, &mut OsRng)?;
    let authorization =
        KeyFile::generate(&data.authorization_key(FIRST_EPOCH), Algorithm::EcdsaP256Sha256, &mut OsRng)?;
    let public = serde_json::to_vec_pretty(root.public_key())?;
    made.write(&data.root_public_key(), &public)?;
    for path in [data.pseudonym_secret(), plan.webhook_secret()] {
        let mut secret = [0; 32];
        OsRng.fill_bytes(&mut secret);
        made.write_private(&path, format!("{}\n", to_hex(&secret)).as_bytes())?;
    }
    Ok(Secrets { root, log, authorization })
}

fn compile(plan: &Plan, baseline: Option<&CommitId>) -> anyhow::Result<Bundle> {
    Bundle::compile(&template::files(plan, baseline))
        .map_err(|found| problems::error("the control repository that these arguments make", &found))
        .context("nothing of it was written")
}

fn report(plan: &Plan, done: &FirstDay) -> anyhow::Result<Printed> {
    let (folder, data) = (plan.folder.display(), plan.data.path().display());
    let (bare, root_key) = (plan.control_repository(), plan.root_key.display());
    let bare = bare.display();
    let mut text = format!(
        "made an installation with the log {origin}\n\
         \n  control repository  {folder}  (pushed to {bare})\
         \n  data                {data}\
         \n  root key            {root_key}\
         \n\nMove the root key to a place that is offline. Whoever has it can go around every rule; without it, a\
         \ncontrol repository that denies its own repair cannot be mended. Nothing else needs it.\
         \n\nNext:{add}\
         \n  countersign serve --control {bare} --data {data}\
         \n  cd {folder}     # change a file, commit it signed, then: countersign propose --key ~/.ssh/id_ed25519",
        origin = plan.origin,
        add = if plan.cluster.is_simulated() {
            String::new()
        } else {
            format!("\n  countersign cluster add {} --control {folder} --data {data}", cluster::NAME)
        },
    );
    if plan.sample {
        let shop = plan.application_repository();
        text += &format!("\n  git clone {}     # the sample application", shop.display());
    }
    let document = json!({
        "control": plan.folder, "data": plan.data.path(), "repositories": plan.made_repositories(),
        "rootKey": plan.root_key, "origin": plan.origin, "bundle": done.genesis.bundle,
        "commit": done.genesis.commit, "tip": done.tip,
    });
    Printed::done(text, &document)
}
