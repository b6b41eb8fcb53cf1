//! Deciding again: the same facts, bundle and engine give the same decision, or the record is not what it says.

use anyhow::Context as _;
use countersign_core::bundle::BundleSource;
use countersign_core::decision::Decision;
use countersign_core::digest::Digest;
use countersign_core::facts::{Facts, Operation, Render};
use countersign_core::keys;
use countersign_core::ports::store::Store as _;
use countersign_local::store::LocalStore;
use countersign_policy::bundle::Bundle;
use countersign_policy::replay::replay;
use countersign_provenance::signatures::verify_signatures;

/// What came of deciding again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// The same decision, byte for byte.
    Same,
    /// Another one: how it differs.
    Different(String),
    /// It could not be tried: what is missing.
    Impossible(String),
}

/// Decides again on the facts of `recorded`, under its bundle.
///
/// # Errors
/// When the store cannot be read.
pub async fn again(store: &LocalStore, recorded: &Decision) -> anyhow::Result<Replayed> {
    let key = keys::facts(&recorded.attempt);
    let Some(stored) = store.get(&key).await? else {
        return Ok(Replayed::Impossible("the facts were deleted".to_owned()));
    };
    let digest = Digest::of(&stored.bytes);
    if digest != recorded.facts {
        return Ok(Replayed::Different(format!(
            "the stored facts are {digest}, the decision cites {}",
            recorded.facts
        )));
    }
    let mut facts: Facts = match serde_json::from_slice(&stored.bytes) {
        Ok(facts) => facts,
        Err(error) => return Ok(Replayed::Impossible(format!("the facts are of another release: {error}"))),
    };
    let configuration = store.get(&keys::bundle_configuration(&recorded.bundle)).await?;
    let policies = store.get(&keys::bundle_policies(&recorded.bundle)).await?;
    let (Some(configuration), Some(policies)) = (configuration, policies) else {
        return Ok(Replayed::Impossible(format!("bundle {} is not in the store", recorded.bundle)));
    };
    let bundle = match Bundle::from_stored(&recorded.bundle, &configuration.bytes, &policies.bytes) {
        Ok(bundle) => bundle,
        Err(error) => return Ok(Replayed::Impossible(error.to_string())),
    };
    compile_new(store, &mut facts).await?;
    let signatures = verify_signatures(&facts, bundle.configuration());
    Ok(match replay(&bundle, &facts, digest, &signatures, recorded) {
        Ok(()) => Replayed::Same,
        Err(difference) => Replayed::Different(difference.to_string()),
    })
}

/// A bundle that asks to become active is compiled by `evaluate`, and denied with its mistakes; so here.
async fn compile_new(store: &LocalStore, facts: &mut Facts) -> anyhow::Result<()> {
    let Some(digest) = facts.change.new_bundle.filter(|_| facts.change.operation == Operation::Activate)
    else {
        return Ok(());
    };
    let key = keys::bundle_source(&digest);
    let source = store.get(&key).await?.with_context(|| format!("{key}: not in the store"))?;
    if let Err(problems) = Bundle::from_source(&BundleSource::from_bytes(&source.bytes)?) {
        facts.render = Render::Failed { problems };
    }
    Ok(())
}
