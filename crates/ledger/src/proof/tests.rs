use proptest::prelude::*;

use super::*;
use crate::log::append;
use crate::testing::{Memory, ORIGIN, TestSigner, leaves, run};
use crate::view::View;

fn proof_of(index: u64) -> (LogProof, TestSigner) {
    let (store, signer) = (Memory::default(), TestSigner::ed25519(1));
    let appended = run(append(&store, &signer, ORIGIN, &leaves(0, 20), None)).unwrap();
    (run(View::new(&store, appended.checkpoint).prove(index)).unwrap(), signer)
}

#[test]
fn a_proof_stands_alone() {
    let (proof, signer) = proof_of(7);
    let text = proof.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 7\n"), "{text}");
    let read: LogProof = text.parse().unwrap();
    assert_eq!(read, proof);
    let leaf = &leaves(0, 20)[7];
    assert_eq!(read.verify(leaf, &signer.note_key()).unwrap().checkpoint().size, 20);
    assert!(matches!(read.verify(b"another", &signer.note_key()), Err(LedgerError::Forbidden(_))));
    let other = TestSigner::ed25519(2).note_key();
    assert!(matches!(read.verify(leaf, &other), Err(LedgerError::Signature(_))));
}

#[test]
fn extra_data_is_allowed_and_never_believed() {
    let (proof, _) = proof_of(7);
    let with = |line: &str| proof.to_string().replace("index 7\n", &format!("{line}\nindex 7\n"));
    assert_eq!(with("extra aGVsbG8=").parse::<LogProof>().unwrap(), proof);
    assert!(with("extra !").parse::<LogProof>().is_err());
    assert!(with("other aGVsbG8=").parse::<LogProof>().is_err());
}

#[test]
fn what_is_not_a_proof_is_refused() {
    let good = proof_of(7).0.to_string();
    let hash = good.lines().nth(2).unwrap().to_owned();
    for wrong in [
        "",
        "\n\n",
        &good.replace("@v1", "@v2"),
        &good.replace("index 7", "index 07"),
        &good.replace("index 7", "index -7"),
        &good.replace("index 7\n", ""),
        &good.replacen(&hash, &hash[1..], 1),
        &good.replacen(&hash, &format!("{hash}\n").repeat(64), 1),
        &good.replacen("\n\n", "\n", 2),
        &good.replace("index 7", &format!("extra {}\nindex 7", "A".repeat(MAX_NOTE))),
    ] {
        assert!(wrong.parse::<LogProof>().is_err(), "{wrong:.80}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "c2sp.org/tlog-proof@v1\n(extra |index |[0-9A-C=\n]){0,40}") {
        let _ = text.parse::<LogProof>();
    }
}
