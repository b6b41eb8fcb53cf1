use proptest::prelude::*;

use super::*;
use crate::testing::leaves;

#[test]
fn the_tiles_of_a_tree_are_those_of_the_specification() {
    let path = |level, index| Tile::in_tree(level, index, 70_000).map(|tile| tile.path(Content::Hashes));
    assert_eq!(path(0, 272).unwrap(), "tile/0/272");
    assert_eq!(path(0, 273).unwrap(), "tile/0/273.p/112");
    assert_eq!(path(0, 274), None);
    assert_eq!(path(1, 0).unwrap(), "tile/1/000");
    assert_eq!(path(1, 1).unwrap(), "tile/1/001.p/17");
    assert_eq!(path(2, 0).unwrap(), "tile/2/000.p/1");
    assert_eq!(path(2, 1), None);
    assert_eq!(path(3, 0), None);
    assert_eq!(Tile::in_tree(1, 0, 256).unwrap().path(Content::Hashes), "tile/1/000.p/1");
    let bundle = Tile { level: 0, index: 1_234_067, width: 3 };
    assert_eq!(bundle.path(Content::Leaves), "tile/entries/x001/x234/067.p/3");
}

#[test]
fn a_bundle_reads_back_what_was_pushed() {
    let leaves = leaves(0, 9);
    let mut bundle = Vec::new();
    leaves.iter().for_each(|leaf| push_entry(&mut bundle, leaf).unwrap());
    assert_eq!(bytes_to_entries(&bundle, 9).unwrap(), leaves);
    assert_eq!(bytes_to_entries(&bundle, 4).unwrap(), leaves[..4]);
    assert_eq!(bytes_to_entries(&bundle, 10), None);
    assert_eq!(bytes_to_entries(&bundle[..bundle.len() - 1], 9), None);
    let mut largest = Vec::new();
    push_entry(&mut largest, &vec![b'x'; MAX_LEAF]).unwrap();
    let error = push_entry(&mut largest, &vec![b'x'; MAX_LEAF + 1]).unwrap_err();
    assert!(error.to_string().contains("65536 bytes"), "{error}");
}

proptest! {
    #[test]
    fn paths_are_those_of_an_established_implementation(level in 0_u8..4, index in 0_u64..1 << 40, width in 1_u32..=256) {
        let tile = Tile { level, index, width: u64::from(width) };
        let theirs = tlog_tiles::Tile::new(8, level, index, width, false);
        // Theirs names the height, which tlog-tiles leaves out.
        prop_assert_eq!(tile.path(Content::Hashes), theirs.path().replace("tile/8/", "tile/"));
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes: Vec<u8>, width in 0_u64..300) {
        let _ = bytes_to_entries(&bytes, width);
        let _ = bytes_to_hashes(&bytes, width);
    }
}
