use super::*;
use crate::testing::Place;

#[test]
fn what_is_no_statement_is_skipped_with_the_reason() {
    let place = Place::new();
    let write = |name: &str, bytes: &[u8]| {
        let blob = place.git.blob(bytes).unwrap();
        place.git.reference(&format!("{STATEMENTS}{name}"), blob, false, "").unwrap();
    };
    let named = |bytes: &[u8]| write(&Digest::of(bytes).hex(), bytes);
    let signed = |repository: &str, nonce: &str| {
        format!(
            "{{\"v\":1,\"repository\":\"{repository}\",\"time\":\"2026-11-20T22:00:00Z\",\"nonce\":\"{nonce}\",\"says\":{{\"kind\":\"approve\",\"head\":\"{}\"}}}}\n-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n",
            "1".repeat(40)
        )
    };
    named(signed("local/shop", "1").as_bytes());
    named(signed("local/shop", "2").as_bytes());
    named(signed("local/other", "1").as_bytes());
    named(b"no statement");
    named(&vec![b'a'; MAX_STATEMENT + 1]);
    write("misnamed", signed("local/shop", "3").as_bytes());
    let commit = place.commit(&[], &[("a", "a")]);
    place.point(&format!("{STATEMENTS}{}", "0".repeat(64)), &commit);
    let found = place.open().statements(&"local/shop".parse().unwrap()).unwrap();
    let nonces: std::collections::BTreeSet<_> =
        found.found.iter().map(|statement| statement.claims().unwrap().nonce).collect();
    assert_eq!(nonces, ["1".to_owned(), "2".to_owned()].into());
    let reasons: Vec<_> = found.skipped.iter().map(|(_, reason)| reason.as_str()).collect();
    for wanted in
        ["speaks of local/other", "not a statement", "at most", "not the SHA-256", "a commit, not a blob"]
    {
        assert_eq!(
            reasons.iter().filter(|reason| reason.contains(wanted)).count(),
            1,
            "{wanted}: {reasons:?}"
        );
    }
}

#[test]
fn a_repository_without_statements_has_none() {
    let place = Place::new();
    let found = place.open().statements(&"local/shop".parse().unwrap()).unwrap();
    assert!(found.found.is_empty() && found.skipped.is_empty());
}
