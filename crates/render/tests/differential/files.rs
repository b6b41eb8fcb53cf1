//! The files of a case, kept as text.

use std::collections::BTreeMap;

/// The bytes of files, by path.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// Whether each character of a file stands for one byte, so that a case can hold what is no UTF-8: its path says so.
pub fn is_latin1(path: &str) -> bool {
    path.contains("latin1")
}

/// The bytes of each file.
pub fn tree(files: &BTreeMap<String, String>) -> Tree {
    let bytes = |path: &str, text: &str| match is_latin1(path) {
        true => text.chars().map(|c| u8::try_from(c).unwrap()).collect(),
        false => text.as_bytes().to_vec(),
    };
    files.iter().map(|(path, text)| (path.clone(), bytes(path, text))).collect()
}
