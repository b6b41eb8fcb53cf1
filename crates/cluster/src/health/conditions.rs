//! What objects of every kind tell in the same way.

use serde_json::Value;

use super::fields::{list, number, text};
use super::{Health, Status};

/// A condition of an object.
pub struct Condition<'a>(&'a Value);

impl<'a> Condition<'a> {
    pub fn is(&self, status: &str) -> bool {
        text(self.0, "/status") == status
    }

    pub fn reason(&self) -> &'a str {
        text(self.0, "/reason")
    }

    /// The message, or the reason where there is none, or `otherwise`.
    pub fn message(&self, otherwise: &str) -> String {
        let told = [text(self.0, "/message"), self.reason()];
        told.into_iter().find(|told| !told.is_empty()).unwrap_or(otherwise).to_owned()
    }
}

/// The condition of this type, if the object has it.
pub fn find<'a>(object: &'a Value, kind: &str) -> Option<Condition<'a>> {
    let conditions = list(object, "/status/conditions");
    conditions.iter().find(|condition| text(condition, "/type") == kind).map(Condition)
}

/// What holds whatever the kind: being deleted, not seen by its controller yet, and the conditions
/// `Reconciling` and `Stalled`, which say only that something is not as it should be.
pub fn common(object: &Value) -> Option<Health> {
    if object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null()) {
        return Some(Health::new(Status::Terminating, "it is being deleted"));
    }
    let generation = number(object, "/metadata/generation");
    let observed = number(object, "/status/observedGeneration");
    if let (Some(generation), Some(observed)) = (generation, observed)
        && generation != observed
    {
        let message = format!("generation {observed} was observed, {generation} is wanted");
        return Some(Health::in_progress(message));
    }
    if let Some(condition) = find(object, "Stalled").filter(|condition| condition.is("True")) {
        return Some(Health::failed(condition.message("it is stalled")));
    }
    find(object, "Reconciling")
        .filter(|condition| condition.is("True"))
        .map(|condition| Health::in_progress(condition.message("it is being reconciled")))
}

/// What the condition `Ready` says, if there is one.
pub fn ready(object: &Value) -> Option<Health> {
    let condition = find(object, "Ready")?;
    Some(match condition.is("True") {
        true => Health::current(condition.message("")),
        false => Health::in_progress(condition.message("it is not ready")),
    })
}
