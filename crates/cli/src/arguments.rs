//! The arguments of the `countersign` command. The comments are its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    approve, audit, check, close, cluster, completion, diff, dismiss, dlq, doctor, explain, genesis, history,
    hold, hook, init, inspect, policy, propose, recover, render, rotate, status, validate, witness,
};
use crate::output::Form;

/// Delivers changes to Kubernetes clusters only when policy has countersigned them.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done or allowed, 1 denied or invalid, 2 error.")]
pub struct Arguments {
    /// How to print the result.
    #[arg(long, global = true, value_enum, default_value_t = Form::Text)]
    pub output: Form,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new installation: a control repository, keys, and the root-signed beginning.
    Init(init::InitArguments),
    /// Make the root-signed beginning of an installation whose keys are in KMS, ready to be uploaded.
    #[command(subcommand)]
    Genesis(genesis::GenesisCommand),
    /// Have the root key announce other keys for the log and for authorizations.
    Rotate(rotate::RotateArguments),
    /// Run every stage in one process.
    Serve(ServeArguments),
    /// Show every mistake in a control repository.
    Validate(validate::ValidateArguments),
    /// Show what policy would say of a change, before anything is pushed.
    Check(check::CheckArguments),
    /// Show the objects that a path of a repository comes to.
    Render(render::RenderArguments),
    /// Show how what a path comes to differs between two revisions.
    Diff(diff::DiffArguments),
    /// Test and list the rules of a control repository.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Ask for a branch to be changed: plain Git's pull request, signed with your key.
    Propose(propose::ProposeArguments),
    /// Approve exactly one commit, signed with your key.
    Approve(approve::ApproveArguments),
    /// Take an approval back.
    Dismiss(dismiss::DismissArguments),
    /// Close a proposal of yours.
    Close(close::CloseArguments),
    /// Let a target take no change until it is released.
    Hold(hold::HoldArguments),
    /// Let a held target take changes again.
    Release(hold::ReleaseArguments),
    /// Activate a bundle that the active one denies, signed with the root key.
    Recover(recover::RecoverArguments),
    /// Show what is wanted, what runs, what waits, and what is stuck.
    Status(status::StatusArguments),
    /// Show what the log says happened, the newest first.
    History(history::HistoryArguments),
    /// Tell the whole story of a decision.
    Explain(explain::ExplainArguments),
    /// Verify a log, prove what is in it, and export it.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Say what is wrong with an installation, and how to mend it.
    Doctor(doctor::DoctorArguments),
    /// Look at a log from elsewhere, and cosign what extends what was seen before.
    Witness(witness::WitnessArguments),
    /// Show messages that could not succeed, and put them back to work or drop them.
    #[command(subcommand)]
    Dlq(dlq::DlqCommand),
    /// Set up clusters.
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Set up the receive hooks of plain Git repositories, and what those hooks call.
    #[command(subcommand)]
    Hook(hook::HookCommand),
    /// Show what was understood of something from outside.
    #[command(subcommand)]
    Inspect(inspect::InspectCommand),
    /// Print the completion script of a shell.
    Completion(completion::CompletionArguments),
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  countersign serve --control /srv/git/control.git --data /var/lib/countersign"
)]
pub struct ServeArguments {
    /// The control repository: a folder or a URL.
    #[arg(long, value_name = "DIR-OR-URL")]
    pub control: String,
    /// The data folder that `countersign init` made.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7466")]
    pub listen: std::net::SocketAddr,
    /// How often, in seconds, what runs on each cluster is compared with what was authorized.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub drift_seconds: u64,
    /// The URL of the witness whose cosignatures clusters demand (countersign cluster add --witness).
    #[arg(long, value_name = "URL")]
    pub witness: Option<String>,
    /// How much to log to standard error: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: tracing::Level,
    /// Log one JSON document per line.
    #[arg(long)]
    pub log_json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
