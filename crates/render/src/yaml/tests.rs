use serde_json::{Value, json};

use super::*;

mod properties;

/// The values of every document, or the first fault as `line: message`.
fn read(text: &str) -> Result<Vec<Value>, String> {
    read_with(text, &Budget::default(), yaml)
}

fn read_json(text: &str) -> Result<Vec<Value>, String> {
    read_with(text, &Budget::default(), json)
}

type Reader = fn(&str, &mut Meter<'_>, Soft<'_>) -> Result<Vec<node::Node>, Fault>;

fn yaml(text: &str, meter: &mut Meter<'_>, soft: Soft<'_>) -> Result<Vec<node::Node>, Fault> {
    compose::documents(text, 0, scalar::Dialect::Kubernetes, meter, soft)
}

fn json(text: &str, meter: &mut Meter<'_>, soft: Soft<'_>) -> Result<Vec<node::Node>, Fault> {
    super::json::documents(text, 0, meter, soft)
}

fn read_with(text: &str, budget: &Budget, reader: Reader) -> Result<Vec<Value>, String> {
    let mut soft = Vec::new();
    let documents = reader(text, &mut Meter::new(budget), &mut |fault| soft.push(fault));
    let told = |fault: &Fault| format!("{}: {}", fault.line, fault.message);
    match (soft.first(), documents) {
        (Some(fault), _) => Err(told(fault)),
        (None, Err(fault)) => Err(told(&fault)),
        (None, Ok(documents)) => Ok(documents.iter().map(node::Node::value).collect()),
    }
}

fn one(text: &str) -> Value {
    let mut documents = read(text).unwrap();
    assert_eq!(documents.len(), 1, "{text:?}");
    documents.remove(0)
}

fn fault(text: &str) -> String {
    read(text).unwrap_err()
}

#[test]
fn values_are_those_of_kubernetes_own_reader() {
    let table = include_str!("../../tests/dialect.jsonl");
    let mut compared = 0;
    for line in table.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let yaml = case["yaml"].as_str().unwrap();
        assert_eq!(read(yaml), read_json(case["json"].as_str().unwrap()), "{yaml:?}");
        compared += 1;
    }
    assert!(compared > 300, "{compared}");
}

#[test]
fn a_value_that_json_cannot_hold_is_refused() {
    for (text, what) in [
        ("a: .inf", "infinite"),
        ("a: -.INF", "infinite"),
        ("a: .NaN", "not a number"),
        ("a: 18446744073709551616", "more than 64 bits"),
        ("a: -9223372036854775809", "more than 64 bits"),
        ("a: 0xFFFFFFFFFFFFFFFFF", "more than 64 bits"),
        ("a: !!binary aGk=", "!!binary"),
        ("a: !thing b", "not known"),
        ("a: !!set {b}", "not known"),
        ("a: !!int b", "not what"),
        ("a: !!bool 1", "not what"),
    ] {
        let message = fault(text);
        assert!(message.starts_with("1: ") && message.contains(what), "{text:?}: {message}");
    }
    assert_eq!(one("a: 18446744073709551615"), json!({"a": u64::MAX}));
    assert_eq!(one("a: -9223372036854775808"), json!({"a": i64::MIN}));
    assert_eq!(one("a: !!str 12\nb: !!int '3'\nc: !!float 1\n"), json!({"a": "12", "b": 3, "c": 1}));
}

#[test]
fn keys_are_strings_and_unique() {
    assert_eq!(fault("a: 1\n8080: b"), "2: this key is a number: keys are strings");
    assert_eq!(fault("on: push"), "1: this key is a boolean: keys are strings");
    assert_eq!(fault("~: a"), "1: this key is null: keys are strings");
    assert_eq!(fault("? [a]\n: b"), "1: this key is a list: keys are strings");
    assert_eq!(fault("a: 1\nb: 2\n\"a\": 3"), "3: the key \"a\" is written twice: first on line 1");
    assert_eq!(one("'8080': a\n2026-11-20: b"), json!({"8080": "a", "2026-11-20": "b"}));
}

#[test]
fn anchors_are_expanded_within_their_document() {
    assert_eq!(one("a: &x {b: [1]}\nc: *x"), json!({"a": {"b": [1]}, "c": {"b": [1]}}));
    assert_eq!(one("a: &x 1\nb: &x 2\nc: *x"), json!({"a": 1, "b": 2, "c": 2}));
    assert!(fault("a: &x 1\n---\nb: *x").starts_with("3: this alias"));
    assert!(fault("a: &x [*x]").contains("not complete"));
    assert!(fault("a: *x").contains("not valid YAML"));
}

#[test]
fn merge_keys_give_what_is_not_written() {
    let base = "base: &b {x: 1, v: {z: 2}}\nother: &o {x: 3, w: 4}\n";
    let merged = |text: &str| one(&format!("{base}got:\n{text}"))["got"].clone();
    assert_eq!(merged("  <<: *b\n  x: 9\n"), json!({"x": 9, "v": {"z": 2}}));
    assert_eq!(merged("  <<: [*o, *b]\n"), json!({"x": 3, "w": 4, "v": {"z": 2}}));
    assert_eq!(merged("  \"<<\": 5\n"), json!({"<<": 5}));
    assert_eq!(merged("  !!merge <<: *o\n"), json!({"x": 3, "w": 4}));
    let refused = |text: &str| fault(&format!("{base}got:\n{text}"));
    assert!(refused("  x: 9\n  <<: *b\n").starts_with("5: << brings the key \"x\""));
    assert!(refused("  <<: *b\n  <<: *o\n").contains("written twice"));
    assert!(refused("  <<: *b\n  x: 1\n  x: 2\n").contains("written twice"));
    assert!(refused("  <<: 1\n").contains("takes a mapping"));
}

#[test]
fn a_file_is_a_stream_of_documents() {
    assert_eq!(read("a: 1\n---\n# nothing\n---\nb: 2\n...\n---\nc: 3\n").unwrap().len(), 4);
    assert_eq!(read("\u{feff}a: 1\r\nb:\r\n- x\r\n").unwrap(), [json!({"a": 1, "b": ["x"]})]);
    assert_eq!(read(""), Ok(vec![]));
    assert_eq!(read("# only a comment\n"), Ok(vec![]));
    assert_eq!(read("{\"a\": [1, true, null]}").unwrap(), [json!({"a": [1, true, null]})]);
}

#[test]
fn a_document_begins_with_its_mark() {
    assert_eq!(read("a: 1\n--- # more\n\u{feff}b: 2\n---\r\n\u{feff}c: 3\n").unwrap().len(), 3);
    assert!(fault("a: 1\n...\nb: 2\n").starts_with("3: a document begins after ... without ---"));
    assert_eq!(read("a: 1\n...\n# no more\n...\n").unwrap().len(), 1);
}

#[test]
fn a_null_of_which_nothing_is_written_in_brackets_is_a_text_to_kustomize() {
    let kustomize: Reader =
        |text, meter, soft| compose::documents(text, 0, scalar::Dialect::Kustomize, meter, soft);
    let text =
        "é: {a: , b, c: null, d: ~}\r\ne:\nf:\n- {g: [h: ]}\n- i:\n-\nj: &x {k: }\nl:\r\n- *x\n- [\n  m: ]\n";
    let as_written = json!({"é": {"a": "", "b": "", "c": null, "d": null}, "e": null,
        "f": [{"g": [{"h": ""}]}, {"i": null}, null], "j": {"k": ""}, "l": [{"k": ""}, [{"m": ""}]]});
    assert_eq!(read_with(text, &Budget::default(), kustomize).unwrap(), [as_written]);
    assert_eq!(one("a: {b: , c}\n"), json!({"a": {"b": null, "c": null}}));
}

#[test]
fn bad_text_is_refused_at_its_line() {
    assert!(fault("a: 1\nb: [1\nc: 2").contains("not valid YAML"));
    assert!(fault("a:\n\tb: 1").starts_with("2: not valid YAML"));
    assert_eq!(fault("a: 1\nb: \0"), "2: the character U+0000 is not allowed in YAML");
}

#[test]
fn lines_are_kept_level_by_level() {
    let text = "# a comment\napiVersion: v1\nspec:\n  list:\n  - name: x\n    a/b~c: 1\n  -\n    name: y\n";
    let budget = Budget::default();
    let documents = yaml(text, &mut Meter::new(&budget), &mut |_| {}).unwrap();
    let mut left = 1_000;
    let lines = documents[0].places(&mut left);
    let line = |pointer: &str| lines[pointer].line;
    assert_eq!(documents[0].at.line, 2);
    assert_eq!((line("/apiVersion"), line("/spec"), line("/spec/list")), (2, 3, 4));
    assert_eq!((line("/spec/list/0"), line("/spec/list/0/a~1b~0c"), line("/spec/list/1/name")), (5, 6, 8));
    assert_eq!(left, 1_000 - lines.keys().map(String::len).sum::<usize>());
    let mut left = 20;
    assert_eq!(documents[0].places(&mut left).keys().collect::<Vec<_>>(), ["/apiVersion", "/spec"]);
}

#[test]
fn json_is_read_as_json() {
    let text =
        "{\n\t\"a\": \"\\ud83d\\ude00\\/\",\n  \"b\": [1, -0, 1.0, 1e3, 0.5, true, null],\n  \"y\": {}\n}";
    let expected = json!({"a": "😀/", "b": [1, 0, 1, 1000, 0.5, true, null], "y": {}});
    assert_eq!(read_json(text), Ok(vec![expected]));
    assert_eq!(read_json("{} {}\n{}").unwrap().len(), 3);
    for (text, what) in [
        ("{\"a\":1,\n\"a\":2}", "2: the key \"a\" is written twice"),
        ("[1,]", "expected a value, found ']'"),
        ("{\"a\":1,}", "expected a key in double quotes"),
        ("[1", "expected ',' or ']', found the end of the file"),
        ("{'a':1}", "expected a key"),
        ("\"\\q\"", "escape"),
        ("\"abc", "does not end"),
        ("01", "not a number"),
        ("18446744073709551616", "more than 64 bits"),
        ("1e999", "not a number"),
        ("{\"a\" 1}", "expected ':'"),
    ] {
        let message = read_json(text).unwrap_err();
        assert!(message.contains(what), "{text:?}: {message}");
    }
}

#[test]
fn an_alias_bomb_is_stopped_where_it_grows() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(fault(&bomb).contains("aliases expand to more than"));
    let text = format!("a: &a {}\nb:\n{}", "x".repeat(1 << 20), "- *a\n".repeat(1_000));
    assert!(fault(&text).contains("aliases expand to more than"));
}

#[test]
fn deep_nesting_is_stopped() {
    for opening in ["[", "{a: ", "- ", "? "] {
        let message = fault(&opening.repeat(100_000));
        let stopped = ["nested deeper", "not valid YAML", "opening brackets"];
        assert!(stopped.iter().any(|what| message.contains(what)), "{message}");
    }
    assert!(read_json(&"[".repeat(100_000)).unwrap_err().contains("nested deeper than 100 levels"));
    let fits = format!("{}{}", "[".repeat(101), "]".repeat(101));
    assert!(read(&fits).is_ok() && read_json(&fits).is_ok());
    assert!(fault(&format!("[{fits}]")).contains("nested deeper than 100 levels"));
    let mut chain = String::from("a0: &a0 [x]\n");
    for level in 1..200 {
        chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(fault(&chain).contains("nested deeper than 100 levels"));
}

#[test]
fn values_are_counted() {
    let budget = Budget { nodes: 1_000, ..Budget::default() };
    let flow = format!("[{}1]", "1,".repeat(2_000));
    let told = |text: &str, reader: Reader| read_with(text, &budget, reader).unwrap_err();
    assert!(told(&flow, json).contains("more than 1000 values"));
    assert!(told(&"- 1\n".repeat(2_000), yaml).contains("more than 1000 values"));
    assert!(told(&flow, yaml).contains("more than 250 commas and opening brackets"));
}

#[test]
fn the_keys_that_lead_to_a_value_are_not_longer_than_the_budget() {
    let budget = Budget { path: 100, ..Budget::default() };
    for text in [
        format!("{{\"{}\": 1}}", "k".repeat(100)),
        "{\"0123456789\": [".repeat(6) + "1",
        format!("{{\"a\": &a {{\"{0}\": 1}}, \"{0}\": *a}}", "k".repeat(60)),
    ] {
        for reader in [yaml as Reader, json] {
            let message = read_with(&text, &budget, reader).unwrap_err();
            let is_alias = message.contains("not valid JSON");
            assert!(is_alias || message.contains("have more than 100 bytes"), "{text}: {message}");
        }
    }
    assert!(read_with(&format!("{{\"{}\": 1}}", "k".repeat(99)), &budget, json).is_ok());
}

#[test]
fn what_is_written_is_readable() {
    let object = json!({"kind": "ConfigMap", "apiVersion": "v1", "data": {
        "yes": "no", "number": "0123", "when": "2026-11-20", "path": "/a/b.c", "text": "one\n two\n",
        "cut": "a\nb", "none": "", "list": [[1, []], {"a": {}, "b": null}], "odd": "a: b # c",
    }});
    let text = write::to_yaml([&object]);
    assert_eq!(
        text,
        "---\napiVersion: v1\nkind: ConfigMap\ndata:\n  cut: |-\n    a\n    b\n  list:\n  - - 1\n    - []\n  \
         - a: {}\n    b: null\n  none: \"\"\n  number: \"0123\"\n  odd: \"a: b # c\"\n  path: /a/b.c\n  \
         text: |\n    one\n     two\n  when: \"2026-11-20\"\n  \"yes\": \"no\"\n"
    );
    assert_eq!(read(&text), Ok(vec![object]));
    let long = json!({"k".repeat(900): {"é".repeat(500): [1]}});
    assert_eq!(read(&write::to_yaml([&long, &long])), Ok(vec![long.clone(), long]));
}
