//! Many pushes at once end in the last state of each repository, in order.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use countersign_core::leaf::{Disposition, Record};
use countersign_tests::survival::development::Development;
use countersign_tests::survival::invariants::{self, Ends};
use countersign_tests::survival::pushes::Pusher;

const REPOSITORIES: usize = 50;
const PUSHES: u64 = 200;

#[test]
fn two_hundred_pushes_to_one_repository_and_fifty_repositories_at_once() -> Result<()> {
    let mut world = Development::start(REPOSITORIES)?;
    let pushed = push_to_all(&world)?;
    for (name, commits) in &pushed {
        world.until_runs(name, commits.last().context("each was pushed to")?)?;
        let greeting = &world.object(name, "v1", "ConfigMap")?["data"]["greeting"];
        ensure!(greeting == format!("push {}", commits.len()).as_str(), "{name} greets with {greeting}");
    }
    world.installation.stop()?;
    invariants::check(&world.installation, Ends::Once)?;
    in_order(&world, &pushed)
}

/// Pushes 200 times to the first repository, and meanwhile once to each other; returns the commits of each.
fn push_to_all(world: &Development) -> Result<BTreeMap<String, Vec<String>>> {
    let (first, others) = world.applications().split_first().context("there are repositories")?;
    let push = |name: &str, times: u64| {
        let mut pusher = Pusher::new(&world.installation, name);
        let commits = (1..=times).map(|number| pusher.push(&format!("push {number}")));
        Ok::<_, anyhow::Error>((name.to_owned(), commits.collect::<Result<Vec<_>>>()?))
    };
    std::thread::scope(|scope| {
        let many = scope.spawn(|| push(first, PUSHES));
        let mut all = BTreeMap::new();
        // All of them are told at once, each by its own connection.
        let once: Vec<_> = others.iter().map(|name| scope.spawn(|| push(name, 1))).collect();
        for pushing in once.into_iter().chain([many]) {
            let (name, commits) = pushing.join().map_err(|_| anyhow::anyhow!("a push panicked"))??;
            all.insert(name, commits);
        }
        Ok(all)
    })
}

/// What was authorized for each target came in the order in which it was pushed.
fn in_order(world: &Development, pushed: &BTreeMap<String, Vec<String>>) -> Result<()> {
    let leaves = invariants::leaves(&world.installation)?;
    for (name, commits) in pushed {
        let target = Development::target(name)?;
        let places: Vec<_> = leaves
            .iter()
            .filter_map(|(_, leaf)| match &leaf.record {
                Record::Decision(record)
                    if record.target == target && record.disposition == Disposition::Authorized =>
                {
                    commits.iter().position(|commit| commit == record.commit.as_str())
                }
                _ => None,
            })
            .collect();
        ensure!(places.is_sorted(), "{name}: authorized out of order: {places:?}");
        ensure!(
            places.last() == Some(&(commits.len() - 1)),
            "{name}: the last was not authorized: {places:?}"
        );
    }
    Ok(())
}
