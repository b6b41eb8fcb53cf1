//! `countersign hold` and `countersign release`: a target takes no change, until it does again.

use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use countersign_core::names::{InvalidName, Target};
use countersign_core::statement::{Command, Says};

use super::statement::clone::WorkingClone;
use super::statement::{self, StatementArguments};
use crate::installation::now;
use crate::output::Printed;

/// Arguments of `hold`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  countersign hold shop/production/east --reason 'incident 42' --key ~/.ssh/id_ed25519\n  \
    countersign hold shop/production/east --reason 'incident 42' --server http://127.0.0.1:7466 --repository local/shop"
)]
pub struct HoldArguments {
    /// Which: APPLICATION/ENVIRONMENT/CLUSTER.
    #[arg(value_name = "TARGET", value_parser = parse_target)]
    pub target: Target,
    /// Why, for people.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// When the command is refused, if nobody took it until then.
    #[command(flatten)]
    pub expiry: Expiry,
    /// How it is signed and sent.
    #[command(flatten)]
    pub statement: StatementArguments,
}

/// Arguments of `release`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  countersign release shop/production/east --key ~/.ssh/id_ed25519")]
pub struct ReleaseArguments {
    /// Which: APPLICATION/ENVIRONMENT/CLUSTER.
    #[arg(value_name = "TARGET", value_parser = parse_target)]
    pub target: Target,
    /// When the command is refused, if nobody took it until then.
    #[command(flatten)]
    pub expiry: Expiry,
    /// How it is signed and sent.
    #[command(flatten)]
    pub statement: StatementArguments,
}

/// Reads a target's name.
fn parse_target(text: &str) -> Result<Target, String> {
    let example = "write APPLICATION/ENVIRONMENT/CLUSTER, as shop/production/east";
    text.parse().map_err(|error: InvalidName| match text.split('/').count() {
        3 => error.to_string(),
        _ => example.to_owned(),
    })
}

/// How long a command may travel.
#[derive(Clone, Copy, Debug, Args)]
pub struct Expiry {
    /// Minutes until the command is refused.
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=10_080))]
    pub expires_in: u64,
}

impl Expiry {
    /// The command, good until then.
    #[must_use]
    pub fn says(self, command: Command) -> Says {
        Says::Command { command, expires: now().plus(Duration::from_secs(self.expires_in * 60)) }
    }
}

/// Asks for a hold.
///
/// # Errors
/// When it cannot be signed or sent.
pub fn hold(arguments: &HoldArguments) -> anyhow::Result<Printed> {
    let HoldArguments { target, reason, expiry, statement } = arguments;
    ensure!(!reason.trim().is_empty(), "the reason is empty: say why, for those who find the target held");
    let command = Command::Hold { target: target.clone(), reason: reason.trim().to_owned() };
    ask(statement, expiry.says(command), &format!("asked to hold {target}: {}", reason.trim()))
}

/// Asks for a release.
///
/// # Errors
/// When it cannot be signed or sent.
pub fn release(arguments: &ReleaseArguments) -> anyhow::Result<Printed> {
    let ReleaseArguments { target, expiry, statement } = arguments;
    let command = Command::Release { target: target.clone() };
    ask(statement, expiry.says(command), &format!("asked to release {target}"))
}

fn ask(arguments: &StatementArguments, says: Says, headline: &str) -> anyhow::Result<Printed> {
    let clone = WorkingClone::here()?;
    let said = statement::say(arguments, clone.as_ref(), says, &[])?;
    Printed::done(said.text(headline, "policy decides; the decision is in the log"), &said.document())
}
