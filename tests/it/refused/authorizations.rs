//! Authorizations that are not what they should be: `apply` refuses each, says why, and writes nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_cluster::keep;
use countersign_core::authorization::{AuthorizationStatement, LIFETIME, PAYLOAD_TYPE, ProvenAuthorization};
use countersign_core::digest::canonical_json;
use countersign_core::outcome::{Check, OutcomeResult};
use countersign_core::ports::signer::Algorithm;
use countersign_core::time::Timestamp;
use countersign_ledger::note::NoteKey;
use countersign_ledger::{dsse, log};
use countersign_local::database::Database;
use countersign_local::key_file::KeyFile;
use countersign_local::store::LocalStore;
use rand_core::OsRng;

use super::stopped::{Presented, Stopped};

/// The bytes of an authorization as they are stored.
fn bytes(proven: &ProvenAuthorization) -> Result<Vec<u8>> {
    Ok(canonical_json(proven)?)
}

fn statement(proven: &ProvenAuthorization) -> Result<AuthorizationStatement> {
    Ok(serde_json::from_slice(&STANDARD.decode(&proven.envelope.payload)?)?)
}

#[track_caller]
fn expect(what: &str, presented: &Presented, check: Check) {
    let Presented { outcome, touched } = presented;
    assert_eq!(outcome.result, OutcomeResult::Refused { check }, "{what}: {}", outcome.summary);
    assert!(!outcome.summary.is_empty() && !touched, "{what}: the cluster was written to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_false_authorization_is_refused_and_nothing_is_written() -> Result<()> {
    let stopped = tokio::task::spawn_blocking(Stopped::new).await??;
    let records = stopped.authorized();
    let [first, .., newest] = records.as_slice() else { anyhow::bail!("staging was not authorized twice") };
    let good = stopped.authorization(&newest.attempt).await?;
    let said = statement(&good)?;
    let uid = said.predicate.audience.clone();
    let now = said.predicate.not_before.plus(Duration::from_secs(90));
    let signer = stopped.key("authorization", Algorithm::EcdsaP256Sha256)?;
    let present = async |name: &str, proven: &ProvenAuthorization, now: Timestamp| -> Result<Presented> {
        let cluster = stopped.cluster(name, &uid).await?;
        stopped.present(&cluster, name, newest.attempt, &bytes(proven)?, now).await
    };

    let late = said.predicate.not_after.plus(Duration::from_secs(1));
    ensure!(late.since(said.predicate.not_before) > LIFETIME, "it would be valid for too short");
    expect("expired", &present("expired", &good, late).await?, Check::Time);
    let early = Timestamp::from_millis(said.predicate.not_before.as_millis() - 1);
    expect("not valid yet", &present("early", &good, early).await?, Check::Time);

    let elsewhere = stopped.cluster("elsewhere", "another-cluster").await?;
    let presented = stopped.present(&elsewhere, "elsewhere", newest.attempt, &bytes(&good)?, now).await?;
    expect("for another cluster", &presented, Check::Audience);

    let mut altered = STANDARD.decode(&good.envelope.payload)?;
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let mut proven = good.clone();
    proven.envelope.payload = STANDARD.encode(altered);
    expect("altered by one byte", &present("altered", &proven, now).await?, Check::Signature);

    let folder = tempfile::tempdir()?;
    let other = KeyFile::generate(&folder.path().join("key.pem"), Algorithm::EcdsaP256Sha256, &mut OsRng)?;
    let payload = STANDARD.decode(&good.envelope.payload)?;
    let envelope = dsse::sign(&other, PAYLOAD_TYPE, &payload).await?;
    let proven = ProvenAuthorization { envelope, proof: good.proof.clone() };
    expect("signed by another key", &present("key", &proven, now).await?, Check::Signature);

    let envelope = dsse::sign(&signer, "application/json", &payload).await?;
    let proven = ProvenAuthorization { envelope, proof: good.proof.clone() };
    expect("of another type", &present("type", &proven, now).await?, Check::Type);

    let proven = ProvenAuthorization { proof: String::new(), ..good.clone() };
    expect("without proof", &present("proofless", &proven, now).await?, Check::Shape);
    let before = stopped.authorization(&first.attempt).await?;
    let proven = ProvenAuthorization { proof: before.proof.clone(), ..good.clone() };
    expect("with the proof of another leaf", &present("proof", &proven, now).await?, Check::Inclusion);

    // A thief of the signing key alone: signed well, for a leaf that is in the log, and is a denial.
    let (index, denial) = stopped.denied()?;
    let key = NoteKey::log(&stopped.genesis.origin, &stopped.genesis.log_key)?;
    let mut view = log::open(&stopped.store, &[key]).await?.context("there is a log")?;
    let mut forged = said.clone();
    forged.predicate.leaf = STANDARD.encode(view.leaf(*index).await?);
    forged.predicate.attempt = denial.attempt;
    forged.predicate.commit = denial.commit.clone();
    forged.predicate.tree = denial.tree.clone();
    forged.predicate.sequence.index = *index;
    let envelope = dsse::sign(&signer, PAYLOAD_TYPE, &canonical_json(&forged)?).await?;
    let proven = ProvenAuthorization { envelope, proof: view.prove(*index).await?.to_string() };
    expect("of a denial", &present("denial", &proven, now).await?, Check::Leaf);

    // The same for a leaf that the log does not hold at all.
    let mut forged = said.clone();
    let leaf = String::from_utf8(STANDARD.decode(&said.predicate.leaf)?)?;
    forged.predicate.leaf = STANDARD.encode(leaf.replace("Allowed", "allowed"));
    let envelope = dsse::sign(&signer, PAYLOAD_TYPE, &canonical_json(&forged)?).await?;
    let proven = ProvenAuthorization { envelope, proof: good.proof.clone() };
    expect("of a leaf that is not in the log", &present("unlogged", &proven, now).await?, Check::Inclusion);

    // The good one is applied; after it, the one before is out of sequence, and the same is good at any time.
    let cluster = stopped.cluster("good", &uid).await?;
    let applied = stopped.present(&cluster, "good", newest.attempt, &bytes(&good)?, now).await?;
    ensure!(
        applied.outcome.result == OutcomeResult::Applied && applied.touched,
        "{}",
        applied.outcome.summary
    );
    let presented = stopped.present(&cluster, "good", first.attempt, &bytes(&before)?, now).await?;
    expect("out of sequence", &presented, Check::Sequence);
    let again = stopped.present(&cluster, "good", newest.attempt, &bytes(&good)?, late).await?;
    ensure!(again.outcome.result == OutcomeResult::Applied, "{}", again.outcome.summary);
    forked_log(&stopped, &uid, &good, now).await
}

/// The log's own key signed another history, which the cluster saw: nothing of this log is believed there.
async fn forked_log(stopped: &Stopped, uid: &str, good: &ProvenAuthorization, now: Timestamp) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let other = LocalStore::new(&Database::open(folder.path())?);
    let signer = stopped.key("log", Algorithm::Ed25519)?;
    let leaves: Vec<_> = (0..100).map(|number| format!("{{\"leaf\":{number}}}").into_bytes()).collect();
    for (name, count) in [("longer", 100), ("shorter", 2)] {
        let fork = log::append(&other, &signer, &stopped.genesis.origin, &leaves[..count], None).await;
        let cluster = stopped.cluster(name, uid).await?;
        let checkpoint = match fork {
            Ok(appended) => appended.checkpoint.text().to_owned(),
            Err(error) => anyhow::bail!("{name}: {error}"),
        };
        ensure!(keep::keep_checkpoint(&cluster, &checkpoint, None).await?, "it is not kept");
        let newest = stopped.authorized().last().context("nothing was authorized")?.attempt;
        let presented = stopped.present(&cluster, name, newest, &bytes(good)?, now).await?;
        expect(name, &presented, Check::Consistency);
    }
    Ok(())
}
