//! What a server is asked for, and the pack that it answers with.

use std::collections::BTreeSet;
use std::io::Read;

use git2::Oid;

use super::Trouble;
use super::packets::{self, DELIMITER, FLUSH, Packet};

/// The most commits at which one answer may cut the history off.
const MAX_CUT: usize = 100_000;

/// All of a history: the number by which Git asks for it.
pub(crate) const WHOLE: u32 = 0x7fff_ffff;

/// What a server is asked for: all that `wants` lead to and `haves` do not.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// Objects.
    pub(crate) wants: BTreeSet<Oid>,
    /// Objects that are here, with all that they lead to.
    pub(crate) haves: BTreeSet<Oid>,
    /// Commits that are here without their parents.
    pub(crate) cut: BTreeSet<Oid>,
    /// How many commits deep; none for all of them, which takes it that nothing is cut here.
    pub(crate) depth: Option<u32>,
}

impl Request {
    /// In version 2.
    pub(crate) fn two(&self) -> Vec<u8> {
        let mut request = Vec::new();
        packets::line(&mut request, "command=fetch");
        request.extend_from_slice(DELIMITER);
        for ability in ["thin-pack", "ofs-delta", "no-progress"] {
            packets::line(&mut request, ability);
        }
        for want in &self.wants {
            packets::line(&mut request, &format!("want {want}"));
        }
        self.depth_lines(&mut request);
        self.have_lines(&mut request);
        request.extend_from_slice(FLUSH);
        request
    }

    /// In version 0.
    pub(crate) fn zero(&self) -> Vec<u8> {
        let mut request = Vec::new();
        let more = if self.depth.is_some() { " shallow" } else { "" };
        for (at, want) in self.wants.iter().enumerate() {
            let abilities = match at {
                0 => format!(" thin-pack ofs-delta side-band-64k no-progress{more}"),
                _ => String::new(),
            };
            packets::line(&mut request, &format!("want {want}{abilities}"));
        }
        self.depth_lines(&mut request);
        request.extend_from_slice(FLUSH);
        self.have_lines(&mut request);
        request
    }

    fn depth_lines(&self, request: &mut Vec<u8>) {
        let Some(depth) = self.depth else { return };
        for commit in &self.cut {
            packets::line(request, &format!("shallow {commit}"));
        }
        packets::line(request, &format!("deepen {}", depth.max(1)));
    }

    fn have_lines(&self, request: &mut Vec<u8>) {
        for have in &self.haves {
            packets::line(request, &format!("have {have}"));
        }
        packets::line(request, "done");
    }
}

/// What takes an answer.
pub(crate) trait Take {
    /// The commits at which what comes is cut off. Told before the first byte.
    fn cut(&mut self, commits: &BTreeSet<Oid>) -> Result<(), Trouble>;

    /// The next bytes of the pack.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Trouble>;
}

/// Reads an answer. Where `parted` says so, one flush comes before the pack.
pub(crate) fn receive(from: &mut impl Read, mut parted: bool, to: &mut impl Take) -> Result<(), Trouble> {
    let mut cut = Some(BTreeSet::new());
    loop {
        match packets::read(from)? {
            Packet::Data(line) => match line.split_first() {
                Some((1, bytes)) => {
                    if let Some(cut) = cut.take() {
                        to.cut(&cut)?;
                    }
                    to.bytes(bytes)?;
                }
                Some((2, _)) => {}
                Some((3, text)) => return Err(packets::told(&String::from_utf8_lossy(text))),
                _ => before_pack(&line, cut.as_mut())?,
            },
            Packet::Delimiter => {}
            Packet::Flush if parted => parted = false,
            Packet::Flush | Packet::ResponseEnd => return Ok(()),
        }
    }
}

/// A line that comes before a pack.
fn before_pack(line: &[u8], cut: Option<&mut BTreeSet<Oid>>) -> Result<(), Trouble> {
    let text = std::str::from_utf8(line).unwrap_or_default().trim_end_matches('\n');
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let commit = || super::object_id(rest);
    match (word, cut) {
        ("packfile" | "NAK" | "ACK" | "shallow-info", _) => Ok(()),
        // What has its parents again is seen by their being here.
        ("unshallow", Some(_)) if commit().is_some() => Ok(()),
        ("shallow", Some(cut)) => match commit() {
            Some(commit) => {
                cut.insert(commit);
                if cut.len() > MAX_CUT {
                    let text = format!("it cuts the history off at more than {MAX_CUT} commits");
                    return Err(Trouble::Excess(text));
                }
                Ok(())
            }
            None => Err(Trouble::Garbage("it cuts the history off at what is no commit".to_owned())),
        },
        _ => Err(Trouble::Garbage("what comes is not a pack".to_owned())),
    }
}

#[cfg(test)]
mod tests;
