//! What holds of everything that is written to a cluster.

use countersign_core::digest::canonical_json;
use countersign_core::facts::ObjectKey;
use serde_json::Value;

use super::Watch;
use crate::simulation::installation::WITNESSED_CLUSTER;

impl Watch {
    /// An object was written to a cluster: some leaf authorizes exactly this, and the witness has seen it where it must.
    pub fn applied(&self, cluster: &str, manager: &str, object: &Value) {
        let seen = self.seen();
        let leaf = seen.objects.get(&(cluster.to_owned(), canonical(object))).copied();
        let cosigned = seen.cosigned;
        drop(seen);
        let what = || format!("{manager} applied {} on {cluster}", object["metadata"]["name"]);
        let Some(leaf) = leaf else {
            return self.sim.violate(format!("{}, which no leaf authorizes", what()));
        };
        self.check(cluster != WITNESSED_CLUSTER || leaf < cosigned, || {
            format!("{} by leaf {leaf}, and the witness cosigned {cosigned} leaves", what())
        });
    }

    /// An object was deleted from a cluster: no change that is applied there wants it.
    pub fn uprooted(&self, cluster: &str, key: &ObjectKey) {
        let seen = self.seen();
        let wanting = seen.inventories.iter().find(|((at, _), sequence)| {
            at == cluster && seen.wanted.get(sequence).is_some_and(|wanted| wanted.contains(key))
        });
        let wanting = wanting.map(|((_, name), sequence)| format!("{name} of leaf {sequence}"));
        drop(seen);
        self.check(wanting.is_none(), || {
            format!("{key} is deleted on {cluster}, and wanted by {}", wanting.unwrap_or_default())
        });
    }

    /// A text of ours was written to a cluster.
    pub fn kept(&self, cluster: &str, object: &Value) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if let Some(text) = object["data"]["checkpoint"].as_str() {
            let size = self.published_size(text);
            let before = size.and_then(|size| self.seen().kept.insert(cluster.to_owned(), size)).unwrap_or(0);
            self.check(size.is_some(), || format!("{cluster} keeps a checkpoint that was never published"));
            self.check(size.is_none_or(|size| size >= before), || {
                format!("{cluster} keeps an older checkpoint")
            });
        }
        let inventory = object["data"]["inventory.json"].as_str();
        let inventory: Option<Value> = inventory.and_then(|text| serde_json::from_str(text).ok());
        let Some(sequence) = inventory.and_then(|inventory| inventory["sequence"]["index"].as_u64()) else {
            return;
        };
        let before =
            self.seen().inventories.insert((cluster.to_owned(), name.clone()), sequence).unwrap_or(0);
        self.check(sequence >= before, || {
            format!("{name} on {cluster} goes back from sequence {before} to {sequence}")
        });
    }
}

/// An object as it was judged: without the annotation that names its owner.
pub(super) fn canonical(object: &Value) -> String {
    let mut object = object.clone();
    let annotations = object["metadata"]["annotations"].as_object_mut();
    let empty = annotations.is_none_or(|annotations| {
        annotations.remove("countersign.example/owner");
        annotations.is_empty()
    });
    if let (true, Some(metadata)) = (empty, object["metadata"].as_object_mut()) {
        metadata.remove("annotations");
    }
    String::from_utf8(canonical_json(&object).unwrap_or_default()).unwrap_or_default()
}
