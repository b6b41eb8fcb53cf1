//! `countersign explain`: the whole story of a decision, from what was asked for to what became of it.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::block_on;
use super::reading::Installation;
use crate::output::{Conclusion, Printed, colored};
use story::Story;

mod find;
mod replay;
mod story;

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  countersign explain 42 --data /var/lib/countersign\n  \
    countersign explain 3f2c9a1 --data /var/lib/countersign --replay\n\n\
    Exit codes: 0 found, 1 a replay comes out differently, 2 error.")]
pub struct ExplainArguments {
    /// A leaf's index, a commit or the beginning of one, an attempt, or a decision's digest.
    #[arg(value_name = "DECISION")]
    pub decision: String,
    /// The data folder of the installation; `serve` may be running.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Decide again on the same facts under the same bundle, and say whether the same comes out.
    #[arg(long)]
    pub replay: bool,
}

/// Tells the story of the decision, or of the latest one of each target where a commit is given.
///
/// # Errors
/// When there is no such decision, or the installation cannot be read.
pub fn run(arguments: &ExplainArguments) -> anyhow::Result<Printed> {
    let installation = Installation::open(&arguments.data)?;
    let stories = block_on(async {
        let mut stories = Vec::new();
        for found in find::decisions(&installation, &arguments.decision).await? {
            stories.push(Story::read(&installation, found, arguments.replay).await?);
        }
        Ok(stories)
    })?;
    let differs = stories.iter().any(Story::replays_differently);
    let text: Vec<_> = stories.iter().map(|story| story.text(colored())).collect();
    let documents = stories.iter().map(Story::document).collect::<Vec<_>>();
    Ok(Printed {
        text: text.join("\n\n"),
        document: json!({ "decisions": documents }),
        conclusion: if differs { Conclusion::Denied } else { Conclusion::Done },
    })
}
