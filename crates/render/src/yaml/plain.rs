//! Which texts kustomize puts in quotes. What stands in quotes stays a text, whatever a patch puts in its place.

use super::node::{Kind, Scalar, Text};
use super::scalar::{is_text, plain_kind};

/// A text that kustomize makes: in quotes, or as a block, where it is something else without.
pub(crate) fn made(text: impl Into<Text>) -> Scalar {
    let scalar = Scalar::string(text);
    Scalar { quoted: scalar.text.contains('\n') || is_read_otherwise(&scalar.text), ..scalar }
}

/// Whether one line, without quotes and as a file of its own, is something else than a text to YAML 1.1.
pub(crate) fn is_read_otherwise(text: &str) -> bool {
    if text.is_empty() || text.contains('\n') {
        return false;
    }
    let read = text.split(" #").next().unwrap_or_default().trim_matches(' ');
    match read.as_bytes() {
        [b'\'' | b'"', ..] => false,
        [b'#' | b'[' | b'{', ..] | [b'-' | b'?'] | [b'-' | b'?', b' ', ..] => true,
        [.., b':'] => true,
        _ => read.contains(": ") || !is_text(read),
    }
}

/// Whether a text is written without quotes, and not as a block, where kustomize writes a whole object and reads it anew.
pub(crate) fn is_written_plain(text: &str) -> bool {
    let is_one = plain_kind(text) == Kind::Str && !is_old_boolean(text) && !is_base_60(text);
    is_one && !begins_something(text) && stands_on_a_line(text)
}

/// What YAML 1.1 reads as a boolean.
fn is_old_boolean(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
    )
}

/// What YAML 1.1 reads as a number to the base of 60, as 12:30.
fn is_base_60(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = text.split(':');
    let first =
        parts.next().is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()) && digits(part));
    let mut parts = parts.peekable();
    if !first || parts.peek().is_none() {
        return false;
    }
    while let Some(part) = parts.next() {
        let whole = match part.split_once('.') {
            Some((whole, fraction)) if parts.peek().is_none() && digits(fraction) => whole,
            _ => part,
        };
        if !matches!(whole.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']) {
            return false;
        }
    }
    true
}

/// Whether a text begins as something else than a text does.
fn begins_something(text: &str) -> bool {
    let alone = |text: &str| text.is_empty() || text.starts_with([' ', '\t']);
    text.starts_with("---")
        || text.starts_with("...")
        || text.starts_with(['#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`'])
        || text.strip_prefix(['?', ':', '-']).is_some_and(alone)
}

/// Whether a text stands on one line as it is: nothing in it ends it, and every character can be written.
fn stands_on_a_line(text: &str) -> bool {
    let spaced = text.starts_with(' ') || text.ends_with(' ');
    let ends = text.contains(": ") || text.ends_with(':') || text.contains(" #");
    !spaced && !ends && text.chars().all(is_written)
}

fn is_written(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
        && !matches!(c, '\u{2028}' | '\u{2029}')
}
