use countersign_core::digest::Digest;
use countersign_core::ports::PortError;
use countersign_core::stage::StageError;
use proptest::prelude::*;
use tlog_tiles::{HashReader as _, TileReader};

use super::*;
use crate::merkle::verify_consistency;
use crate::testing::{Memory, Mortal, ORIGIN, TestSigner, interleave, leaves, run};

fn signer() -> TestSigner {
    TestSigner::ed25519(1)
}

fn grow(store: &impl Store, leaves: &[Vec<u8>]) -> Result<Appended, LedgerError> {
    run(append(store, &signer(), ORIGIN, leaves, None))
}

fn head(store: &Memory) -> Checkpoint {
    run(read_checkpoint(store, &[signer().note_key()])).unwrap().unwrap().checkpoint().clone()
}

fn all(store: &Memory) -> Vec<Vec<u8>> {
    let mut view = run(open(store, &[signer().note_key()])).unwrap().unwrap();
    let size = view.size();
    run(view.leaves(0..size)).unwrap()
}

/// Reads our tiles as an established implementation wants them.
struct Oracle<'a>(&'a Memory);

impl TileReader for Oracle<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let stored = self.0.tiles();
        let read = |tile: &tlog_tiles::Tile| stored[&tile.path().replace("tile/8/", "log/tile/")].clone();
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// An established implementation finds every leaf in our tiles, under our root.
fn check_with_oracle(store: &Memory, leaves: &[Vec<u8>]) {
    let head = head(store);
    // A tree without leaves has no tiles, which the oracle does not expect.
    if head.size == 0 {
        assert!(leaves.is_empty());
        return;
    }
    let tiles = Oracle(store);
    let reader = tlog_tiles::TileHashReader::new(head.size, tlog_tiles::Hash(*head.root.as_bytes()), &tiles);
    let indexes: Vec<u64> = (0..head.size).map(|index| tlog_tiles::stored_hash_index(0, index)).collect();
    let hashes = reader.read_hashes(&indexes).unwrap();
    let expected: Vec<_> = leaves.iter().map(|leaf| tlog_tiles::record_hash(leaf)).collect();
    assert_eq!(hashes, expected);
}

/// The tiles of a log that was written at once and without a fault.
fn clean_tiles(leaves: &[Vec<u8>]) -> std::collections::BTreeMap<String, Vec<u8>> {
    let store = Memory::default();
    grow(&store, leaves).unwrap();
    store.tiles()
}

/// The log holds exactly these leaves, in tiles with the right bytes, each in its place.
fn check_whole(store: &Memory, leaves: &[Vec<u8>]) {
    assert_eq!(all(store), leaves);
    let stored = store.tiles();
    for (key, bytes) in clean_tiles(leaves) {
        assert_eq!(stored.get(&key), Some(&bytes), "{key}");
    }
}

#[test]
fn a_log_of_many_leaves_has_the_tiles_of_the_specification() {
    let (store, leaves) = (Memory::default(), leaves(0, 70_000));
    grow(&store, &leaves[..3]).unwrap();
    let appended = grow(&store, &leaves[3..]).unwrap();
    assert_eq!((appended.first, appended.checkpoint.checkpoint().size), (3, 70_000));
    for tile in
        ["0/272", "0/273.p/112", "1/000", "1/001.p/17", "2/000.p/1", "entries/272", "entries/273.p/112"]
    {
        assert!(store.keys("log/tile/").contains(&format!("log/tile/{tile}")), "{tile}");
    }
    let mut view = run(open(&store, &[signer().note_key()])).unwrap().unwrap();
    for index in [0, 255, 256, 65_535, 65_536, 69_999] {
        assert_eq!(run(view.leaf(index)).unwrap(), leaves[index as usize]);
    }

    // One more leaf costs as much as in a small log: its tiles, staging, the checkpoint, and the clean-up.
    let counted = Mortal::new(&store, usize::MAX);
    grow(&counted, &[b"one more".to_vec()]).unwrap();
    assert_eq!(counted.writes(), 5);
    assert!(counted.calls() <= 12, "{}", counted.calls());
}

#[test]
fn nothing_is_appended_when_the_log_is_not_of_the_expected_size() {
    let store = Memory::default();
    let expecting = |size| run(append(&store, &signer(), ORIGIN, &leaves(0, 2), Some(size)));
    assert_eq!(expecting(1), Err(LedgerError::Raced));
    assert_eq!(expecting(0).unwrap().first, 0);
    assert_eq!(expecting(0), Err(LedgerError::Raced));
    assert_eq!(expecting(2).unwrap().first, 2);
    assert!(matches!(StageError::from(LedgerError::Raced), StageError::Retry(_)));
}

#[test]
fn appending_nothing_changes_nothing() {
    let store = Memory::default();
    assert_eq!(grow(&store, &[]).unwrap().checkpoint.checkpoint().root, crate::merkle::empty_root());
    let first = grow(&store, &leaves(0, 5)).unwrap();
    let before = store.copy();
    let again = grow(&store, &[]).unwrap();
    assert_eq!((again.first, &again.checkpoint), (5, &first.checkpoint));
    assert_eq!(*store.values.lock().unwrap(), *before.values.lock().unwrap());
}

#[test]
fn a_leaf_that_is_too_large_is_refused_before_anything_is_written() {
    let store = Memory::default();
    let error = grow(&store, &[b"small".to_vec(), vec![b'x'; 65_536]]).unwrap_err();
    assert!(matches!(error, LedgerError::Forbidden(_)));
    assert!(store.keys("").is_empty());
}

#[test]
fn nothing_is_signed_on_top_of_a_damaged_log() {
    for (key, damage) in [
        ("log/tile/0/001.p/44", "hash"),
        ("log/tile/1/000.p/1", "hash"),
        ("log/tile/entries/001.p/44", "leaf"),
    ] {
        let store = Memory::default();
        grow(&store, &leaves(0, 300)).unwrap();
        store.edit(key, |bytes| bytes[5] ^= 1);
        let before = head(&store);
        let error = grow(&store, &leaves(300, 1)).unwrap_err();
        assert!(matches!(error, LedgerError::Corrupt { .. }), "{damage} in {key}: {error}");
        assert_eq!(head(&store), before);
    }
}

#[test]
fn a_log_of_another_key_or_origin_is_not_appended_to() {
    let store = Memory::default();
    grow(&store, &leaves(0, 1)).unwrap();
    let by = |signer: &TestSigner, origin| run(append(&store, signer, origin, &leaves(1, 1), None));
    assert!(matches!(by(&TestSigner::ed25519(2), ORIGIN), Err(LedgerError::Signature(_))));
    assert!(matches!(by(&signer(), "log.example/two"), Err(LedgerError::Signature(_))));
    assert_eq!(head(&store).size, 1);
}

#[test]
fn small_appends_leave_few_partial_tiles() {
    let store = Memory::default();
    for leaf in leaves(0, 600).chunks(1) {
        grow(&store, leaf).unwrap();
    }
    let partial = store.keys("log/tile/entries/").iter().filter(|key| key.contains(".p/")).count();
    assert_eq!(partial, 600 % 256);
    check_whole(&store, &leaves(0, 600));
}

/// What a caller does after an error: look whether its leaves are in the log, and append if not.
fn retry(store: &Memory, base: u64, batch: &[Vec<u8>]) {
    let size =
        run(read_checkpoint(store, &[signer().note_key()])).unwrap().map_or(0, |head| head.checkpoint().size);
    let rest = if size > base { &[] } else { batch };
    grow(store, rest).unwrap();
}

#[test]
fn a_writer_may_die_at_any_of_its_calls() {
    for (base, count) in [(0, 1), (5, 3), (255, 1), (255, 2), (256, 1), (250, 600)] {
        let before = Memory::default();
        if base > 0 {
            grow(&before, &leaves(0, base)).unwrap();
        }
        let batch = leaves(base, count);
        let counted = before.copy();
        let counted = Mortal::new(&counted, usize::MAX);
        grow(&counted, &batch).unwrap();
        for call in 0..counted.calls() {
            let store = before.copy();
            let error = grow(&Mortal::new(&store, call), &batch).unwrap_err();
            assert!(matches!(error, LedgerError::Port(PortError::Unavailable(_))), "call {call}: {error}");
            if base > 0 {
                // Whatever the checkpoint vouches for can be read even now.
                assert_eq!(all(&store), leaves(0, head(&store).size), "call {call}");
            }
            retry(&store, base, &batch);
            check_whole(&store, &leaves(0, base + count));
            grow(&store, &leaves(base + count, 300)).unwrap();
            check_whole(&store, &leaves(0, base + count + 300));
            assert_eq!(store.keys("log/staging/"), Vec::<String>::new(), "call {call}");
        }
    }
}

/// Appends a batch whatever happens to the race, as `record` does.
async fn insist(store: &impl Store, batch: &[Vec<u8>]) -> Result<(), LedgerError> {
    loop {
        match append(store, &signer(), ORIGIN, batch, None).await {
            Err(LedgerError::Raced) => {}
            result => return result.map(drop),
        }
    }
}

fn is_permutation_of_batches(found: &[Vec<u8>], one: &[Vec<u8>], two: &[Vec<u8>]) -> bool {
    found == [one, two].concat() || found == [two, one].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_log_grows_in_any_steps(steps in prop::collection::vec(0_u64..400, 1..6), seed: u64) {
        let (store, mut size, mut heads) = (Memory::default(), 0, Vec::<(u64, Digest)>::new());
        for step in steps {
            let appended = grow(&store, &leaves(size, step)).unwrap();
            prop_assert_eq!(appended.first, size);
            size += step;
            heads.push((size, appended.checkpoint.checkpoint().root));
        }
        check_whole(&store, &leaves(0, size));
        check_with_oracle(&store, &leaves(0, size));
        let mut view = run(open(&store, &[signer().note_key()])).unwrap().unwrap();
        let (new, root) = *heads.last().unwrap();
        for (old, old_root) in &heads {
            let path = run(view.consistency_proof(*old)).unwrap();
            prop_assert!(verify_consistency((*old, old_root), (new, &root), &path));
        }
        prop_assume!(size > 0);
        let proof = run(view.prove(seed % size)).unwrap();
        proof.verify(&leaves(seed % size, 1)[0], &signer().note_key()).unwrap();
    }

    #[test]
    fn two_writers_race_and_nothing_is_lost(
        base in prop::sample::select(vec![0_u64, 1, 254, 255, 256]),
        counts in (1_u64..4, 1_u64..4),
        schedule in prop::collection::vec(any::<bool>(), 0..60),
    ) {
        let store = Memory::default();
        grow(&store, &leaves(0, base)).unwrap();
        let (one, two) = (leaves(1000, counts.0), leaves(2000, counts.1));
        let (first, second) = interleave(insist(&store, &one), insist(&store, &two), &schedule);
        prop_assert!(first.is_ok() && second.is_ok());
        let found = all(&store);
        prop_assert!(is_permutation_of_batches(&found[base as usize..], &one, &two));
        check_whole(&store, &found);
        check_with_oracle(&store, &found);
    }

    #[test]
    fn a_writer_dies_while_another_races_it(
        base in prop::sample::select(vec![0_u64, 254, 255, 256]),
        overlap: bool,
        death in 0_usize..16,
        schedule in prop::collection::vec(any::<bool>(), 0..60),
    ) {
        let store = Memory::default();
        grow(&store, &leaves(0, base)).unwrap();
        // With an overlap, both come from the same deliveries: one's tree may be the other's.
        let one = leaves(1000, 2);
        let two = if overlap { one[..1].to_vec() } else { leaves(2000, 2) };
        let mortal = Mortal::new(&store, death);
        let signer = signer();
        let dying = append(&mortal, &signer, ORIGIN, &one, Some(base));
        let living = async {
            insist(&store, &two).await?;
            if overlap { insist(&store, &one[1..]).await } else { Ok(()) }
        };
        let (_, living) = interleave(dying, living, &schedule);
        living.unwrap();
        grow(&store, &[]).unwrap();
        let found = all(&store);
        let added = &found[base as usize..];
        let rest = if overlap { &one[1..] } else { &[] };
        let living = [two.as_slice(), rest].concat();
        prop_assert!(added == living || is_permutation_of_batches(added, &one, &living));
        check_whole(&store, &found);
    }

    #[test]
    fn a_writer_dies_while_another_handles_the_same_deliveries(
        base in prop::sample::select(vec![0_u64, 254, 255]),
        death in 0_usize..16,
        schedule in prop::collection::vec(any::<bool>(), 0..60),
    ) {
        let (store, signer, batch) = (Memory::default(), signer(), leaves(1000, 2));
        grow(&store, &leaves(0, base)).unwrap();
        let mortal = Mortal::new(&store, death);
        let dying = append(&mortal, &signer, ORIGIN, &batch, Some(base));
        let living = append(&store, &signer, ORIGIN, &batch, Some(base));
        let (_, living) = interleave(dying, living, &schedule);
        prop_assert!(matches!(living, Ok(_) | Err(LedgerError::Raced)), "{:?}", living);
        grow(&store, &[]).unwrap();
        check_whole(&store, &[leaves(0, base), batch].concat());
    }

    #[test]
    fn the_same_deliveries_to_two_writers_are_appended_once(schedule in prop::collection::vec(any::<bool>(), 0..60)) {
        let (store, batch) = (Memory::default(), leaves(0, 3));
        let signer = signer();
        let (first, second) = interleave(
            append(&store, &signer, ORIGIN, &batch, Some(0)),
            append(&store, &signer, ORIGIN, &batch, Some(0)),
            &schedule,
        );
        let raced = [&first, &second].into_iter().filter(|result| **result == Err(LedgerError::Raced)).count();
        prop_assert_eq!(raced, 1, "{:?} {:?}", first, second);
        check_whole(&store, &batch);
    }
}

#[test]
fn a_winner_that_stalls_takes_nothing_away_from_those_who_overtake_it() {
    let before = Memory::default();
    grow(&before, &leaves(0, 255)).unwrap();
    let (one, two) = (leaves(255, 1), leaves(256, 2));
    // The first writer runs some way, the second to its death, then the first goes on.
    for turns in 4..14 {
        for death in 4..22 {
            let store = before.copy();
            let mortal = Mortal::new(&store, death);
            let schedule = [vec![true; turns], vec![false; 400]].concat();
            let (first, _) = interleave(insist(&store, &one), insist(&mortal, &two), &schedule);
            first.unwrap();
            grow(&store, &[]).unwrap();
            let found = all(&store);
            let added = &found[255..];
            assert!(added == one || is_permutation_of_batches(added, &one, &two), "{turns} {death}");
            check_whole(&store, &found);
        }
    }
}

#[test]
fn the_futures_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let (store, signer) = (Memory::default(), signer());
    is_send(&append(&store, &signer, ORIGIN, &[], None));
    is_send(&open(&store, &[signer.note_key()]));
}
