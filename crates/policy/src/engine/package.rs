//! Which module belongs to which rule: one folder, one package, and the package's path is the folder's.

use std::collections::BTreeMap;

use countersign_core::facts::Problem;
use regorus::Engine;
use regorus::unstable::{self, Ref};

use super::shape;
use crate::yaml;

/// The folder that every module is below.
const ROOT: &str = "policies/";

/// The most bytes that one module may have.
const MAX_MODULE: usize = 128 * 1024;

/// A module: one file of Rego.
#[derive(Clone)]
pub struct Module {
    /// Its path, as `policies/images/pinned/pinned.rego`.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Its package, as `images.pinned`.
    pub package: String,
    /// What it parsed to.
    pub syntax: Ref<unstable::Module>,
}

/// A folder with a rule.
#[derive(Clone)]
pub struct Package {
    /// Its package, as `images.pinned`.
    pub name: String,
    /// Its modules, tests excluded; at least one.
    pub modules: Vec<Module>,
    /// Its tests.
    pub tests: Vec<Module>,
}

/// Every module of a bundle, sorted.
#[derive(Clone, Default)]
pub struct Packages {
    /// The rules, in the order of their names.
    pub rules: Vec<Package>,
    /// Functions that every rule may call.
    pub library: Vec<Module>,
    /// Tests of those functions.
    pub library_tests: Vec<Module>,
}

/// Parses and sorts modules by the folders that they are in. To be called on a large stack.
///
/// # Errors
/// Every module that does not parse, is in no folder of its own, or whose package is not its folder.
pub fn sort(modules: &BTreeMap<String, String>) -> Result<Packages, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut packages = Packages::default();
    let mut folders: BTreeMap<String, Package> = BTreeMap::new();
    for (file, text) in modules {
        let module = match parse(file, text) {
            Ok(module) => module,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let test = file.ends_with("_test.rego");
        if module.package.starts_with("lib.") {
            let list = if test { &mut packages.library_tests } else { &mut packages.library };
            list.push(module);
            continue;
        }
        let name = module.package.clone();
        let new = || Package { name: name.clone(), modules: Vec::new(), tests: Vec::new() };
        let package = folders.entry(name.clone()).or_insert_with(new);
        if test { package.tests.push(module) } else { package.modules.push(module) }
    }
    for package in folders.into_values() {
        match (package.modules.as_slice(), package.tests.as_slice()) {
            ([], tests) => problems.extend(tests.iter().map(|test| {
                let message = format!("no rule is beside this test of {}", package.name);
                yaml::problem(&test.file, 1, message, "delete the test, or put the rule back")
            })),
            ([rule, ..], []) => problems.push(untested(rule)),
            _ => packages.rules.push(package),
        }
    }
    if problems.is_empty() { Ok(packages) } else { Err(problems) }
}

fn untested(rule: &Module) -> Problem {
    let message = format!("rule {} has no test", rule.package);
    let help = format!(
        "write {}, with a rule whose name begins with test_",
        rule.file.replace(".rego", "_test.rego")
    );
    yaml::problem(&rule.file, 1, message, help)
}

fn parse(file: &str, text: &str) -> Result<Module, Problem> {
    if text.len() > MAX_MODULE {
        let message = format!("the module has {} bytes, at most {MAX_MODULE} are read", text.len());
        return Err(yaml::problem(file, 1, message, "split it, or put lists into data/"));
    }
    let expected = expected_packages(file)?;
    let too_much = |(line, message): (u32, String)| {
        yaml::problem(file, line, message, "give parts of it names of their own")
    };
    shape::check_text(text).map_err(too_much)?;
    let mut engine = Engine::new();
    let package = engine.add_policy(file.to_owned(), text.to_owned());
    let package = package.map_err(|error| located(file, &error.to_string()))?;
    let package = package.strip_prefix("data.").unwrap_or(&package).to_owned();
    let syntax = engine.get_modules().first().cloned();
    let syntax = syntax
        .ok_or_else(|| yaml::problem(file, 1, "the module is empty", "write a package, or delete it"))?;
    if let Some(line) = shape::too_deep(&syntax) {
        return Err(too_much((line, "the rule is nested too deep".to_owned())));
    }
    if expected.contains(&package) {
        return Ok(Module { file: file.to_owned(), text: text.to_owned(), package, syntax });
    }
    let wanted = expected.join(" or ");
    let message = format!("package {package} is in the folder of {wanted}");
    let help = format!("write `package {wanted}`, or move the file");
    Err(yaml::problem(file, syntax.package.span.line, message, help))
}

/// The packages that a file at this path may declare: its folder's and, in the library, its own.
fn expected_packages(file: &str) -> Result<Vec<String>, Problem> {
    let wrong = |message: &str| {
        let help = "rules are at policies/AREA/RULE/RULE.rego, shared functions at policies/lib/NAME.rego";
        yaml::problem(file, 1, message, help)
    };
    let path = file.strip_prefix(ROOT).unwrap_or(file);
    let mut segments: Vec<&str> = path.split('/').collect();
    let name = segments.pop().unwrap_or_default();
    let stem = name.strip_suffix(".rego").ok_or_else(|| wrong("not a file of Rego"))?;
    let stem = stem.strip_suffix("_test").unwrap_or(stem);
    let is_name = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
    };
    if !segments.iter().all(|segment| is_name(segment)) {
        return Err(wrong("a folder's name is not a package's: use lower-case letters, digits and '_'"));
    }
    match segments.as_slice() {
        ["lib"] => Ok(vec![format!("lib.{stem}")]),
        ["lib", ..] => Ok(vec![segments.join("."), format!("{}.{stem}", segments.join("."))]),
        ["countersign", ..] => {
            Err(wrong("the area `countersign` is reserved for what the program itself finds"))
        }
        [_, _, ..] => Ok(vec![segments.join(".")]),
        _ => Err(wrong("the rule is in no folder of its own")),
    }
}

/// A problem from what the engine says, whose first line may be `--> file:line:column`.
#[must_use]
pub fn located(file: &str, error: &str) -> Problem {
    let place = error.lines().find_map(|line| line.trim().strip_prefix("--> "));
    let mut parts = place.unwrap_or_default().rsplitn(3, ':');
    let (_, line, path) = (parts.next(), parts.next(), parts.next());
    let message = error.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or(error).trim();
    let line = line.and_then(|line| line.parse().ok()).unwrap_or(1);
    yaml::problem(
        path.unwrap_or(file),
        line,
        message,
        "correct the policy; `countersign policy test` shows the result",
    )
}
