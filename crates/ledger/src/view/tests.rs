use super::*;
use crate::log::{append, open};
use crate::testing::{Memory, ORIGIN, TestSigner, leaves, run};

fn log_of(count: u64) -> (Memory, SignedCheckpoint) {
    let store = Memory::default();
    let appended = run(append(&store, &TestSigner::ed25519(1), ORIGIN, &leaves(0, count), None)).unwrap();
    (store, appended.checkpoint)
}

#[test]
fn leaves_are_read_in_any_range() {
    let (store, at) = log_of(600);
    let mut view = View::new(&store, at);
    for range in [0..0, 0..1, 255..257, 5..600, 512..600, 599..600] {
        let expected = leaves(range.start, range.end - range.start);
        assert_eq!(run(view.leaves(range.clone())).unwrap(), expected, "{range:?}");
    }
}

#[test]
fn beyond_the_end_is_nothing() {
    let (store, at) = log_of(5);
    let mut view = View::new(&store, at);
    let forbidden = |result| matches!(result, Err(LedgerError::Forbidden(_)));
    assert!(forbidden(run(view.leaf(5)).map(drop)));
    assert!(forbidden(run(view.leaf(u64::MAX)).map(drop)));
    assert!(forbidden(run(view.leaves(4..6)).map(drop)));
    assert!(forbidden(run(view.inclusion_proof(5)).map(drop)));
    assert!(forbidden(run(view.consistency_proof(6)).map(drop)));
}

#[test]
fn a_view_at_an_older_checkpoint_is_served_by_newer_tiles() {
    let store = Memory::default();
    let grow = |count| {
        let size =
            run(open(&store, &[TestSigner::ed25519(1).note_key()])).unwrap().map_or(0, |view| view.size());
        run(append(&store, &TestSigner::ed25519(1), ORIGIN, &leaves(size, count), None)).unwrap().checkpoint
    };
    let old = grow(100);
    grow(400);
    assert!(!store.keys("log/").contains(&"log/tile/0/000.p/100".to_owned()));
    let mut view = View::new(&store, old);
    assert_eq!(run(view.leaves(0..100)).unwrap(), leaves(0, 100));
    assert!(
        run(view.prove(99)).unwrap().verify(&leaves(99, 1)[0], &TestSigner::ed25519(1).note_key()).is_ok()
    );
}

#[test]
fn what_the_store_alters_is_never_returned() {
    for key in ["log/tile/entries/000", "log/tile/entries/001.p/44", "log/tile/0/000", "log/tile/1/000.p/1"] {
        let (store, at) = log_of(300);
        store.edit(key, |bytes| bytes[10] ^= 1);
        let mut view = View::new(&store, at);
        for index in [0, 1, 299] {
            for result in [
                run(view.leaf(index)).map(|leaf| leaf == leaves(index, 1)[0]),
                run(view.prove(index)).map(|_| true),
            ] {
                assert!(matches!(result, Ok(true) | Err(LedgerError::Corrupt { .. })), "{key}: {result:?}");
            }
        }
        let touched = if key.ends_with("/0/000") || key.ends_with("entries/000") { 0 } else { 299 };
        let both = (run(view.leaf(touched)).is_ok(), run(view.prove(touched)).is_ok());
        assert_ne!(both, (true, true), "{key}");
    }
}

#[test]
fn what_the_store_lost_is_named() {
    let (store, at) = log_of(300);
    store.values.lock().unwrap().remove("log/tile/0/000");
    let error = run(View::new(&store, at).prove(3)).unwrap_err();
    assert!(error.to_string().starts_with("log/tile/0/000: not in the store"), "{error}");
}

#[test]
fn a_proof_from_tiles_cut_short_is_an_error() {
    let (store, at) = log_of(300);
    for cut in [0, 31, 32, 8191] {
        store.edit("log/tile/0/000", |bytes| bytes.resize(cut, 0));
        assert!(
            matches!(run(View::new(&store, at.clone()).prove(3)), Err(LedgerError::Corrupt { .. })),
            "{cut}"
        );
    }
}
