//! `countersign rotate`: other keys for the log, announced by the root key.
//!
//! It needs the data folder and the root key, and neither a cluster nor a cloud. Nothing changes by it alone: clusters
//! are told of the new keys, and whoever records begins to use them at the next start.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use countersign_core::keys;
use countersign_core::ports::signer::{Algorithm, PublicKey, Signer as _};
use countersign_ledger::epochs::{self, Epoch, Epochs, ROTATION_VERSION, Rotation};
use countersign_ledger::log;
use countersign_ledger::note::NoteKey;
use countersign_local::database::{Database, FILE};
use countersign_local::key_file::KeyFile;
use countersign_local::store::LocalStore;
use rand_core::OsRng;
use serde_json::json;

use super::block_on;
use super::genesis::public_key;
use super::init::made::Made;
use crate::installation::{DataFolder, now};
use crate::output::Printed;

/// Arguments of `rotate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  countersign rotate --data data --root-key countersign-root.pem\n  \
    countersign rotate --data first-day --root-key countersign-root.pem \\\n    \
    --log-key log-2.pub --authorization-key authorization-2.pub     # the new keys are in KMS\n\n\
    Then, in this order: `countersign cluster add` for every cluster, which takes what is signed with the old keys and \
    with the new ones; the witness is told of the new log key beside the old one; `serve` is started again.")]
pub struct RotateArguments {
    /// The data folder that `countersign init` or `genesis make` made.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The root key, which signs the change.
    #[arg(long, value_name = "FILE")]
    pub root_key: PathBuf,
    /// The public half of the new key that signs checkpoints (Ed25519), as KMS gives it: base64 or PEM [default: a key
    /// is made in the data folder].
    #[arg(long, value_name = "FILE", requires = "authorization_key")]
    pub log_key: Option<PathBuf>,
    /// The public half of the new key that signs authorizations (ECDSA P-256), as KMS gives it.
    #[arg(long, value_name = "FILE", requires = "log_key")]
    pub authorization_key: Option<PathBuf>,
}

/// Makes the next epoch.
///
/// # Errors
/// When the root key is another, the last epoch was not announced yet, or something cannot be written.
pub fn run(arguments: &RotateArguments) -> anyhow::Result<Printed> {
    let data = DataFolder::new(&arguments.data);
    let (_, genesis) = data.read_genesis()?;
    let epochs = data.read_epochs(&genesis)?;
    let root = KeyFile::load(&arguments.root_key, Algorithm::Ed25519)?;
    ensure!(
        *root.public_key() == genesis.root_key,
        "{}: not the root key of this installation",
        arguments.root_key.display()
    );
    if arguments.log_key.is_none() {
        is_announced(&data, &epochs)?;
    }
    let mut made = Made::default();
    make(arguments, &data, &epochs, &root, &mut made).map_err(|error| made.explain(error))
}

/// Each epoch is announced under the keys of the one before, so they come one by one.
fn is_announced(data: &DataFolder, epochs: &Epochs) -> anyhow::Result<()> {
    let epoch = epochs.current().epoch;
    let begun = data.path().join(FILE).exists() && data.begun().exists();
    ensure!(begun, "nothing is recorded yet: start `countersign serve` once, which writes the first leaf");
    let store = LocalStore::new(&Database::open_read_only(data.path())?);
    let key = NoteKey::log(epochs.origin(), &epochs.current().log_key)?;
    block_on(async { Ok(log::read_checkpoint(&store, &[key]).await?) }).with_context(|| {
        format!("epoch {epoch} is not announced yet: start `countersign serve`, which does it, and try again")
    })?;
    Ok(())
}

fn make(
    arguments: &RotateArguments,
    data: &DataFolder,
    epochs: &Epochs,
    root: &KeyFile,
    made: &mut Made,
) -> anyhow::Result<Printed> {
    let epoch = epochs.current().epoch + 1;
    let file = data.rotation(epoch);
    let (log_key, authorization_key) = match (&arguments.log_key, &arguments.authorization_key) {
        (Some(log), Some(authorization)) => (
            public_key::read(log, Algorithm::Ed25519)?,
            public_key::read(authorization, Algorithm::EcdsaP256Sha256)?,
        ),
        _ => (
            generate(&data.log_key(epoch), Algorithm::Ed25519, made)?,
            generate(&data.authorization_key(epoch), Algorithm::EcdsaP256Sha256, made)?,
        ),
    };
    let keys = Epoch { epoch, log_key, authorization_key };
    let rotation = Rotation { v: ROTATION_VERSION, origin: epochs.origin().to_owned(), keys, created: now() };
    let signed = block_on(async { Ok(epochs::sign(root, &rotation).await?) })?;
    // As every reader will: what would not be taken is found before it is written.
    let mut next = epochs.clone();
    next.rotate(&signed)?;
    made.folder(file.parent().unwrap_or(&file))?;
    made.write(&file, &signed)?;
    let vkey = NoteKey::log(epochs.origin(), &next.current().log_key)?.to_string();
    let upload = keys::rotation(epoch);
    let then = match arguments.log_key {
        None => "start `serve` again, then delete the old keys".to_owned(),
        Some(_) => format!(
            "aws s3 cp {} s3://DATA-BUCKET/{upload}, and deploy the core with Epoch={epoch}",
            file.display()
        ),
    };
    let text = format!(
        "epoch {epoch} of the log {}\nsigned  {}\nvkey    {vkey}\n\nNext: countersign cluster add for every cluster; \
         tell the witness of this vkey beside the old one; {then}",
        epochs.origin(),
        file.display()
    );
    Printed::done(text, &json!({ "epoch": epoch, "rotation": file, "vkey": vkey }))
}

fn generate(file: &Path, algorithm: Algorithm, made: &mut Made) -> anyhow::Result<PublicKey> {
    made.begin(file);
    Ok(KeyFile::generate(file, algorithm, &mut OsRng)?.public_key().clone())
}
