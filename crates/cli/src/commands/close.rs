//! `countersign close`: a proposal is withdrawn by who made it.

use clap::Args;
use countersign_core::digest::Digest;
use countersign_core::statement::Says;

use super::statement::clone::WorkingClone;
use super::statement::{self, StatementArguments};
use crate::output::Printed;

/// Arguments of `close`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign close sha256:0f3c… --key ~/.ssh/id_ed25519")]
pub struct CloseArguments {
    /// The proposing statement: the digest that `propose` printed.
    #[arg(value_name = "PROPOSAL", value_parser = statement::parse_id)]
    pub proposal: Digest,
    /// How it is signed and sent.
    #[command(flatten)]
    pub statement: StatementArguments,
}

/// Signs and sends a close.
///
/// # Errors
/// When it cannot be signed or sent.
pub fn run(arguments: &CloseArguments) -> anyhow::Result<Printed> {
    let clone = WorkingClone::here()?;
    let says = Says::Close { proposal: arguments.proposal };
    let said = statement::say(&arguments.statement, clone.as_ref(), says, &[])?;
    let headline = format!("closed the proposal {} of {}", arguments.proposal, said.repository);
    Printed::done(said.text(&headline, ""), &said.document())
}
