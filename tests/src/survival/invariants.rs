//! What must hold of an installation once everything has settled, however often it died on the way.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use countersign_cluster::inventory;
use countersign_core::leaf::{DecisionRecord, Disposition, Leaf, Record};
use countersign_core::names::{AttemptId, Target};
use countersign_core::outcome::OutcomeResult;
use countersign_core::ports::cluster::Cluster;
use countersign_local::database::Database;
use countersign_local::simulated::SimulatedCluster;

use super::development::at_once;
use crate::installation::Installation;

/// What an installation's log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its leaves.
    pub leaves: usize,
    /// What was authorized for a cluster.
    pub authorized: usize,
    /// What of that became healthy.
    pub healthy: usize,
}

/// How often an attempt may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Exactly once.
    Once,
    /// Exactly once, or failed and then exactly once: a message that comes again after its failure was recorded, as
    /// a kill makes it come, may succeed.
    OnceAfterFailures,
    /// Also twice: where a call fails after it took effect, what failed is tried again and may succeed.
    AlsoAgain,
}

/// Checks the whole log against itself, and the simulated cluster against the log.
///
/// # Errors
/// Says what does not hold.
pub fn check(installation: &Installation, allowed: Ends) -> Result<Account> {
    let audit = installation.json(&["audit", "verify", "--data", "data"])?;
    ensure!(audit["clean"] == true, "the log does not verify: {audit}");
    account(installation, allowed)
}

/// As [`check`], without verifying the log.
///
/// # Errors
/// Says what does not hold.
pub fn account(installation: &Installation, allowed: Ends) -> Result<Account> {
    let leaves = leaves(installation)?;
    let (account, authorized) = followed(&leaves, allowed)?;
    of_the_cluster(installation, &authorized)?;
    Ok(account)
}

/// Whether no queue holds anything.
///
/// # Errors
/// When there are dead letters.
pub fn is_drained(installation: &Installation) -> Result<bool> {
    let status = installation.status()?;
    let dead = status["deadLetters"].as_array().map_or(0, Vec::len);
    ensure!(dead == 0, "there are dead letters: {status}");
    let queues = status["queues"].as_array().context("status has no queues")?;
    Ok(queues.iter().all(|queue| ["visible", "inFlight", "delayed"].iter().all(|state| queue[state] == 0)))
}

/// Checks that a cluster holds what the newest leaf authorized, of every target that is there.
///
/// # Errors
/// Says what does not hold, or why the cluster cannot be read.
pub async fn of_a_cluster(cluster: &impl Cluster, name: &str, leaves: &[(u64, Leaf)]) -> Result<()> {
    holds(cluster, name, &followed(leaves, Ends::AlsoAgain)?.1).await
}

/// Checks the leaves of a log, the oldest first, against each other.
///
/// # Errors
/// Says what does not hold.
pub fn of_log(leaves: &[(u64, Leaf)], allowed: Ends) -> Result<Account> {
    Ok(followed(leaves, allowed)?.0)
}

/// What was authorized for a cluster, by attempt, with the index of its leaf.
type Authorized<'a> = BTreeMap<AttemptId, (u64, &'a DecisionRecord)>;

fn followed(leaves: &[(u64, Leaf)], allowed: Ends) -> Result<(Account, Authorized<'_>)> {
    let mut authorized = Authorized::new();
    let mut ends: BTreeMap<AttemptId, Vec<&OutcomeResult>> = BTreeMap::new();
    for (index, leaf) in leaves {
        match &leaf.record {
            Record::Decision(record) if goes_to_a_cluster(record) => {
                let before = authorized.insert(record.attempt, (*index, record));
                ensure!(before.is_none(), "attempt {} was authorized twice", record.attempt);
            }
            Record::Outcome(record) => {
                ensure!(authorized.contains_key(&record.attempt), "leaf {index}: an outcome of nothing");
                let ends = ends.entry(record.attempt).or_default();
                ends.extend(Some(&record.result).filter(|result| **result != OutcomeResult::Applied));
            }
            Record::Rejected(record) => anyhow::bail!("leaf {index}: rejected: {}", record.reason),
            Record::Decision(_) | Record::Genesis(_) | Record::Rotation(_) => {}
        }
    }
    for (attempt, (index, _)) in &authorized {
        let ends = ends.get(attempt).map(Vec::as_slice).unwrap_or_default();
        let (before, last) = ends.split_at(ends.len().saturating_sub(1));
        let may_come_before = |end: &&OutcomeResult| match allowed {
            Ends::Once => false,
            Ends::OnceAfterFailures => **end == OutcomeResult::Failed,
            Ends::AlsoAgain => true,
        };
        ensure!(
            !last.is_empty() && before.iter().all(may_come_before),
            "the attempt of leaf {index} ended {} times: {ends:?}",
            ends.len()
        );
    }
    let healthy = ends.values().filter(|ends| ends.contains(&&OutcomeResult::Healthy)).count();
    Ok((Account { leaves: leaves.len(), authorized: authorized.len(), healthy }, authorized))
}

/// Every leaf, the oldest first.
///
/// # Errors
/// When the log cannot be read.
pub fn leaves(installation: &Installation) -> Result<Vec<(u64, Leaf)>> {
    let mut leaves = Vec::new();
    for entry in installation.history()?.into_iter().rev() {
        let index = entry["index"].as_u64().context("an entry has no index")?;
        leaves.push((index, serde_json::from_value(entry["leaf"].clone())?));
    }
    Ok(leaves)
}

fn goes_to_a_cluster(record: &DecisionRecord) -> bool {
    record.disposition == Disposition::Authorized && record.manifest.is_some()
}

/// What the simulated cluster holds is what the newest leaf authorized, of every target.
fn of_the_cluster(installation: &Installation, authorized: &Authorized<'_>) -> Result<()> {
    let database = Database::open_read_only(&installation.data())?;
    let cluster = SimulatedCluster::kept(&database, &"local".parse()?);
    at_once(holds(&cluster, "local", authorized))?
}

async fn holds(cluster: &impl Cluster, name: &str, authorized: &Authorized<'_>) -> Result<()> {
    let targets: BTreeSet<&Target> = authorized.values().map(|(_, record)| &record.target).collect();
    for target in targets.into_iter().filter(|target| target.cluster.as_str() == name) {
        let held = inventory::read(cluster, target).await.map_err(|failure| anyhow::anyhow!("{failure}"))?;
        let held = held.with_context(|| format!("{target}: nothing was applied"))?;
        let leaf = authorized.get(&held.attempt).map(|(index, record)| (*index, record.manifest));
        ensure!(
            leaf == Some((held.sequence.index, Some(held.manifest))),
            "{target}: attempt {} was applied and the log has no such leaf",
            held.attempt
        );
        let newest =
            authorized.values().filter(|(_, record)| record.target == *target).map(|(index, _)| *index).max();
        ensure!(newest == Some(held.sequence.index), "{target}: leaf {newest:?} was never applied");
    }
    Ok(())
}
