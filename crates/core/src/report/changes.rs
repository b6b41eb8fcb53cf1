//! What a change would do to objects, for people. Values of Secrets came masked.

use serde_json::Value;

use super::list;
use super::markdown::code;
use crate::facts::{ChangeKind, FieldDiff, ObjectDiff};
use crate::ports::forge::ReportedTarget;

/// Fields of one object that are listed before the rest is counted.
const MAX_FIELDS: usize = 10;

/// Characters of a value that are shown.
const MAX_VALUE: usize = 80;

/// What the change holds, as long as nothing was done that says more.
pub(super) fn changes(target: &ReportedTarget) -> String {
    if target.outcome.is_some() {
        return String::new();
    }
    if !target.diff.is_empty() {
        return format!("\n### What would change\n\n{}", list(&target.diff, object));
    }
    let objects = &target.decision.objects;
    if objects.is_empty() {
        return String::new();
    }
    format!("\n### Objects\n\n{}", list(objects, |object| format!("- {}\n", code(&object.to_string()))))
}

fn object(diff: &ObjectDiff) -> String {
    let how = match diff.change {
        ChangeKind::Added => "would be created",
        ChangeKind::Changed => "would be changed",
        ChangeKind::Removed => "would be deleted",
    };
    let mut text = format!("- {} {how}\n", code(&diff.key.to_string()));
    for field in diff.fields.iter().take(MAX_FIELDS) {
        text += &format!("  - {}: {}\n", code(&field.field), values(field));
    }
    if let Some(more) = diff.fields.len().checked_sub(MAX_FIELDS).filter(|more| *more > 0) {
        text += &format!("  - and {more} more fields\n");
    }
    text
}

fn values(field: &FieldDiff) -> String {
    match (&field.before, &field.after) {
        (Some(before), Some(after)) => format!("{} becomes {}", shown(before), shown(after)),
        (None, Some(after)) => format!("{} is new", shown(after)),
        (Some(before), None) => format!("{} is removed", shown(before)),
        (None, None) => "differs".to_owned(),
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= MAX_VALUE {
        return code(&text);
    }
    let kept: String = text.chars().take(MAX_VALUE).collect();
    format!("{} (shortened)", code(&kept))
}
