//! The long form of the kill test: every point on every passing, and so many random moments.

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;
use countersign_tests::survival::kills::Kills;

/// Kills `countersign serve` at every point and at random, and checks that nothing is lost.
#[derive(Debug, Parser)]
#[command(name = "countersign-kills")]
struct Arguments {
    /// How many kills at random points, and as many at random moments.
    #[arg(long, default_value_t = 150)]
    random: u64,
    /// Kill at each point only the first time that it is passed.
    #[arg(long)]
    once: bool,
    /// What random moments are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let begun = Instant::now();
    let mut kills = Kills::new(arguments.seed)?;
    let points = kills.points()?;
    let all: u64 = points.iter().map(|point| point.count).sum();
    for point in &points {
        for count in 1..=if arguments.once { 1 } else { point.count.min(20) } {
            kills.at(point, count)?;
        }
    }
    eprintln!("{} kills at {} points in {:.0?}", kills.killed, points.len(), begun.elapsed());
    let at_points = kills.killed;
    for number in 0..arguments.random {
        kills.at_any_point(all)?;
        kills.anywhere()?;
        if number % 50 == 49 {
            eprintln!("{} kills in {:.0?}", kills.killed, begun.elapsed());
        }
    }
    let killed = kills.killed;
    ensure!(arguments.random == 0 || killed > at_points, "nothing was killed at random");
    let account = kills.end()?;
    println!(
        "{killed} kills ({at_points} at {} points), {} leaves, {} authorized, {} healthy, seed {}, {:.0?}",
        points.len(),
        account.leaves,
        account.authorized,
        account.healthy,
        arguments.seed,
        begun.elapsed()
    );
    Ok(())
}
