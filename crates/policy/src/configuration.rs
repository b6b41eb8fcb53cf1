//! `countersign.yaml`: read strictly, checked as a whole, and every mistake told at once.

pub mod check;
pub mod key;

use countersign_core::configuration::Configuration;
use countersign_core::facts::Problem;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::yaml;

/// The name of the file in a control repository.
pub const FILE: &str = "countersign.yaml";

/// Reads a configuration and resolves everything that it refers to.
///
/// # Errors
/// Every mistake in it, in the order of the lines. What else is wrong is still looked for where a field
/// is wrong or missing, so that one run shows as much as can be known.
pub fn parse(file: &str, text: &str) -> Result<Configuration, Vec<Problem>> {
    let reading = yaml::inspect::<Configuration>(file, text);
    let mut problems = reading.problems;
    if let (Some(configuration), Some(document)) = (&reading.value, &reading.document) {
        problems.extend(check::check(file, document, configuration));
    }
    problems.sort_by_key(|problem| problem.at.line);
    match reading.value {
        Some(configuration) if problems.is_empty() => Ok(configuration),
        _ => Err(problems),
    }
}

/// The JSON Schema (draft 7, which editors understand) of `countersign.yaml`.
#[must_use]
pub fn schema() -> Value {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Configuration>();
    let mut schema = schema.to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), Value::from("countersign.yaml"));
    }
    schema
}

#[cfg(test)]
mod tests;
