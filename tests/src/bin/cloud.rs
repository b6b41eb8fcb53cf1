//! The long form of the chaos on the cloud form's own programs: see `docs/RELIABILITY.md`.

use anyhow::Result;
use clap::Parser;
use countersign_tests::cloud::chaos::{Chaos, run};

/// Lets everything go wrong while changes are pushed, and checks what must hold when it is over.
#[derive(Debug, Parser)]
#[command(name = "countersign-cloud")]
struct Arguments {
    /// How many changes are pushed without waiting.
    #[arg(long, default_value_t = 1000)]
    changes: u64,
    /// What random moments are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<()> {
    let Arguments { changes, seed } = Arguments::parse();
    let survived = run(&Chaos { changes, seed })?;
    let account = survived.account;
    println!(
        "{changes} pushes, {} kills, {} calls of AWS: {} leaves, {} authorized, {} healthy, the log verifies",
        survived.kills, survived.calls, account.leaves, account.authorized, account.healthy
    );
    Ok(())
}
