use countersign_core::ports::signer::Signer as _;

use super::*;
use crate::testing::{ORIGIN, TestSigner, world};

fn witness(number: u8) -> NoteKey {
    NoteKey::witness("witness.example", TestSigner::ed25519(number).public_key()).unwrap()
}

fn trust(witnesses: Witnesses) -> Trust {
    let genesis = world::genesis(&TestSigner::ed25519(1), &TestSigner::p256(1));
    Trust::new(&Epochs::new(&genesis), world::AUDIENCE, witnesses)
}

fn read(trust: &Trust) -> Result<Trust, LedgerError> {
    Trust::parse(&serde_json::to_vec(trust).unwrap())
}

#[test]
fn trust_reads_back_what_was_installed() {
    let trust = trust(Witnesses { required: 1, keys: vec![witness(2), witness(3)] });
    assert_eq!(read(&trust).unwrap(), trust);
    assert_eq!(trust.checkpoint_keys().unwrap(), [NoteKey::log(ORIGIN, &trust.log_key).unwrap()]);
}

#[test]
fn trust_that_can_never_be_met_or_is_not_understood_is_refused() {
    let log = TestSigner::ed25519(1).note_key();
    assert!(read(&trust(Witnesses { required: 2, keys: vec![witness(2)] })).is_err());
    assert!(read(&trust(Witnesses { required: 1, keys: vec![log] })).is_err());
    assert!(read(&Trust { v: 2, ..trust(Witnesses::default()) }).is_err());
    let mut value = serde_json::to_value(trust(Witnesses::default())).unwrap();
    value["witness"] = serde_json::json!([]);
    assert!(Trust::parse(value.to_string().as_bytes()).unwrap_err().to_string().contains("witness"));
}
