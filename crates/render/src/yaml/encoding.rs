//! From bytes to text that may be YAML: UTF-8, or UTF-16 that begins with a byte order mark (YAML 1.1, section 5.2).

use std::borrow::Cow;

use super::Fault;

/// The help for bytes that are no text.
const SAVE_AS_UTF_8: &str = "save the file as UTF-8";

/// The text of a file.
///
/// # Errors
/// When it is in no such encoding.
pub(crate) fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, Fault> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let line = line_after(&String::from_utf8_lossy(before));
                Err(Fault::new(line, "these bytes are not UTF-8", SAVE_AS_UTF_8))
            }
        },
    }
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, Fault> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len());
    let decoded = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)));
    let sound = decoded.into_iter().all(|unit| {
        unit.is_ok_and(|c| {
            text.push(c);
            true
        })
    });
    if !sound || !rest.is_empty() {
        return Err(Fault::new(line_after(&text), "these bytes are not UTF-16", SAVE_AS_UTF_8));
    }
    match text.find("\n---") {
        None => Ok(Cow::Owned(text)),
        // Documents are told apart in bytes, before those are text.
        Some(at) => {
            let line = line_after(text.get(..=at).unwrap_or_default());
            let message = "of a file in UTF-16 other readers take the first document only";
            Err(Fault::new(line, message, SAVE_AS_UTF_8))
        }
    }
}

/// `text` without a byte order mark at its beginning, or at that of another document: files that are put one after the
/// other keep theirs.
pub(crate) fn without_marks(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.contains("\n\u{feff}") {
        return Cow::Borrowed(text);
    }
    let (mut kept, mut begins) = (String::with_capacity(text.len()), false);
    for line in text.split_inclusive('\n') {
        kept.push_str(line.strip_prefix('\u{feff}').filter(|_| begins).unwrap_or(line));
        begins = line.starts_with("---");
    }
    Cow::Owned(kept)
}

/// Refuses characters that YAML does not allow. The parser would take a NUL for the end of the file.
pub(crate) fn printable(text: &str) -> Result<(), Fault> {
    let allowed = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}'
            | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    };
    let Some((at, character)) = text.char_indices().find(|(_, c)| !allowed(*c)) else { return Ok(()) };
    let before = text.get(..at).unwrap_or_default();
    let message = format!("the character U+{:04X} is not allowed in YAML", u32::from(character));
    Err(Fault::new(line_after(before), message, "remove it, or write it as an escape in double quotes"))
}

/// The line that comes after `before`, counted from 1.
fn line_after(before: &str) -> u32 {
    u32::try_from(before.matches('\n').count()).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn told(bytes: &[u8]) -> String {
        decoded(bytes).map_or_else(|fault| format!("{}: {}", fault.line, fault.message), Cow::into_owned)
    }

    #[test]
    fn text_is_read_in_each_encoding_of_yaml() {
        let text = "\u{feff}a: é 😀\r\nb: c\n";
        assert_eq!(told(text.as_bytes()), text);
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            assert_eq!(told(&encoded(text, bytes)), text.trim_start_matches('\u{feff}'));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_at_their_line() {
        assert_eq!(told(b"a\nb\xff\n"), "2: these bytes are not UTF-8");
        assert_eq!(told(b"\xff\xfea\0\n\0b"), "2: these bytes are not UTF-16");
        assert_eq!(told(b"\xfe\xff\0a\0\n\xd8\0\0b"), "2: these bytes are not UTF-16");
        let two = encoded("\u{feff}a: 1\n---\nb: 2\n", u16::to_le_bytes);
        assert!(told(&two).starts_with("2: of a file in UTF-16"), "{}", told(&two));
    }
}
