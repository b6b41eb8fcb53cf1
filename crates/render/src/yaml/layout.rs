//! Layouts that libyaml and Go's YAML read, and the parser here does not: a line within brackets or quotes that is indented
//! no further than the key before it, a tab after a colon, and a comment right after a quote or a bracket. Such a line is
//! indented further, and a space put there, which means the same.

use saphyr_parser::{Event, Parser, ScanError};

/// The most bytes that are looked at for one file, beside its own: what is mended is looked at again from the beginning
/// of its document.
const MOST: usize = 4 << 20;

/// Deeper than any block that a line may be in. A line that is in a deeper one is mended again.
const INDENT: &str = "                                                                ";

/// `text` with its layout mended; none where that changes nothing.
pub(crate) fn mended(text: &str) -> Option<String> {
    let mut mended = text.to_owned();
    let (mut begin, mut left, mut changed) = (0, text.len() + MOST, false);
    while begin < mended.len() {
        let document = mended.get(begin..)?;
        let document = document.get(..end_of(document))?;
        let looked_at = document.len();
        let Some(rest) = left.checked_sub(looked_at.max(1)) else { break };
        left = rest;
        let Some(error) = first_error(document) else {
            begin += looked_at;
            continue;
        };
        let Some(edits) = edits(document, &error) else { break };
        for (at, added) in edits.into_iter().rev() {
            mended.insert_str(begin + at, added);
        }
        changed = true;
    }
    changed.then_some(mended)
}

/// Where the document ends that begins here: at the next line that begins another, which no text can hold.
fn end_of(text: &str) -> usize {
    let marks = text.match_indices("\n---").map(|(at, _)| at + 1);
    let begins = |at: &usize| {
        let after = text.get(at + 3..).unwrap_or_default();
        after.is_empty() || after.starts_with([' ', '\t', '\n', '\r'])
    };
    marks.filter(|at| *at > 0).find(begins).unwrap_or(text.len())
}

fn first_error(document: &str) -> Option<ScanError> {
    let mut parser = Parser::new_from_str(document);
    loop {
        match parser.next_event()? {
            Ok((Event::StreamEnd, _)) => return None,
            Ok(_) => {}
            Err(error) => return Some(error),
        }
    }
}

/// What is put where, in the order of the text; none where it is wrong in another way.
fn edits(document: &str, error: &ScanError) -> Option<Vec<(usize, &'static str)>> {
    let at = document.char_indices().nth(error.marker().index()).map_or(document.len(), |(at, _)| at);
    let (before, after) = document.split_at_checked(at)?;
    match error.info() {
        // The parser says so within brackets only.
        "invalid indentation" | "invalid indentation in flow construct" => {
            let line = before.rfind('\n').map_or(0, |end| end + 1);
            let indented = document.get(line..at)?.bytes().all(|byte| byte == b' ' || byte == b'\t');
            indented.then(|| vec![(line, INDENT)])
        }
        "invalid indentation in quoted scalar" => {
            let quoted = after.get(..end_of_quoted(after)?)?;
            let lines = quoted.match_indices('\n').map(|(end, _)| (at + end + 1, INDENT));
            Some(lines.collect()).filter(|lines: &Vec<_>| !lines.is_empty())
        }
        "':' must be followed by a valid YAML whitespace" => {
            let colon = before.trim_end_matches(['\t', ' ']).len();
            let is_value = before.get(..colon)?.ends_with(':') && !after.starts_with('-');
            is_value.then(|| vec![(colon, " ")])
        }
        "comments must be separated from other tokens by whitespace" => {
            let ends = before.ends_with(['\'', '"', ']', '}', ',']) && after.starts_with('#');
            ends.then(|| vec![(at, " ")])
        }
        _ => None,
    }
}

/// How many bytes the text in quotes has that begins here, with its quotes.
fn end_of_quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    let mut rest = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = rest.next() {
        if character == '\\' && quote == '"' {
            rest.next();
        } else if character == quote {
            match rest.peek() {
                Some((_, '\'')) if quote == '\'' => {
                    rest.next();
                }
                _ => return Some(at + 1),
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Budget, Meter};
    use crate::yaml::compose;
    use crate::yaml::scalar::Dialect;

    fn read(text: &str) -> Result<serde_json::Value, String> {
        let budget = Budget::default();
        let mut meter = Meter::new(&budget);
        let documents = compose::documents(text, 0, Dialect::Kustomize, &mut meter, &mut |_| {});
        let documents = documents.map_err(|fault| fault.message)?;
        Ok(documents.iter().map(crate::yaml::node::Node::value).collect())
    }

    #[test]
    fn what_libyaml_reads_is_read() {
        use serde_json::json;
        for (text, expected) in [
            ("a:\n  b: [\n    x,\n  ]\n", json!([{"a": {"b": ["x"]}}])),
            ("a:\n  b: [\n  x,\n  'y: z'\n  ]\nc: d\n", json!([{"a": {"b": ["x", "y: z"]}, "c": "d"}])),
            (
                "a:\n- b: {\n  c: [\n  1, # ]\n  2\n  ]\n  }\n  d: e\n",
                json!([{"a": [{"b": {"c": [1, 2]}, "d": "e"}]}]),
            ),
            (
                "a:\n  b: 'one\n  two'\n  c: \"x\\\n  \\ y\n\n  z\"\n",
                json!([{"a": {"b": "one two", "c": "x y\nz"}}]),
            ),
            ("a:\n  b: 'it''s\n  me'\n---\n- c:\td\n", json!([{"a": {"b": "it's me"}}, [{"c": "d"}]])),
            ("a: |\n  ]\n  '\nb: {\n}\n", json!([{"a": "]\n'\n", "b": {}}])),
            ("a: 'x'#y\nb: \"é\"#\nc: [d]#e\n", json!([{"a": "x", "b": "é", "c": ["d"]}])),
        ] {
            assert_eq!(read(text).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_otherwise_stays_wrong() {
        for text in
            ["a: [\n", "a: b: c\n", "a:\n - b\n  - c: [\n]\nx\n y: z\n", "a: 'b\nc\n", "a: [x\nb: c\n"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lines_that_are_mended_stay_where_they_are_and_cost_little() {
        let text = "a:\n  b: [\n  x\n  ]\n".repeat(3);
        let parts: Vec<_> = (0..3).map(|_| text.as_str()).collect();
        let mended = mended(&parts.join("---\n")).unwrap();
        assert_eq!(mended.lines().count(), parts.join("---\n").lines().count());
        let many = format!("a:\n  b: [\n{}  ]\n", "  x,\n".repeat(100_000));
        assert!(super::mended(&many).is_some_and(|mended| mended.len() < many.len() + 1_000 * INDENT.len()));
    }
}
