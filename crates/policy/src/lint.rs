//! Name resolution and shape, checked when a bundle is compiled: what the engine would find only when a rule
//! runs, or never.
//!
//! A misspelt `data` path is silently undefined there, so that its rule never denies; an unknown function
//! fails only when it is reached. Here both are mistakes with a line. So are recursion, chains of calls that
//! would multiply the budget, and builtins that know more than facts or work without bound.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::facts::Problem;
use serde_json::Value;

use crate::engine::package::{Module, Package, Packages};
use crate::yaml;

pub mod cost;
pub mod names;
pub mod schema;
pub mod uses;

/// What may be named in a package.
pub struct World<'a> {
    /// The package itself.
    pub own: &'a str,
    /// The names of rules and functions by package: its own and the library's. A function has a number of
    /// arguments.
    pub packages: BTreeMap<String, BTreeMap<String, Option<usize>>>,
    /// The names of every other rule's package.
    pub others: BTreeSet<&'a str>,
    /// The `data` document, where it is known.
    pub data: Option<&'a Value>,
    /// The JSON Schema of `input`.
    pub input: &'a Value,
}

/// What is wrong with the packages. Without `data`, its paths are taken on trust.
#[must_use]
pub fn check(packages: &Packages, data: Option<&Value>) -> Vec<Problem> {
    let input = crate::input::schema();
    let mut problems = Vec::new();
    let library: BTreeSet<&str> = packages.library.iter().map(|module| module.package.as_str()).collect();
    for own in library {
        let modules = packages.library.iter().filter(|module| module.package == own);
        let tests = packages.library_tests.iter().filter(|module| module.package == own);
        problems.extend(check_package(own, modules, tests, packages, data, &input));
    }
    for Package { name, modules, tests } in &packages.rules {
        problems.extend(check_package(name, modules.iter(), tests.iter(), packages, data, &input));
        if let Some(problem) = lacks_test(name, tests) {
            problems.push(problem);
        }
    }
    problems
}

fn check_package<'a>(
    own: &'a str,
    modules: impl Iterator<Item = &'a Module> + Clone,
    tests: impl Iterator<Item = &'a Module> + Clone,
    packages: &'a Packages,
    data: Option<&'a Value>,
    input: &'a Value,
) -> Vec<Problem> {
    let others =
        packages.rules.iter().map(|package| package.name.as_str()).filter(|name| *name != own).collect();
    let mut world = World { own, packages: BTreeMap::new(), others, data, input };
    for module in modules.clone().chain(&packages.library) {
        world.packages.entry(module.package.clone()).or_default().extend(uses::declared(&module.syntax));
    }
    let mut problems = Vec::new();
    let mut costs = cost::Calls::default();
    for module in modules.clone() {
        names::check(module, &world, false, &mut problems);
    }
    for module in modules.clone().chain(packages.library.iter().filter(|module| module.package != own)) {
        costs.add(module, &world);
    }
    problems.extend(costs.check());
    for module in tests.clone() {
        let declared = uses::declared(&module.syntax);
        world.packages.entry(own.to_owned()).or_default().extend(declared);
    }
    for module in tests.clone() {
        names::check(module, &world, true, &mut problems);
    }
    for module in modules.chain(tests) {
        problems.extend(names::shadows(module, &world));
    }
    problems
}

/// A file named like a test that tests nothing is no test.
fn lacks_test(name: &str, tests: &[Module]) -> Option<Problem> {
    let tested = tests
        .iter()
        .any(|module| uses::declared(&module.syntax).keys().any(|rule| rule.starts_with("test_")));
    let first = tests.first().filter(|_| !tested)?;
    let message = format!("the test of {name} has no rule whose name begins with test_");
    Some(yaml::problem(&first.file, 1, message, "write `test_what_is_denied if { … }`"))
}

#[cfg(test)]
mod tests;
