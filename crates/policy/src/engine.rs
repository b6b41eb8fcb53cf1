//! The engine: one prepared interpreter per rule, made when a bundle is compiled and cloned per decision.
//!
//! One module that does not parse fails every query of its interpreter, so no two rules share one. Policies
//! see `input` and `data`, and call nothing: no extension is ever registered, and builtins that read a
//! clock, draw random numbers or reach a network are refused when names are resolved.

use std::collections::BTreeMap;

use countersign_core::facts::{ObjectKey, Problem};
use regorus::{Engine, Value};
use serde::Deserialize;

use crate::lint;
use crate::metadata::{self, Metadata};

pub mod budget;
pub mod package;
pub mod shape;

/// The engine and its version, as decisions name it.
pub const ENGINE: &str = "regorus 0.14.1";

/// The most findings of one rule that a decision carries.
const MAX_FINDINGS: usize = 1_000;

/// Every rule of a bundle, ready to answer.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Rule>,
}

/// One rule: a package of policies with its own interpreter.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its package, as `images.pinned`.
    pub name: String,
    /// The file that holds its metadata.
    pub file: String,
    /// What it says of itself.
    pub metadata: Metadata,
    engine: Engine,
}

/// What a rule answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// What it found; nothing if it passed.
    Found(Vec<Finding>),
    /// It did not answer: why.
    Errored(String),
    /// It did more work than [`budget::WORK`].
    OverBudget(String),
}

/// One thing that a rule found: an element of its `deny`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What is wrong.
    pub message: String,
    /// The object at fault.
    #[serde(default)]
    pub object: Option<ObjectKey>,
    /// The JSON pointer of the field at fault.
    #[serde(default)]
    pub field: Option<String>,
}

/// Compiles the rules of a bundle: parses every module, reads metadata, resolves names.
///
/// `modules` are texts by path, as `policies/images/pinned/pinned.rego`; `data` is the whole `data` document.
///
/// # Errors
/// Everything that is wrong, each with its file and line.
pub fn compile(modules: &BTreeMap<String, String>, data: &serde_json::Value) -> Result<Rules, Vec<Problem>> {
    budget::on_large_stack(|| compile_all(modules, data)).unwrap_or_else(|reason| {
        Err(vec![crate::yaml::problem("policies", 1, reason, "simplify what was added last")])
    })
}

fn compile_all(modules: &BTreeMap<String, String>, data: &serde_json::Value) -> Result<Rules, Vec<Problem>> {
    let packages = package::sort(modules)?;
    let mut problems = lint::check(&packages, Some(data));
    let mut rules = Vec::new();
    for rule in &packages.rules {
        match compile_rule(rule, &packages.library, data) {
            Ok(rule) => rules.push(rule),
            Err(found) => problems.extend(found),
        }
    }
    problems.sort_by(|a, b| (&a.at, &a.message).cmp(&(&b.at, &b.message)));
    problems.dedup();
    if problems.is_empty() { Ok(Rules { rules }) } else { Err(problems) }
}

fn compile_rule(
    rule: &package::Package,
    library: &[package::Module],
    data: &serde_json::Value,
) -> Result<Rule, Vec<Problem>> {
    let (file, metadata) = describe(rule)?;
    let modules = rule.modules.iter().chain(library);
    let engine = prepare(modules, Some(data), &format!("data.{}.deny", rule.name))
        .map_err(|message| vec![package::located(&file, &message)])?;
    Ok(Rule { name: rule.name.clone(), file, metadata, engine })
}

/// The file that holds a rule's metadata, and what it says.
///
/// # Errors
/// Every mistake in it; no metadata; two of them.
pub fn describe(rule: &package::Package) -> Result<(String, Metadata), Vec<Problem>> {
    let mut described = rule.modules.iter().filter(|module| metadata::is_present(&module.text));
    let module = described.next().or(rule.modules.first()).ok_or_else(Vec::new)?;
    if let Some(second) = described.next() {
        let message = format!("rule {} has a second METADATA comment", rule.name);
        let help = format!("keep the one in {}", module.file);
        return Err(vec![crate::yaml::problem(&second.file, 1, message, help)]);
    }
    Ok((module.file.clone(), metadata::read(&module.file, &module.text)?))
}

/// An interpreter with `modules` and `data`, analyzed for `rule`, which must exist.
///
/// # Errors
/// What the engine says, which begins with the place if it knows one.
pub fn prepare<'a>(
    modules: impl IntoIterator<Item = &'a package::Module>,
    data: Option<&serde_json::Value>,
    rule: &str,
) -> Result<Engine, String> {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    engine.set_gather_prints(true);
    budget::limit(&mut engine);
    for module in modules {
        engine.add_policy(module.file.clone(), module.text.clone()).map_err(|error| error.to_string())?;
    }
    if let Some(data) = data {
        engine.add_data(Value::from(data.clone())).map_err(|error| error.to_string())?;
    }
    let prepared = budget::guarded(|| engine.compile_with_entrypoint(&rule.into()).map(|_| ()));
    match prepared {
        Ok(()) => Ok(engine),
        Err(stopped) => Err(stopped.to_string()),
    }
}

impl Rules {
    /// Whether there is no rule at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Asks every rule about `input`. Always answers, in the order of the rules' names.
    #[must_use]
    pub fn evaluate(&self, input: &serde_json::Value) -> Vec<(&Rule, Answer)> {
        let input = Value::from(input.clone());
        let answers = budget::on_large_stack(|| {
            self.rules.iter().map(|rule| (rule, rule.evaluate(&input))).collect::<Vec<_>>()
        });
        answers.unwrap_or_else(|reason| {
            self.rules.iter().map(|rule| (rule, Answer::Errored(reason.clone()))).collect()
        })
    }
}

impl Rule {
    fn evaluate(&self, input: &Value) -> Answer {
        let mut engine = self.engine.clone();
        engine.set_input(input.clone());
        let path = format!("data.{}.deny", self.name);
        match budget::guarded(move || engine.eval_rule(path)) {
            Ok(value) => findings(&value),
            Err(budget::Stopped::OverBudget(reason)) => Answer::OverBudget(reason),
            Err(budget::Stopped::Errored(reason)) => Answer::Errored(reason),
        }
    }
}

/// Reads a `deny`: a set of objects. Anything else is not an answer.
fn findings(value: &Value) -> Answer {
    let elements = match value {
        Value::Set(elements) => elements,
        Value::Undefined => {
            return Answer::Errored("deny is undefined: it must be a set, empty if all is well".into());
        }
        _ => return Answer::Errored("deny is not a set: write `deny contains {…} if {…}`".into()),
    };
    if elements.len() > MAX_FINDINGS {
        return Answer::OverBudget(format!(
            "deny has {} elements, at most {MAX_FINDINGS} are read",
            elements.len()
        ));
    }
    let mut found = Vec::new();
    for element in elements.iter() {
        let finding = serde_json::to_value(element).and_then(serde_json::from_value::<Finding>);
        match finding {
            // The engine formats a value of the wrong type to nothing.
            Ok(finding) if finding.message.trim().is_empty() => {
                return Answer::Errored(
                    "an element of deny has an empty message: look at what sprintf is given".into(),
                );
            }
            Ok(finding) => found.push(finding),
            Err(error) => {
                return Answer::Errored(format!(
                    "an element of deny is not an object of message, object and field: {error}"
                ));
            }
        }
    }
    Answer::Found(found)
}

#[cfg(test)]
mod tests;
