//! `countersign hook pre-receive`: refuses a push that would change or forge what is Countersign's.

use std::io;
use std::path::PathBuf;

use clap::Args;
use countersign_core::names::RepositoryId;
use countersign_git::hook::{check_update, read_blob};
use serde_json::json;

use super::updates;
use crate::output::{Conclusion, Printed};

/// Arguments of `hook pre-receive`.
#[derive(Debug, Args)]
#[command(
    after_help = "Called by the script that `countersign hook install` writes; Git gives the references on standard input.\n\
    Exit codes: 0 the push may go on, 1 it is refused."
)]
pub struct PreReceiveArguments {
    /// The repository in countersign.yaml, as local/shop.
    #[arg(long, value_name = "HOST/PATH")]
    pub repository: RepositoryId,
}

/// Checks every reference of the push.
///
/// # Errors
/// When Git's own words are not understood.
pub fn run(arguments: &PreReceiveArguments) -> anyhow::Result<Printed> {
    let folder = updates::repository()?;
    let quarantine = std::env::var_os("GIT_QUARANTINE_PATH").map(PathBuf::from);
    let read = |id: &_, limit| read_blob(&folder, quarantine.as_deref(), id, limit);
    let mut refused = Vec::new();
    for line in updates::read(io::stdin().lock())? {
        let (old, new) = (line.old.as_ref(), line.new.as_ref());
        if let Err(refusal) = check_update(&arguments.repository, &line.reference, old, new, read) {
            refused.push(refusal);
        }
    }
    let text: Vec<_> = refused.iter().map(|refusal| format!("countersign: {refusal}")).collect();
    let list: Vec<_> = refused
        .iter()
        .map(|refusal| json!({ "reference": refusal.reference, "reason": refusal.reason }))
        .collect();
    let conclusion = if refused.is_empty() { Conclusion::Done } else { Conclusion::Denied };
    Ok(Printed { text: text.join("\n"), document: json!({ "refused": list }), conclusion })
}
