//! Manifests: whatever is rendered has canonical bytes that read back as the same objects.
#![no_main]

use std::collections::BTreeMap;

use countersign_core::manifest::Manifest;
use countersign_render::budget::Budget;
use countersign_render::rendered::render;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let tree = BTreeMap::from([("a/file.yaml".to_owned(), bytes.to_vec())]);
    let Ok(rendered) = render(&tree, "a", &["default".to_owned()], &Budget::default()) else { return };
    let blob = rendered.blob().expect("rendered objects have canonical bytes");
    let read: Manifest = read_back(&blob.bytes);
    assert_eq!(read, rendered.manifest());
});

fn read_back(bytes: &[u8]) -> Manifest {
    serde_json::from_slice(bytes).expect("canonical bytes are JSON")
}
