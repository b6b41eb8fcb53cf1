//! The long form of the kill test: every point on every passing, so many kills at random, and every request to a forge.

use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;
use countersign_tests::survival::kills::{Kills, on_the_first_day};
use countersign_tests::survival::on_gitea::OnGitea;
use countersign_tests::survival::proxy::Stop;

/// Kills `countersign serve` at every point, at random, and around every request to a Gitea, and checks that nothing is
/// lost.
#[derive(Debug, Parser)]
#[command(name = "countersign-kills")]
struct Arguments {
    /// How many kills at random points, and as many at random moments; a tenth as many more are of a recovery.
    #[arg(long, default_value_t = 150)]
    random: u64,
    /// Kill at each point only the first time that it is passed, and around those requests to a forge that change
    /// something.
    #[arg(long)]
    once: bool,
    /// What is random is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Kill only around requests to a forge.
    #[arg(long)]
    forge: bool,
    /// Name every point that is passed, with what passes it and how often, and kill nothing.
    #[arg(long)]
    points: bool,
}

/// How often a point is killed at that is passed again and again.
const PASSINGS: u64 = 20;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.forge {
        println!("{} kills around requests to a forge", around_requests(arguments.once)?);
        return Ok(());
    }
    let mut kills = Kills::new(arguments.seed)?;
    let points = kills.points()?;
    if arguments.points {
        points.iter().for_each(|point| println!("{point}: {}", point.count));
        return kills.end().map(drop);
    }
    let begun = Instant::now();
    let (mut killed, mut names) = (0, 0);
    for point in points.iter().filter(|point| point.first || !arguments.once) {
        names += u64::from(point.first);
        for count in 1..=if arguments.once { 1 } else { point.count.min(PASSINGS) } {
            killed += u64::from(kills.at(point, count)?);
        }
    }
    ensure!(killed >= names, "only {killed} kills at {names} points");
    kills.once_it_answered()?;
    eprintln!("{killed} kills at {names} points in {:.0?}", begun.elapsed());
    let random = kills.at_random(arguments.random)?;
    let (all, recovering) = (kills.killed, kills.recovering);
    let account = kills.end()?;
    eprintln!("{all} kills in {:.0?}", begun.elapsed());
    let first_day = first_day(if arguments.once { 5 } else { 1 })?;
    eprintln!("{first_day} kills of a first day in {:.0?}", begun.elapsed());
    let forge = around_requests(arguments.once)?;
    println!(
        "{} kills: {killed} at {names} points, {} at random points and {} at random moments, {recovering} of a \
         recovery, {first_day} on a first day, {forge} around requests to a forge; {} leaves, {} authorized, {} \
         healthy, seed {}, {:.0?}",
        all + first_day + forge,
        random.points,
        random.moments,
        account.leaves,
        account.authorized,
        account.healthy,
        arguments.seed,
        begun.elapsed()
    );
    Ok(())
}

/// Kills at every so-manieth point of a first day; returns how often.
fn first_day(every: usize) -> Result<u64> {
    let mut killed = 0;
    for count in (1..).step_by(every) {
        if !on_the_first_day(count)? {
            break;
        }
        killed += 1;
    }
    Ok(killed)
}

/// Kills before and after each request that the path of a change makes to a Gitea; returns how often.
fn around_requests(writes: bool) -> Result<u64> {
    let mut forge = OnGitea::start(5)?;
    for handed_on in [false, true] {
        for at in 1.. {
            if !forge.dies_at(Stop { at, writes, handed_on })? {
                break;
            }
        }
    }
    let killed = forge.killed;
    forge.end()?;
    Ok(killed)
}
