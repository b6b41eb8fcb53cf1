//! The long form of the chaos on the cloud form's own programs: see `docs/RELIABILITY.md`.

use anyhow::{Result, ensure};
use clap::Parser;
use countersign_tests::cloud::chaos::{Chaos, run};
use countersign_tests::cloud::stack::FUNCTIONS;

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
    for (name, kills) in &survived.kills {
        println!("{kills:>6} times killed: {name}");
    }
    for ((function, fate), count) in survived.by_function() {
        println!("{count:>6} calls of {function}: {fate:?}");
    }
    let killed = |function: &&str| survived.kills.keys().any(|name| name.ends_with(&format!("-{function}")));
    let spared: Vec<_> = FUNCTIONS.iter().filter(|function| !killed(function)).collect();
    ensure!(spared.is_empty(), "these were never killed: {spared:?}");
    let account = survived.account;
    println!(
        "{changes} pushes, {} kills, {} batches twice, {} calls of AWS: {} leaves, {} authorized, {} healthy, the log verifies",
        survived.kills.values().sum::<u64>(),
        survived.repeated,
        survived.calls,
        account.leaves,
        account.authorized,
        account.healthy
    );
    Ok(())
}
