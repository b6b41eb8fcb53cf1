//! Values as people spell them.

use crate::draw::{Draw, hanging};

/// Spellings whose meaning is easily changed. Those of more than one line are indented where they are put.
const VALUES: [&str; 64] = [
    "plain",
    "\"quoted\"",
    "'single ''quoted'''",
    "yes",
    "no",
    "on",
    "Off",
    "y",
    "n",
    "true",
    "True",
    "\"true\"",
    "0644",
    "0o644",
    "0x1F",
    "1_000",
    "1e3",
    "1.0",
    ".5",
    "1.",
    "0.10",
    "-0",
    "+1",
    "9007199254740993",
    "18446744073709551615",
    "-9223372036854775808",
    "'0644'",
    "\"123\"",
    "2001-12-14",
    "2001-12-14T21:59:43.10-05:00",
    "12:30:45",
    "null",
    "~",
    "",
    "|\n  one\n   two\n",
    "|-\n  one\n\n  two",
    "|+\n  one\n\n",
    ">\n  one\n  two\n\n  three\n",
    "\"a\\tb\\n\\u00e9\"",
    "x # a comment",
    "\"# no comment\"",
    "\"a: b\"",
    "a:b",
    "\"\"",
    "''",
    "=",
    "0b11",
    "é ☃ 😀",
    "\"{}\"",
    "[]",
    "{}",
    "$(VAR) and $$(VAR)",
    "{a: , b: x}",
    "[{c}, d: , e]",
    "{f: {g: }, h: null}",
    "80",
    "\"on\"",
    "'a, b'",
    "\"- x\"",
    "'12:30'",
    "\" lead\"",
    "'@x'",
    "\"2001-12-14\"",
    "'é'",
];

/// A value for a field of a ConfigMap, indented for a key at `indent`.
pub fn value(draw: &mut Draw<'_>, indent: usize) -> String {
    hanging(draw.pick(&VALUES), indent)
}

/// Those that are no collections, indented for a key at `indent`.
pub fn scalars(indent: usize) -> Vec<String> {
    let single = VALUES.iter().filter(|value| !value.starts_with(['[', '{']));
    single.map(|value| hanging(value, indent)).collect()
}
