use proptest::prelude::*;

use super::*;

#[test]
fn only_tiles_are_staged() {
    let file = |path: &str| BTreeMap::from([(path.to_owned(), b"bytes".to_vec())]);
    assert_eq!(decode(&encode(&file("tile/0/000")).unwrap()), Some(file("tile/0/000")));
    for elsewhere in ["checkpoint", "staging/1", "", "../tile/0"] {
        assert_eq!(decode(&encode(&file(elsewhere)).unwrap()), None, "{elsewhere}");
    }
}

proptest! {
    #[test]
    fn staged_files_read_back(contents: Vec<Vec<u8>>) {
        let files = (0..).zip(contents).map(|(n, bytes)| (format!("tile/{n}"), bytes)).collect();
        prop_assert_eq!(decode(&encode(&files).unwrap()), Some(files));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
        let _ = decode(&bytes);
    }
}
