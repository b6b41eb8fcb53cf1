//! `countersign genesis`: the beginning of an installation whose signing keys are in KMS.
//!
//! It needs no credential of a cloud, and runs where the root key is, offline: what it writes is carried to the bucket
//! by somebody who may write two prefixes of it and nothing else.

pub mod public_key;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use countersign_core::keys;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_ledger::epochs::FIRST_EPOCH;
use countersign_ledger::genesis::{self, GENESIS_VERSION, Genesis};
use countersign_local::key_file::KeyFile;
use rand_core::OsRng;
use serde_json::json;

use super::init::made::Made;
use super::init::plan;
use super::{block_on, control};
use crate::installation::{DataFolder, now};
use crate::output::Printed;

/// The commands below `genesis`.
#[derive(Debug, Subcommand)]
pub enum GenesisCommand {
    /// Make the root key, and print what the core's parameter RootKey is to be.
    Key(KeyArguments),
    /// Sign the beginning, and write it with the first bundle to a folder.
    Make(MakeArguments),
}

/// Arguments of `genesis key`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign genesis key countersign-root.pem")]
pub struct KeyArguments {
    /// The root key, which is made where there is none. Keep it offline.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Arguments of `genesis make`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  aws kms get-public-key --key-id LOG-KEY --query PublicKey --output text > log.pub\n  \
    aws kms get-public-key --key-id AUTHORIZATION-KEY --query PublicKey --output text > authorization.pub\n  \
    countersign genesis make first-day --control control --commit main --origin example.com/countersign \\\n    \
    --root-key countersign-root.pem --log-key log.pub --authorization-key authorization.pub\n  \
    aws s3 cp --recursive first-day/upload s3://DATA-BUCKET/\n\n\
    The commit must be on the control repository's server. With --data first-day, `cluster add` and `audit key` work."
)]
pub struct MakeArguments {
    /// The folder to write, which is made.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// A clone of the control repository.
    #[arg(long, value_name = "DIR")]
    pub control: PathBuf,
    /// The commit whose bundle is active at first.
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    pub commit: String,
    /// The log's name for ever, as `example.com/countersign`.
    #[arg(long, value_name = "NAME")]
    pub origin: String,
    /// The root key (countersign genesis key).
    #[arg(long, value_name = "FILE")]
    pub root_key: PathBuf,
    /// The public half of the key that signs checkpoints (Ed25519), as KMS gives it: base64 or PEM.
    #[arg(long, value_name = "FILE")]
    pub log_key: PathBuf,
    /// The public half of the key that signs authorizations (ECDSA P-256), as KMS gives it: base64 or PEM.
    #[arg(long, value_name = "FILE")]
    pub authorization_key: PathBuf,
}

/// Makes a root key, or a beginning.
///
/// # Errors
/// When something is there already, is not understood, or cannot be written.
pub fn run(command: &GenesisCommand) -> anyhow::Result<Printed> {
    match command {
        GenesisCommand::Key(arguments) => key(&arguments.file),
        GenesisCommand::Make(arguments) => {
            let mut made = Made::default();
            make(arguments, &mut made).map_err(|error| made.explain(error))
        }
    }
}

fn key(file: &Path) -> anyhow::Result<Printed> {
    let made = !file.exists();
    let root = match made {
        true => KeyFile::generate(file, Algorithm::Ed25519, &mut OsRng)?,
        false => KeyFile::load(file, Algorithm::Ed25519)?,
    };
    let parameter: String = root.public_key().pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let document = json!({ "file": file, "made": made, "parameter": parameter });
    Printed::done(parameter, &document)
}

fn make(arguments: &MakeArguments, made: &mut Made) -> anyhow::Result<Printed> {
    plan::check_origin(&arguments.origin)?;
    let root = KeyFile::load(&arguments.root_key, Algorithm::Ed25519)?;
    let (bundle, commit) = control::bundle_at(&arguments.control, &arguments.commit)?;
    let configuration = bundle.configuration();
    let genesis = Genesis {
        v: GENESIS_VERSION,
        origin: arguments.origin.clone(),
        epoch: FIRST_EPOCH,
        root_key: root.public_key().clone(),
        log_key: public_key::read(&arguments.log_key, Algorithm::Ed25519)?,
        authorization_key: public_key::read(&arguments.authorization_key, Algorithm::EcdsaP256Sha256)?,
        hosts: configuration.hosts.iter().map(|(name, host)| (name.clone(), host.kind)).collect(),
        control: configuration
            .control_ref()
            .ok_or_else(|| anyhow!("countersign.yaml names no branch of the control repository"))?,
        commit,
        bundle: *bundle.digest(),
        created: now(),
    };
    let signed = block_on(async { Ok(genesis::sign(&root, &genesis).await?) })?;
    // As every reader will: keys that stand for each other are found here, and not on the first day.
    genesis::verify(&signed, root.public_key())?;
    let stored = bundle.to_stored().context("the bundle cannot be written as JSON")?;
    let data = DataFolder::new(&arguments.folder);
    let upload = data.path().join("upload");
    anyhow::ensure!(
        !data.path().exists(),
        "{}: exists already and was left as it is: name a new folder, or move it away",
        data.path().display()
    );
    write(made, &data.genesis(), &signed)?;
    write(made, &data.root_public_key(), &serde_json::to_vec_pretty(root.public_key())?)?;
    write(made, &upload.join(keys::GENESIS), &signed)?;
    write(made, &upload.join(keys::bundle_configuration(bundle.digest())), &stored.configuration)?;
    write(made, &upload.join(keys::bundle_policies(bundle.digest())), &stored.policies)?;
    let place = upload.display();
    let text = format!(
        "signed the beginning of the log {}\n  commit  {}\n  bundle  {}\n\nNext:\n  aws s3 cp --recursive {place} \
         s3://DATA-BUCKET/     # within five minutes, record appends leaf 0",
        genesis.origin, genesis.commit, genesis.bundle
    );
    let document = json!({
        "folder": data.path(), "upload": upload, "origin": genesis.origin, "commit": genesis.commit,
        "bundle": genesis.bundle, "genesis": STANDARD.encode(&signed),
    });
    Printed::done(text, &document)
}

fn write(made: &mut Made, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    made.folder(path.parent().unwrap_or(path))?;
    made.write(path, bytes)
}

#[cfg(test)]
mod tests;
