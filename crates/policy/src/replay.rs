//! Replay: the same facts, bundle and engine give the same decision, or there is something to explain.

use countersign_core::decision::Decision;
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::facts::Facts;
use countersign_core::signatures::VerifiedSignatures;
use serde_json::Value;

use crate::bundle::Bundle;
use crate::decide::{Mode, decide};
use crate::engine::ENGINE;

/// A decision that did not come out the same.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Difference {
    /// Another engine made it.
    #[error(
        "the decision was made by {recorded}, and this is {ENGINE}: replay it with the release of that time"
    )]
    Engine {
        /// The engine that made it.
        recorded: String,
    },
    /// A field came out differently.
    #[error("{field}: recorded {recorded}, replayed {replayed}")]
    Field {
        /// The JSON pointer of the first field that differs.
        field: String,
        /// What the record says.
        recorded: String,
        /// What the replay says.
        replayed: String,
    },
    /// A decision that has no JSON.
    #[error("the decision cannot be compared: {0}")]
    Unreadable(String),
}

/// Makes `recorded` again.
///
/// # Errors
/// The first difference.
pub fn replay(
    bundle: &Bundle,
    facts: &Facts,
    facts_digest: Digest,
    signatures: &VerifiedSignatures,
    recorded: &Decision,
) -> Result<(), Difference> {
    if recorded.engine != ENGINE {
        return Err(Difference::Engine { recorded: recorded.engine.clone() });
    }
    let mode = if recorded.preview { Mode::Preview } else { Mode::Enforce };
    compare(recorded, &decide(bundle, facts, facts_digest, signatures, mode))
}

/// Compares two decisions byte for byte, and names the first field that differs.
fn compare(recorded: &Decision, replayed: &Decision) -> Result<(), Difference> {
    let unreadable = |error: serde_json::Error| Difference::Unreadable(error.to_string());
    if canonical_json(recorded).map_err(unreadable)? == canonical_json(replayed).map_err(unreadable)? {
        return Ok(());
    }
    let recorded = serde_json::to_value(recorded).map_err(unreadable)?;
    let replayed = serde_json::to_value(replayed).map_err(unreadable)?;
    let (field, recorded, replayed) = first_difference("", &recorded, &replayed)
        .unwrap_or_else(|| (String::new(), recorded.to_string(), replayed.to_string()));
    Err(Difference::Field { field, recorded, replayed })
}

fn first_difference(at: &str, one: &Value, other: &Value) -> Option<(String, String, String)> {
    if one == other {
        return None;
    }
    let deeper = match (one, other) {
        (Value::Object(one), Value::Object(other)) => one
            .keys()
            .chain(other.keys())
            .find_map(|key| first_difference(&format!("{at}/{key}"), one.get(key)?, other.get(key)?)),
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => one
            .iter()
            .zip(other)
            .enumerate()
            .find_map(|(index, (one, other))| first_difference(&format!("{at}/{index}"), one, other)),
        _ => None,
    };
    deeper.or_else(|| Some((at.to_owned(), one.to_string(), other.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use serde_json::json;

    #[test]
    fn a_decision_is_replayed_from_stored_facts_and_a_stored_bundle() {
        let bundle = fixture::bundle();
        let facts = fixture::facts(*bundle.digest());
        let (digest, signatures) = (Digest::of(b"facts"), VerifiedSignatures::default());
        let stored = bundle.to_stored().unwrap();
        let again = Bundle::from_stored(bundle.digest(), &stored.configuration, &stored.policies).unwrap();
        let reread: Facts = serde_json::from_slice(&serde_json::to_vec(&facts).unwrap()).unwrap();
        for mode in [Mode::Enforce, Mode::Preview] {
            let recorded = decide(&bundle, &facts, digest, &signatures, mode);
            let recorded: Decision = serde_json::from_slice(&serde_json::to_vec(&recorded).unwrap()).unwrap();
            assert_eq!(replay(&again, &reread, digest, &signatures, &recorded), Ok(()));
        }
    }

    #[test]
    fn a_decision_that_was_tampered_with_is_found_out() {
        let bundle = fixture::bundle();
        let facts = fixture::facts(*bundle.digest());
        let (digest, signatures) = (Digest::of(b"facts"), VerifiedSignatures::default());
        let mut recorded = decide(&bundle, &facts, digest, &signatures, Mode::Enforce);
        recorded.approvals[0].counts = false;
        let found = replay(&bundle, &facts, digest, &signatures, &recorded).unwrap_err().to_string();
        assert_eq!(found, "/approvals/0/counts: recorded false, replayed true");
        recorded.engine = "regorus 0.9.0".into();
        let found = replay(&bundle, &facts, digest, &signatures, &recorded).unwrap_err();
        assert!(matches!(found, Difference::Engine { .. }));
    }

    #[test]
    fn the_first_difference_is_named() {
        let one = json!({"a": [{"b": 1}, {"b": 2}], "c": 1});
        let other = json!({"a": [{"b": 1}, {"b": 3}], "c": 2});
        let (field, recorded, replayed) = first_difference("", &one, &other).unwrap();
        assert_eq!((field.as_str(), recorded.as_str(), replayed.as_str()), ("/a/1/b", "2", "3"));
        assert_eq!(first_difference("", &one, &one), None);
        assert_eq!(first_difference("", &json!({"a": 1}), &json!({"a": 1, "b": 2})).unwrap().0, "");
    }
}
