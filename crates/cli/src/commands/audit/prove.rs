//! `audit prove`: the proof that one leaf is in the log, verified before it is printed.

use anyhow::ensure;
use serde_json::json;

use super::ProveArguments;
use crate::commands::block_on;
use crate::commands::reading::{Installation, parsed};
use crate::output::Printed;

/// Proves a leaf.
///
/// # Errors
/// When the log has no such leaf, or cannot be read.
pub fn run(arguments: &ProveArguments) -> anyhow::Result<Printed> {
    let installation = Installation::open(&arguments.data)?;
    let index = arguments.index;
    let (leaf, proof, key) = block_on(async {
        let mut view = installation.log().await?;
        let size = view.size();
        ensure!(index < size, "leaf {index}: the log has {size} leaves, the first of index 0");
        let key = installation.key_of(view.at())?;
        Ok((view.leaf(index).await?, view.prove(index).await?, key))
    })?;
    proof.verify(&leaf, key)?;
    let text = proof.to_string();
    let document = json!({
        "index": index,
        "leaf": parsed(index, &leaf)?,
        "leafBytes": String::from_utf8_lossy(&leaf),
        "proof": text,
        "key": key.to_string(),
    });
    Printed::done(text.trim_end_matches('\n'), &document)
}
