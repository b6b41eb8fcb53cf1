//! `countersign dismiss`: an approval is taken back.

use clap::Args;
use countersign_core::digest::Digest;
use countersign_core::statement::Says;

use super::statement::clone::WorkingClone;
use super::statement::{self, StatementArguments};
use crate::output::Printed;

/// Arguments of `dismiss`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign dismiss sha256:0f3c… --key ~/.ssh/id_ed25519")]
pub struct DismissArguments {
    /// The approving statement: the digest that `approve` printed.
    #[arg(value_name = "STATEMENT", value_parser = statement::parse_id)]
    pub approval: Digest,
    /// How it is signed and sent.
    #[command(flatten)]
    pub statement: StatementArguments,
}

/// Signs and sends a dismissal.
///
/// # Errors
/// When it cannot be signed or sent.
pub fn run(arguments: &DismissArguments) -> anyhow::Result<Printed> {
    let clone = WorkingClone::here()?;
    let says = Says::Dismiss { approval: arguments.approval };
    let said = statement::say(&arguments.statement, clone.as_ref(), says, &[])?;
    let headline = format!("took back the approval {} of {}", arguments.approval, said.repository);
    Printed::done(said.text(&headline, ""), &said.document())
}
