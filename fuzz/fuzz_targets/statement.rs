//! Signed statements, and the signatures on them.
#![no_main]

use countersign_core::statement::{NAMESPACE, SignedStatement};
use countersign_provenance::sshsig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(statement) = SignedStatement::from_bytes(bytes) {
        assert_eq!(statement.to_bytes(), bytes, "a statement is written as it was read");
        let _ = statement.claims();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = sshsig::verify(NAMESPACE, b"message", text);
        let _ = sshsig::fingerprint(text);
    }
});
