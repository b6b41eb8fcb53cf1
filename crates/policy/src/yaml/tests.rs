use serde::Deserialize;
use serde_json::json;

use super::*;

fn messages(text: &str) -> Vec<String> {
    let problems = parse("f", text).unwrap_err();
    problems.iter().map(|problem| format!("{}: {}", problem.at.line, problem.message)).collect()
}

#[test]
fn a_document_is_read_with_the_line_of_everything() {
    let text = "# comment\na:\n  b: [1,\n    2]\n  c: &x {d: \"e\"}\nf: *x\ng: |\n  two\n  lines\n";
    let node = parse("f", text).unwrap();
    let expected = json!({"a": {"b": [1, 2], "c": {"d": "e"}}, "f": {"d": "e"}, "g": "two\nlines\n"});
    assert_eq!(node.to_json(), expected);
    let lines: Vec<u32> = [&["a"][..], &["a", "b"], &["a", "b", "1"], &["a", "c", "d"], &["f"], &["g"]]
        .iter()
        .map(|path| node.line_of(path))
        .collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7]);
    assert_eq!(node.line_of(&["a", "missing", "deeper"]), 2, "the nearest thing above");
}

#[test]
fn what_readers_of_yaml_disagree_on_is_refused() {
    let table = [
        ("a: 1\na: 2\nb:\n  c: 1\n  c: 2", vec!["2: duplicate key `a`", "5: duplicate key `b.c`"]),
        ("a: 1\n---\nb: 2", vec!["2: a second document begins here"]),
        ("", vec!["1: the file is empty"]),
        ("# only a comment", vec!["1: the file is empty"]),
        ("a: 1\nb: !secret x", vec!["2: tags such as `!x` are not read"]),
        ("a: &a {x: 1}\nb:\n  <<: *a", vec!["3: merge keys (`<<`) are not part of YAML 1.2"]),
        ("? [a]\n: 1", vec!["1: a key must be a plain text"]),
        ("a: &a x\n*a : 1", vec!["2: a key must be a plain text"]),
        ("a: &a [*a]", vec!["1: this alias stands for something that holds the alias itself"]),
        (
            "mode: 0644\nbig: 1e999",
            vec![
                "1: `0644` is octal to some readers of YAML and decimal to others",
                "2: `1e999` does not fit in a 64-bit number",
            ],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(messages(text), expected, "{text:?}");
    }
    assert!(messages("a: [1").first().unwrap().contains("this is not valid YAML"));
}

#[test]
fn size_depth_and_aliases_have_a_budget() {
    assert!(messages(&"#".repeat(parse::MAX_BYTES + 1))[0].contains("bytes, at most"));
    assert!(messages(&"[".repeat(100))[0].contains("nested more than 64 deep"));
    // The scanner below has a limit of its own, and meets it first.
    assert!(messages(&"[".repeat(100_000))[0].contains("this is not valid YAML"));
    assert!(messages(&"- ".repeat(1000))[0].contains("nested more than 64 deep"));
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs += &format!("a{level}: &a{level} [{items}]\n");
    }
    assert!(messages(&laughs)[0].contains("too large once its aliases are replaced"));
    let nested = format!("{}x{}", "[&a ".repeat(60), "]".repeat(60));
    let wide = format!("a: &a \"{}\"\nb: {nested}", "y".repeat(parse::MAX_BYTES / 2));
    assert!(parse("f", &wide).is_ok());
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sample {
    /// How many.
    count: u32,
    #[serde(default)]
    signed: bool,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    items: BTreeMap<String, Vec<Item>>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Item {
    kind: Kind,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    First,
    Second,
}

#[test]
fn a_document_of_a_type_is_read() {
    let (sample, _) = read::<Sample>("f", "count: 2\nnote: null\nitems:\n  x: [{kind: second}]").unwrap();
    assert_eq!((sample.count, sample.note), (2, None));
    assert_eq!(sample.items["x"], [Item { kind: Kind::Second }]);
}

#[test]
fn every_mistake_of_shape_is_reported_and_the_rest_is_kept() {
    let text = "signde: true\nsigned: yes\ncount: 1\nnote: 12\nitems:\n  x:\n  - kind: secnd\n  - kind: first\n  - {}\n  y: 3\n";
    let reading = inspect::<Sample>("f", text);
    let found: Vec<_> = reading
        .problems
        .iter()
        .map(|problem| {
            (problem.at.line, problem.message.as_str(), problem.help.as_deref().unwrap_or_default())
        })
        .collect();
    assert_eq!(
        found,
        [
            (1, "the file has no field `signde`", "did you mean `signed`?"),
            (2, "`signed` must be true or false, but is text", ""),
            (4, "`note` must be text, but is a number", "put it in quotes"),
            (
                7,
                "`items.x.0.kind` must be one of `first`, `second`, but is \"secnd\"",
                "did you mean `second`?"
            ),
            (9, "`items.x.2` lacks the field `kind`", ""),
            (
                10,
                "`items.y` must be a list, but is a number",
                "write `- ` before each item, or `[` and `]` around them"
            ),
        ]
    );
    let left = reading.value.unwrap();
    assert_eq!((left.count, left.signed, left.note), (1, false, None));
    assert_eq!(left.items["x"], [Item { kind: Kind::First }]);
    assert!(read::<Sample>("f", text).is_err());
}

#[test]
fn nothing_is_kept_where_a_required_field_is_wrong() {
    for text in ["count: -1", "count: two", "{}", "[]", "count: 1.5", "~"] {
        let reading = inspect::<Sample>("f", text);
        assert!(reading.value.is_none() && reading.problems.len() == 1, "{text}: {reading:?}");
    }
    // Only the deserializer knows the largest 32-bit number.
    assert_eq!(inspect::<Sample>("f", "count: 4294967296").problems.len(), 1);
}

#[test]
fn no_text_makes_the_reader_panic() {
    let pieces = [
        "a", ":", " ", "\n", "- ", "[", "]", "{", "}", "&x ", "*x", "!t ", "|", ">", "\"", "'", "#", "---",
        "?", "é", "\t", ",",
    ];
    // A small generator of a fixed seed: the same texts in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text += pieces[usize::try_from(state % pieces.len() as u64).unwrap()];
        }
        let _ = inspect::<Sample>("f", &text);
    }
}
