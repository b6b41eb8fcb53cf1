//! `countersign audit`: verifies a log from its first leaf to its last, proves single leaves, exports the log.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use crate::output::Printed;

mod export;
mod key;
mod prove;
mod verify;

/// The commands below `audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Verify a whole log: hashes, signatures, and what may follow what.
    Verify(VerifyArguments),
    /// Print the proof that a leaf is in the log, as a C2SP tlog-proof.
    Prove(ProveArguments),
    /// Print the log's key, or a witness's, as a C2SP vkey, for whoever is to verify or witness the log.
    Key(KeyArguments),
    /// Write the log to a folder that any tool for C2SP tlog-tiles reads.
    Export(ExportArguments),
}

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  countersign audit verify --data /var/lib/countersign\n  \
    countersign audit verify --log https://countersign.example.com/log --key \"$(cat vkey)\"\n  \
    countersign audit verify --log ./export --genesis genesis.json --root-key root.pub.json\n\n\
    Exit codes: 0 clean, 1 not clean, 2 error.")]
#[command(group(ArgGroup::new("source").required(true).args(["data", "log"])))]
pub struct VerifyArguments {
    /// The data folder of an installation; `serve` may be running.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// An exported log's folder, or the URL that a log is served at.
    #[arg(long, value_name = "DIR-OR-URL")]
    pub log: Option<String>,
    /// The log's key as a C2SP vkey, known from elsewhere than the log.
    #[arg(long, value_name = "VKEY", conflicts_with = "genesis")]
    pub key: Option<String>,
    /// The genesis, known from elsewhere than the log: it names the key, and must be leaf 0.
    #[arg(long, value_name = "FILE")]
    pub genesis: Option<PathBuf>,
    /// The root key that must have signed the genesis, as `init` wrote it [default: the one that it names].
    #[arg(long, value_name = "FILE", requires = "genesis")]
    pub root_key: Option<PathBuf>,
}

/// Arguments of `audit prove`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  countersign audit prove 42 --data /var/lib/countersign > leaf-42.tlog-proof"
)]
pub struct ProveArguments {
    /// The leaf's index.
    #[arg(value_name = "INDEX")]
    pub index: u64,
    /// The data folder of the installation; `serve` may be running.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// Arguments of `audit key`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  countersign audit key --data /var/lib/countersign\n  \
    countersign audit key --genesis genesis.json --root-key root.pub.json\n  \
    countersign audit key --witness witness.pub --name witness.example.com     # a witness's, whose key is in KMS")]
#[command(group(ArgGroup::new("from").required(true).args(["data", "genesis", "witness"])))]
pub struct KeyArguments {
    /// The data folder of the installation.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The genesis, which names the key.
    #[arg(long, value_name = "FILE")]
    pub genesis: Option<PathBuf>,
    /// The root key that must have signed the genesis, as `init` wrote it [default: the one that it names].
    #[arg(long, value_name = "FILE", requires = "genesis")]
    pub root_key: Option<PathBuf>,
    /// The public half of a witness's key, as KMS gives it: base64 or PEM.
    #[arg(long, value_name = "FILE", requires = "name")]
    pub witness: Option<PathBuf>,
    /// The name in the witness's cosignatures.
    #[arg(long, value_name = "NAME", requires = "witness")]
    pub name: Option<String>,
}

/// Arguments of `audit export`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign audit export ./export --data /var/lib/countersign\n\n\
    A folder that holds an earlier export is brought up to date, if the log extends it.")]
pub struct ExportArguments {
    /// Where to: a new or empty folder, or an earlier export.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The data folder of the installation; `serve` may be running.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// Verifies, proves or exports.
///
/// # Errors
/// When the log cannot be read; what is wrong in it is no error.
pub fn run(command: &AuditCommand) -> anyhow::Result<Printed> {
    match command {
        AuditCommand::Verify(arguments) => verify::run(arguments),
        AuditCommand::Prove(arguments) => prove::run(arguments),
        AuditCommand::Key(arguments) => key::run(arguments),
        AuditCommand::Export(arguments) => export::run(arguments),
    }
}
