//! The load test: pushes at a steady pace, and what that came to.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use countersign_tests::survival::load::Load;

/// Pushes at a steady pace to a new installation, and says how it took that.
#[derive(Debug, Parser)]
#[command(name = "countersign-load")]
struct Arguments {
    /// For how many seconds is pushed.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Pushes a second.
    #[arg(long, default_value_t = 20.0)]
    rate: f64,
    /// Repositories that are pushed to, in turn.
    #[arg(long, default_value_t = 10)]
    repositories: usize,
    /// So many of a hundred pushes are bad.
    #[arg(long, default_value_t = 5)]
    bad: u64,
    /// So many of a thousand calls fail.
    #[arg(long, default_value_t = 1)]
    failing: u32,
}

/// Memory may grow by so many KiB while it works.
const GROWTH: u64 = 16 * 1024;

fn main() -> Result<()> {
    let Arguments { seconds, rate, repositories, bad, failing } = Arguments::parse();
    let load = Load { time: Duration::from_secs(seconds), rate, repositories, bad, failing };
    let figures = load.run()?;
    println!("{figures}");
    let (early, late) = figures.memory_early_and_late();
    ensure!(late < early + GROWTH, "memory grew from {early} KiB to {late} KiB");
    Ok(())
}
