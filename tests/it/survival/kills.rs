//! The short form of the kill test: each point once, and a few random moments. `countersign-kills` is the long one.

use anyhow::{Result, ensure};
use countersign_tests::survival::kills::{Kills, Point};

/// How many installations die at the same time.
const WORLDS: usize = 2;

/// How many kills at random each of them takes.
const RANDOM: u64 = 5;

#[test]
fn a_server_that_dies_anywhere_loses_nothing_and_does_nothing_twice() -> Result<()> {
    let mut first = Kills::new(1)?;
    let points = first.points()?;
    // Too few would mean that they are not passed any more, and that nothing is tested.
    ensure!(points.len() > 60, "only {} points are passed: {points:?}", points.len());
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
    let at_points = kills.killed;
    for _ in 0..RANDOM {
        kills.at_any_point(300)?;
        kills.anywhere()?;
    }
    ensure!(at_points > 25 && kills.killed > at_points, "{} kills, {at_points} at points", kills.killed);
    kills.end().map(drop)
}
