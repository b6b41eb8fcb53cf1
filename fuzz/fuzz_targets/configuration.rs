//! `countersign.yaml`, waivers, and rules.
#![no_main]

use std::collections::BTreeMap;

use countersign_policy::{configuration, engine, waiver};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = configuration::parse("countersign.yaml", text);
    let _ = waiver::parse("waivers/a.yaml", text);
    let modules = BTreeMap::from([("policies/a/b/b.rego".to_owned(), text.to_owned())]);
    let _ = engine::compile(&modules, &serde_json::json!({}));
});
