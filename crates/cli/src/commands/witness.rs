//! `countersign witness`: looks at a log from elsewhere, and cosigns what extends what it saw before.

mod serving;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use countersign_core::ports::signer::{Algorithm, Signer as _};
use countersign_core::ports::store::Store;
use countersign_ledger::folder::Folder;
use countersign_ledger::note::NoteKey;
use countersign_local::database::Database;
use countersign_local::key_file::KeyFile;
use countersign_local::store::LocalStore;
use countersign_witness::{Found, Witness};
use rand_core::OsRng;
use serde_json::json;

use super::block_on;
use crate::installation::now;
use crate::output::{Conclusion, Printed};
use crate::remote::Remote;

/// Arguments of `witness`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  countersign witness --log https://countersign.example.com/log --log-key \"$(cat vkey)\" \\\n    \
    --name witness.example.com --state /var/lib/witness\n  \
    countersign witness --log ./export --log-key \"$(cat vkey)\" --name witness.example.com --state witness --once\n\n\
    Run it where others are in charge than those of the log. Its own vkey, which it prints, is what clusters are told:\n  \
    countersign cluster add east --data data --witness VKEY"
)]
pub struct WitnessArguments {
    /// The URL that the log is served at, or an exported log's folder.
    #[arg(long, value_name = "DIR-OR-URL")]
    pub log: String,
    /// The log's key as a C2SP vkey, known from elsewhere than the log (countersign audit key). While the log's keys
    /// change, give the new one and the old one.
    #[arg(long, value_name = "VKEY", required = true)]
    pub log_key: Vec<NoteKey>,
    /// The name in its cosignatures, as a host name without a scheme.
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// The folder of its key and of what it saw; made at the first start.
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// Where to serve what it cosigned.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7467")]
    pub listen: std::net::SocketAddr,
    /// How often, in seconds, to look.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// Look once, and serve nothing.
    #[arg(long)]
    pub once: bool,
}

/// A witness's own folder: its key, and what it saw.
struct Own {
    signer: KeyFile,
    store: LocalStore,
    key: NoteKey,
}

/// Looks once, or until it is told to stop.
///
/// # Errors
/// When its folder cannot be used, its key cannot be made, or, where it looks once, the log cannot be read.
pub fn run(arguments: &WitnessArguments) -> anyhow::Result<Printed> {
    let own = open(arguments)?;
    match arguments.log.starts_with("http://") || arguments.log.starts_with("https://") {
        true => look(arguments, &Arc::new(own), Remote::log(&arguments.log)?),
        false => look(arguments, &Arc::new(own), Folder::new(Path::new(&arguments.log))),
    }
}

fn open(arguments: &WitnessArguments) -> anyhow::Result<Own> {
    let state = &arguments.state;
    let database = Database::open(state).with_context(|| format!("{}: cannot be used", state.display()))?;
    let file = state.join("witness.pem");
    let signer = match file.exists() {
        true => KeyFile::load(&file, Algorithm::Ed25519)?,
        false => KeyFile::generate(&file, Algorithm::Ed25519, &mut OsRng)?,
    };
    let key = NoteKey::witness(&arguments.name, signer.public_key()).context("--name")?;
    Ok(Own { signer, store: LocalStore::new(&database), key })
}

fn look<L: Store>(arguments: &WitnessArguments, own: &Arc<Own>, log: L) -> anyhow::Result<Printed> {
    let looker = Looker { arguments, own, log };
    block_on(async {
        if arguments.once {
            return once(&looker).await;
        }
        serving::until_stopped(&looker, Duration::from_secs(arguments.seconds)).await?;
        Printed::done("stopped", &json!({ "stopped": true }))
    })
}

/// The stage with what it looks at.
struct Looker<'a, L> {
    arguments: &'a WitnessArguments,
    own: &'a Arc<Own>,
    log: L,
}

impl<L: Store> Looker<'_, L> {
    async fn look(&self) -> anyhow::Result<Found> {
        let stage = Witness {
            log: &self.log,
            own: &self.own.store,
            keys: &self.arguments.log_key,
            name: &self.arguments.name,
            signer: &self.own.signer,
        };
        Ok(stage.handle(now()).await?)
    }
}

async fn once<L: Store>(looker: &Looker<'_, L>) -> anyhow::Result<Printed> {
    let found = looker.look().await?;
    let key = &looker.own.key;
    let (text, size, problem) = match found {
        Found::Nothing => ("there is no log yet".to_owned(), None, None),
        Found::Extended(size) => (format!("cosigned the log of {size} leaves"), Some(size), None),
        Found::Inconsistent(why) => (format!("not cosigned: {why}"), None, Some(why)),
    };
    let conclusion = if problem.is_none() { Conclusion::Done } else { Conclusion::Denied };
    let document = json!({ "vkey": key, "cosigned": size, "inconsistent": problem });
    Ok(Printed { text: format!("{text}\nvkey  {key}"), document, conclusion })
}
