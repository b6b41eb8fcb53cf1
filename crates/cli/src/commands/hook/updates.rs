//! What Git tells a receive hook: one line for each reference, on standard input.

use std::io::{BufRead, Read as _};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow, ensure};
use countersign_core::names::CommitId;

/// The most bytes that are read: some 200,000 references.
const MAX_INPUT: u64 = 32 * 1024 * 1024;

/// One reference that is about to move, or has moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The object before; none if the reference is new.
    pub old: Option<CommitId>,
    /// The object after; none if the reference is deleted.
    pub new: Option<CommitId>,
    /// The reference's full name, as Git writes it.
    pub reference: String,
}

/// Reads the lines `OLD NEW REFERENCE`. A name that is not UTF-8 is read as far as it can be shown.
///
/// # Errors
/// When a line is anything else.
pub fn read(input: impl BufRead) -> anyhow::Result<Vec<Line>> {
    let mut bytes = Vec::new();
    input.take(MAX_INPUT + 1).read_to_end(&mut bytes).context("what Git says cannot be read")?;
    ensure!(bytes.len() as u64 <= MAX_INPUT, "this push moves too many references: push them in parts");
    String::from_utf8_lossy(&bytes).lines().map(line).collect()
}

fn line(text: &str) -> anyhow::Result<Line> {
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next().filter(|word| !word.is_empty());
    let (Some(old), Some(new), Some(reference)) = (word(), word(), word()) else {
        return Err(anyhow!(
            "{text:?} is not what Git says to a receive hook: this command is called by Git"
        ));
    };
    Ok(Line { old: object(old)?, new: object(new)?, reference: reference.to_owned() })
}

/// An object's id; none for zeros.
fn object(text: &str) -> anyhow::Result<Option<CommitId>> {
    let id: CommitId = text.parse().context("not what Git says to a receive hook")?;
    Ok(Some(id).filter(|_| text.bytes().any(|digit| digit != b'0')))
}

/// The repository that Git runs the hook in.
///
/// # Errors
/// When the current folder is gone.
pub fn repository() -> anyhow::Result<PathBuf> {
    let folder = std::env::var_os("GIT_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
    std::path::absolute(&folder).with_context(|| format!("{}: no usable folder", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_git_are_read_and_others_refused() {
        let (zero, one) = ("0".repeat(40), "1".repeat(40));
        let lines =
            read(format!("{zero} {one} refs/heads/a b\n{one} {zero} refs/tags/v1\n").as_bytes()).unwrap();
        let wanted = [
            Line { old: None, new: Some(one.parse().unwrap()), reference: "refs/heads/a b".into() },
            Line { old: Some(one.parse().unwrap()), new: None, reference: "refs/tags/v1".into() },
        ];
        assert_eq!(lines, wanted);
        assert!(read(&b"hello\n"[..]).is_err());
        assert!(read(format!("{one} {one}").as_bytes()).is_err());
        assert!(read(format!("x {one} refs/heads/a").as_bytes()).is_err());
        assert_eq!(read(&b""[..]).unwrap(), []);
    }
}
