//! The log: its checkpoint, its newest leaf, and how far it is settled.

use countersign_core::keys;
use countersign_core::ports::store;
use countersign_core::time::Timestamp;
use countersign_ledger::view::View;
use countersign_local::store::LocalStore;

use super::finding::Findings;
use crate::commands::reading::{Installation, parsed};
use crate::installation::now;

/// How far the clocks of what writes and of this machine may be apart.
const SKEW: std::time::Duration = std::time::Duration::from_secs(60);

/// Looks at the edge of the log; gives it, if it can be believed. `countersign audit verify` looks at all of it.
pub async fn look<'a>(
    installation: &'a Installation,
    findings: &mut Findings,
) -> Option<View<'a, LocalStore>> {
    let origin = &installation.genesis.origin;
    let restore = "restore the database from a backup, and verify it: countersign audit verify --data DIR";
    let mut view = match installation.log().await {
        Ok(view) => view,
        Err(error) => {
            findings.bad("log", origin, format!("{error:#}"), restore);
            return None;
        }
    };
    let size = view.size();
    let Some(last) = size.checked_sub(1) else {
        findings.bad(
            "log",
            origin,
            "it is empty",
            "start countersign serve once, which writes the first leaf",
        );
        return None;
    };
    match view.leaf(last).await.map_err(anyhow::Error::from).and_then(|bytes| parsed(last, &bytes)) {
        Ok(leaf) => {
            findings.good("log", origin, format!("{size} leaves, and the newest is under its checkpoint"));
            clock(leaf.time, now(), findings);
        }
        Err(error) => {
            findings.bad("log", origin, format!("{error:#}"), restore);
            return None;
        }
    }
    settled(installation, size, findings).await;
    Some(view)
}

/// What was written in the future was written by another clock, or this one was put back.
pub fn clock(newest: Timestamp, now: Timestamp, findings: &mut Findings) {
    if newest > now.plus(SKEW) {
        let what = format!("the newest leaf is of {newest}, and it is {now} here");
        let mend = "set the clock (NTP): authorizations are valid for minutes, and clusters refuse what is not yet valid";
        findings.bad("clock", "this machine", what, mend);
    } else {
        findings.good("clock", "this machine", "not behind the newest leaf");
    }
}

async fn settled(installation: &Installation, size: u64, findings: &mut Findings) {
    match store::get_json::<u64>(&installation.store, keys::SETTLED).await {
        Ok(settled) if settled == Some(size) => {
            findings.good("log", "settled", "every leaf had its consequences");
        }
        Ok(settled) => {
            let settled = settled.unwrap_or_default();
            let what = format!("{} leaves wait for their consequences", size.saturating_sub(settled));
            let mend = "start serve, or read in its log why record does not go on";
            findings.warn("log", "settled", what, mend);
        }
        Err(error) => {
            findings.bad("log", "settled", error.to_string(), "restore the database from a backup");
        }
    }
}
