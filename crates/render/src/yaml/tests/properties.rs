//! What holds for every text and every value.

use proptest::prelude::*;
use serde_json::Value;

use super::super::{scalar, write};
use super::{read, read_json};

/// Any value that rendering may hold: numbers without a fraction are integers.
fn values() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_filter_map("finite", scalar::number_of);
    let text = prop_oneof![
        any::<String>(),
        "[ -~\n\t]{0,40}",
        "[-+.:_0-9xobeEynNaif~]{0,8}",
        Just("null".to_owned()),
        Just("<<".to_owned()),
        "[a-z \n]{0,60}\n?",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        number,
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_written_is_read_back(value in values()) {
        prop_assert_eq!(read(&write::to_yaml([&value])), Ok(vec![value]));
    }

    #[test]
    fn json_is_read_back(value in values()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(read_json(&text), Ok(vec![value]));
    }

    #[test]
    fn reading_never_panics(text in any::<String>()) {
        let _ = read(&text);
        let _ = read_json(&text);
    }

    #[test]
    fn reading_what_looks_like_yaml_never_panics(
        parts in prop::collection::vec(prop::sample::select(&TOKENS[..]), 0..60),
    ) {
        let text = parts.concat();
        let _ = read(&text);
        let _ = read_json(&text);
    }
}

const TOKENS: [&str; 46] = [
    "a",
    "b: ",
    ": ",
    "- ",
    "? ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\n",
    "\n  ",
    "\n    ",
    "\r\n",
    "\t",
    " ",
    "'",
    "\"",
    "\\",
    "\\u",
    "|",
    ">",
    "|2-",
    "+",
    "#",
    " # c",
    "&x ",
    "*x",
    "!!str ",
    "!",
    "!t! ",
    "%TAG !t! x\n",
    "%YAML 1.1\n",
    "---",
    "\n---\n",
    "...",
    "\n...\n",
    "<<: ",
    "~",
    "0x",
    "1_0",
    "é",
    "\u{feff}",
    "@",
    "`",
    "\u{2028}",
];
