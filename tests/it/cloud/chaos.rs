//! The short form of what `make soak` does for longer.

use anyhow::{Result, ensure};
use countersign_tests::cloud::chaos::{Chaos, run};
use countersign_tests::cloud::gateway::faults::Fate;

#[test]
fn everything_that_goes_wrong_is_mended() -> Result<()> {
    let survived = run(&Chaos { changes: 8, seed: 1 })?;
    ensure!(!survived.kills.is_empty() && survived.account.healthy > 0, "{survived:?}");
    let happened = |service: &str, fates: &[Fate]| {
        let is_so =
            |(_, call, fate): &(String, String, Fate)| call.starts_with(service) && fates.contains(fate);
        survived.suffered.keys().any(is_so)
    };
    ensure!(happened("kms.Sign", &[Fate::Denied]), "KMS denied nothing: {survived:?}");
    // Throttled or out of order, S3 answers with 503; a conflict is a 409.
    let unavailable = [Fate::Throttled, Fate::Failed, Fate::DoneAndFailed];
    ensure!(happened("s3.", &unavailable), "S3 never answered 503: {survived:?}");
    ensure!(happened("s3.PutObject", &[Fate::Conflicted]), "no write met another: {survived:?}");
    ensure!(survived.repeated > 0, "no batch came twice: {survived:?}");
    ensure!(happened("", &[Fate::DoneAndSilent]), "every call was answered: {survived:?}");
    Ok(())
}
