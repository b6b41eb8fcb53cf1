//! What tests of commands share.

use countersign_core::digest::Digest;
use countersign_core::ports::signer::PublicKey;
use countersign_core::time::Timestamp;
use countersign_ledger::genesis::{GENESIS_VERSION, Genesis};
use serde_json::json;

/// The genesis of a log of this origin, with its root key, log key and authorization key.
pub fn genesis(origin: &str, [root, log, authorization]: [&PublicKey; 3]) -> Genesis {
    let control = json!({ "repository": "local/control", "reference": "refs/heads/main" });
    Genesis {
        v: GENESIS_VERSION,
        origin: origin.to_owned(),
        epoch: 1,
        root_key: root.clone(),
        log_key: log.clone(),
        authorization_key: authorization.clone(),
        hosts: [].into(),
        control: serde_json::from_value(control).unwrap(),
        commit: "1".repeat(40).parse().unwrap(),
        bundle: Digest::of(b"bundle"),
        created: Timestamp::default(),
    }
}
