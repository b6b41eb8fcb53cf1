//! Packet lines, which frame what Git's protocol says (gitprotocol-common).

use std::io::Read;

use super::Trouble;

/// The most bytes of one packet, its length included.
const MAX_PACKET: usize = 65_520;

/// One packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// Bytes.
    Data(Vec<u8>),
    /// The end of a message.
    Flush,
    /// The end of a message's part.
    Delimiter,
    /// The end of an answer.
    ResponseEnd,
}

/// Reads the next packet.
pub(crate) fn read(from: &mut impl Read) -> Result<Packet, Trouble> {
    let mut length = [0; 4];
    from.read_exact(&mut length).map_err(|error| broken(&error))?;
    let digits = std::str::from_utf8(&length).ok().and_then(|text| u16::from_str_radix(text, 16).ok());
    match digits.map(usize::from) {
        Some(0) => Ok(Packet::Flush),
        Some(1) => Ok(Packet::Delimiter),
        Some(2) => Ok(Packet::ResponseEnd),
        Some(length @ 4..=MAX_PACKET) => {
            let mut data = vec![0; length - 4];
            from.read_exact(&mut data).map_err(|error| broken(&error))?;
            match data.strip_prefix(b"ERR ") {
                Some(text) => Err(told(&String::from_utf8_lossy(text))),
                None => Ok(Packet::Data(data)),
            }
        }
        _ => Err(Trouble::Garbage("it does not begin with a packet's length".to_owned())),
    }
}

/// Appends a packet with `line`.
pub(crate) fn line(to: &mut Vec<u8>, line: &str) {
    to.extend_from_slice(format!("{:04x}{line}\n", line.len() + 5).as_bytes());
}

/// Ends a message.
pub(crate) const FLUSH: &[u8] = b"0000";

/// Ends a part of a message.
pub(crate) const DELIMITER: &[u8] = b"0001";

/// A failure to read what is still to come.
pub(crate) fn broken(error: &std::io::Error) -> Trouble {
    Trouble::Busy(match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "it ended its answer in the middle".to_owned(),
        _ => error.to_string(),
    })
}

/// What a server says is wrong.
pub(crate) fn told(text: &str) -> Trouble {
    let text: String = text.trim().chars().filter(|c| !c.is_control()).take(300).collect();
    let missing = ["not found", "not exist", "not exported", "denied", "not appear to be a git"];
    if text.contains("not our ref") {
        Trouble::Unknown(text)
    } else if missing.iter().any(|words| text.to_lowercase().contains(words)) {
        Trouble::Missing(text)
    } else {
        Trouble::Busy(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut bytes: &[u8]) -> Vec<Result<Packet, Trouble>> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            found.push(read(&mut bytes));
            if found.last().is_some_and(Result::is_err) {
                break;
            }
        }
        found
    }

    #[test]
    fn packets_are_read_as_they_are_written() {
        let mut bytes = Vec::new();
        line(&mut bytes, "command=ls-refs");
        bytes.extend_from_slice(DELIMITER);
        bytes.extend_from_slice(FLUSH);
        let found: Vec<_> = all(&bytes).into_iter().map(Result::unwrap).collect();
        assert_eq!(found, [Packet::Data(b"command=ls-refs\n".to_vec()), Packet::Delimiter, Packet::Flush]);
    }

    #[test]
    fn what_is_no_packet_is_told_from_what_breaks_off() {
        for garbage in ["<html>", "ffff", "0003", "zzzz", "+012"] {
            let found = all(garbage.as_bytes()).pop().unwrap();
            assert!(matches!(found, Err(Trouble::Garbage(_) | Trouble::Busy(_))), "{garbage}: {found:?}");
        }
        assert!(matches!(all(b"<html>").pop(), Some(Err(Trouble::Garbage(_)))));
        assert!(matches!(all(b"0010abc").pop(), Some(Err(Trouble::Busy(_)))));
        assert!(
            matches!(all(b"0011ERR too busy\n").pop(), Some(Err(Trouble::Busy(text))) if text == "too busy")
        );
    }
}
