//! Notes, checkpoints, proofs, keys: what a log's text is read from.
#![no_main]

use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::note::{Note, NoteKey};
use countersign_ledger::proof::LogProof;
use countersign_ledger::trust::Trust;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Trust::parse(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = Note::parse(text);
    let _ = Checkpoint::parse(text);
    let _ = text.parse::<NoteKey>();
    if let Ok(proof) = text.parse::<LogProof>() {
        assert_eq!(proof.to_string().parse::<LogProof>().expect("reads back"), proof);
    }
});
