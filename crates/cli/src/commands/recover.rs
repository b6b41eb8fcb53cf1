//! `countersign recover`: the root key activates a bundle that the active one denies. It is the only way
//! around policy, and it is logged.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow, ensure};
use clap::Args;
use countersign_core::digest::Digest;
use countersign_core::keys;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_core::ports::store;
use countersign_core::statement::{Command, NAMESPACE, SignedStatement};
use countersign_core::target::ActiveBundle;
use countersign_local::database::Database;
use countersign_local::key_file::KeyFile;
use countersign_local::store::LocalStore;
use countersign_provenance::root;
use serde_json::json;

use super::hold::Expiry;
use super::statement::{self, Sent};
use super::{block_on, control, server};
use crate::installation::DataFolder;
use crate::output::Printed;

/// Arguments of `recover`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  countersign recover --data data --control control --commit main --root-key root.pem\n\n  \
    On a machine that is offline, with a clone of the control repository:\n  \
    countersign recover --control control --commit main --root-key root.pem --replaces sha256:… \\\n    \
    --write recover.statement --expires-in 1440\n  \
    curl --data-binary @recover.statement http://127.0.0.1:7466/commands     # on a machine that is not\n\n\
    The commit must have been pushed: the server reads it from the control repository."
)]
pub struct RecoverArguments {
    /// The data folder, to read there which bundle is active.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where `countersign serve` listens [default: http://127.0.0.1:7466].
    #[arg(long, value_name = "URL", conflicts_with = "write")]
    pub server: Option<String>,
    /// A clone of the control repository.
    #[arg(long, value_name = "DIR")]
    pub control: PathBuf,
    /// The commit whose bundle is to be active.
    #[arg(long, value_name = "REV")]
    pub commit: String,
    /// The root key that `countersign init` made.
    #[arg(long, value_name = "FILE")]
    pub root_key: PathBuf,
    /// The bundle that is active and denies its repair [default: read from --data].
    #[arg(long, value_name = "DIGEST")]
    pub replaces: Option<Digest>,
    /// Write the statement to a file instead of posting it.
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// When it is refused, if nobody took it until then.
    #[command(flatten)]
    pub expiry: Expiry,
}

/// Signs and sends a recovery.
///
/// # Errors
/// When the bundle does not compile, is active already, or the root key is not the installation's.
pub fn run(arguments: &RecoverArguments) -> anyhow::Result<Printed> {
    let key = root_key(arguments)?;
    let (bundle, commit) = control::bundle_at(&arguments.control, &arguments.commit)?;
    let replaces = replaced(arguments)?;
    ensure!(*bundle.digest() != replaces, "{replaces} is active already: there is nothing to recover");
    let command = Command::Recover { commit: commit.clone(), bundle: *bundle.digest(), replaces };
    let repository = &bundle.configuration().control.repository;
    let says = arguments.expiry.says(command);
    let payload = statement::payload(repository, &says)?;
    let signature = block_on(async { Ok(root::sign(&key, NAMESPACE, payload.as_bytes()).await?) })?;
    let statement = SignedStatement { payload, signature };
    let sent = match &arguments.write {
        Some(file) => {
            statement::write_new(file, &statement)?;
            Sent::Written { file: file.clone() }
        }
        None => statement::post(arguments.server.as_deref().unwrap_or(server::DEFAULT), &statement)?,
    };
    let text = format!(
        "asked to activate {} of commit {commit} in place of {replaces}\n  statement  {}\n{}",
        bundle.digest(),
        statement.id(),
        sent.text()
    );
    let document = json!({
        "statement": statement.id(), "repository": repository, "says": says,
        "signer": root::fingerprint(key.public_key()).map_err(|error| anyhow!("{error}"))?,
        "sent": sent.document(), "notes": [],
    });
    Printed::done(text, &document)
}

/// The bundle that is to be replaced: what is active now.
fn replaced(arguments: &RecoverArguments) -> anyhow::Result<Digest> {
    if let Some(named) = arguments.replaces {
        return Ok(named);
    }
    let data = arguments.data.as_deref().ok_or_else(|| {
        anyhow!("which bundle is active is not known here: give --data DIR, or --replaces DIGEST (countersign status shows it)")
    })?;
    let store = LocalStore::new(&Database::open_read_only(data)?);
    let active = block_on(async { Ok(store::get_json::<ActiveBundle>(&store, keys::ACTIVE_BUNDLE).await?) })?;
    let none = || format!("{}: no bundle is active yet: start countersign serve once", data.display());
    Ok(active.with_context(none)?.bundle)
}

fn root_key(arguments: &RecoverArguments) -> anyhow::Result<KeyFile> {
    let key = KeyFile::load(&arguments.root_key, Algorithm::Ed25519)?;
    if let Some(data) = &arguments.data {
        let (_, genesis) = DataFolder::new(data).read_genesis()?;
        ensure!(
            *key.public_key() == genesis.root_key,
            "{}: another key than the root key of {}: give the one that init made for it",
            arguments.root_key.display(),
            data.display()
        );
    }
    Ok(key)
}
