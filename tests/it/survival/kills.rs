//! The short form of the kill test: each point once, and a few random ones. `countersign-kills` is the long one.

use anyhow::{Result, ensure};
use countersign_tests::survival::kills::{Kills, Point, on_the_first_day};
use countersign_tests::survival::on_gitea::OnGitea;
use countersign_tests::survival::proxy::Stop;

/// How many installations die at the same time.
const WORLDS: usize = 2;

/// How many kills at random points each of them takes, and at random moments.
const RANDOM: u64 = 3;

#[test]
fn a_server_that_dies_anywhere_loses_nothing_and_does_nothing_twice() -> Result<()> {
    let mut first = Kills::new(1)?;
    let points: Vec<_> = first.points()?.into_iter().filter(|point| point.first).collect();
    // Too few would mean that they are not passed any more, and that nothing is tested.
    ensure!(points.len() > 80, "only {} points are passed: {points:?}", points.len());
    let share = |number: usize| points.iter().skip(number).step_by(WORLDS);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..WORLDS)
            .map(|number| {
                let seed = u64::try_from(number).unwrap_or_default();
                scope.spawn(move || die(Kills::new(1 + seed)?, share(number)))
            })
            .collect();
        die(first, share(0))?;
        others.into_iter().try_for_each(|other| other.join().map_err(|_| anyhow::anyhow!("it panicked"))?)
    })
}

fn die<'a>(mut kills: Kills, points: impl Iterator<Item = &'a Point>) -> Result<()> {
    for point in points {
        kills.at(point, 1)?;
    }
    ensure!(kills.killed > 30, "{} kills at points", kills.killed);
    kills.once_it_answered()?;
    kills.at_random(RANDOM)?;
    kills.end().map(drop)
}

#[test]
fn a_server_that_dies_around_what_it_tells_a_forge_tells_it_once() -> Result<()> {
    let mut forge = OnGitea::start(5)?;
    for (at, handed_on) in [(1, true), (2, false), (3, true)] {
        ensure!(forge.dies_at(Stop { at, writes: true, handed_on })?, "Gitea is told less than {at} times");
    }
    // What is read, and what is fetched.
    for (at, handed_on) in [(4, true), (11, false)] {
        ensure!(forge.dies_at(Stop { at, writes: false, handed_on })?, "Gitea is asked less than {at} times");
    }
    forge.end().map(drop)
}

#[test]
fn a_server_that_dies_on_its_first_day_begins_once() -> Result<()> {
    for count in [4, 12] {
        ensure!(on_the_first_day(count)?, "it passes less than {count} points");
    }
    Ok(())
}
