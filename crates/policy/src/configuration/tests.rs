use std::fs;
use std::path::Path;

use super::*;

mod holes;
mod mistakes;
mod references;
mod statuses;

const VALID: &str = include_str!("tests/valid.yaml");

fn project() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn a_valid_configuration_is_read_whole() {
    let configuration = parse("countersign.yaml", VALID).unwrap();
    let targets: Vec<_> = configuration.targets().map(|target| target.target.to_string()).collect();
    assert_eq!(targets, ["shop/production/east", "shop/staging/local"]);
    let back =
        serde_json::from_value::<Configuration>(serde_json::to_value(&configuration).unwrap()).unwrap();
    assert_eq!(back, configuration);
}

#[test]
fn the_sample_is_valid() {
    let text = fs::read_to_string(project().join("samples/control/countersign.yaml")).unwrap();
    let configuration = parse("countersign.yaml", &text).unwrap();
    assert_eq!(configuration.targets().count(), 2);
}

/// The JSON Schemas in `docs/schema` are those that the code has.
/// `COUNTERSIGN_WRITE=1 cargo test -p countersign-policy schema` writes them anew.
#[test]
fn the_published_schemas_are_those_that_the_code_has() {
    let facts = schemars::SchemaGenerator::default().into_root_schema_for::<countersign_core::facts::Facts>();
    let decision =
        schemars::SchemaGenerator::default().into_root_schema_for::<countersign_core::decision::Decision>();
    let schemas = [
        ("countersign", schema()),
        ("facts", facts.to_value()),
        ("input", crate::input::schema()),
        ("decision", decision.to_value()),
    ];
    for (name, schema) in schemas {
        let path = project().join(format!("docs/schema/{name}.schema.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("COUNTERSIGN_WRITE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == text,
            "{} is out of date: run this test with COUNTERSIGN_WRITE=1",
            path.display()
        );
    }
}

#[test]
fn every_field_in_the_schema_has_a_description() {
    let schema = schema();
    let definitions = schema["definitions"].as_object().unwrap();
    let structs = definitions.iter().filter(|(_, definition)| definition.get("properties").is_some());
    for (name, definition) in structs {
        for (field, about) in definition["properties"].as_object().unwrap() {
            assert!(about.get("description").is_some(), "{name}.{field}");
        }
        assert_eq!(definition["additionalProperties"], false, "{name}");
    }
}

#[test]
fn every_pattern_in_the_schema_has_a_rule() {
    fn patterns(value: &Value, found: &mut Vec<String>) {
        if let Some(object) = value.as_object() {
            found.extend(object.get("pattern").and_then(Value::as_str).map(str::to_owned));
            if let Some(keys) = object.get("patternProperties").and_then(Value::as_object) {
                found.extend(keys.keys().cloned());
            }
            object.values().for_each(|value| patterns(value, found));
        } else if let Some(list) = value.as_array() {
            list.iter().for_each(|value| patterns(value, found));
        }
    }
    let mut found = Vec::new();
    patterns(&schema(), &mut found);
    assert!(found.len() > 10, "{found:?}");
    let rules = yaml::rules::all();
    for pattern in found {
        assert!(rules.iter().any(|rule| rule.mark == pattern), "{pattern}");
    }
}
