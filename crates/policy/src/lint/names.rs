//! Whether every name in a module leads somewhere.

use std::collections::BTreeMap;

use countersign_core::facts::Problem;
use regorus::unstable::BUILTINS;

use super::World;
use super::schema::{self, Missing};
use super::uses::{self, Call, Reference, Step, Uses};
use crate::engine::package::Module;
use crate::yaml;

/// Builtins that know more than facts say, or whose one call can work without bound; and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("http.send", "policies see only facts"),
    ("net.lookup_ip_addr", "policies see only facts"),
    ("opa.runtime", "policies see only facts"),
    ("time.now_ns", "time is a fact: use input.time"),
    ("rand.intn", "the same facts must give the same decision"),
    ("uuid.rfc4122", "the same facts must give the same decision"),
    ("trace", "print in a test instead"),
    ("numbers.range", "its size is not bounded: iterate over facts or data"),
    ("numbers.range_step", "its size is not bounded: iterate over facts or data"),
    ("net.cidr_expand", "its size is not bounded: use net.cidr_contains"),
    ("bits.lsh", "its size is not bounded: multiply"),
    ("graph.reachable_paths", "its size is not bounded: use graph.reachable"),
    ("strings.count", "it panics on an empty text: use count(regex.find_n(…)) or split"),
];

/// Checks every name in `module`.
pub fn check(module: &Module, world: &World<'_>, test: bool, problems: &mut Vec<Problem>) {
    let mut checker = Checker { module, world, test, imports: BTreeMap::new(), problems };
    checker.imports();
    for rule in &module.syntax.policy {
        let uses = Uses::of(rule);
        uses.withs.iter().for_each(|line| checker.with(*line));
        uses.negated.iter().for_each(|line| checker.negated(*line));
        uses.calls.iter().for_each(|call| checker.call(call));
        for reference in &uses.references {
            if !uses.locals.contains(&reference.root) {
                checker.reference(reference);
            }
        }
    }
}

/// Variables of `some` that have the name of a rule of their package: the engine takes the one for the other.
#[must_use]
pub fn shadows(module: &Module, world: &World<'_>) -> Vec<Problem> {
    let Some(rules) = world.packages.get(&module.package) else { return Vec::new() };
    let shadow = |rule: &regorus::unstable::Ref<regorus::unstable::Rule>| {
        let uses = Uses::of(rule);
        let name = uses.iterated.into_iter().find(|name| rules.contains_key(name))?;
        let message = format!("the variable `{name}` has the name of a rule of this package");
        Some(yaml::problem(
            &module.file,
            rule.span().line,
            message,
            "rename the variable, or the rule or the test's helper",
        ))
    };
    module.syntax.policy.iter().filter_map(shadow).collect()
}

/// The imports of a module: what each alias stands for.
#[must_use]
pub fn imports(module: &Module) -> BTreeMap<String, Vec<String>> {
    let alias = |import: &regorus::unstable::Import| {
        let path = uses::path(&import.refr)?;
        let name =
            import.r#as.as_ref().map(|span| span.text().to_owned()).or_else(|| path.last().cloned())?;
        matches!(path.first().map(String::as_str), Some("data" | "input")).then_some((name, path))
    };
    module.syntax.imports.iter().filter_map(alias).collect()
}

struct Checker<'a> {
    module: &'a Module,
    world: &'a World<'a>,
    test: bool,
    imports: BTreeMap<String, Vec<String>>,
    problems: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    fn wrong(&mut self, line: u32, message: String, help: &str) {
        self.problems.push(yaml::problem(&self.module.file, line, message, help));
    }

    fn imports(&mut self) {
        let module = self.module;
        self.imports = imports(module);
        for import in &module.syntax.imports {
            let path = uses::path(&import.refr).unwrap_or_default();
            let mut names = path.into_iter();
            match names.next().as_deref() {
                Some("rego" | "future") => {}
                Some(root @ ("data" | "input")) => {
                    let steps = names.map(Step::Named).collect();
                    self.reference(&Reference { root: root.to_owned(), steps, line: import.span.line });
                }
                other => {
                    let message = format!("{} cannot be imported", other.unwrap_or("this"));
                    self.wrong(import.span.line, message, "import rego.v1, data.… or input.…");
                }
            }
        }
    }

    fn with(&mut self, line: u32) {
        if !self.test {
            let message = "`with` replaces facts, and stands in a rule".to_owned();
            self.wrong(line, message, "use it in tests only");
        }
    }

    /// Of an argument that does not exist, this engine makes `not f(…)` true, and Open Policy Agent undefined.
    fn negated(&mut self, line: u32) {
        let message = "`not` of a call whose argument may not exist says nothing that is sure".to_owned();
        self.wrong(line, message, "bind the argument first: `x := a.b`, then `not f(x)`");
    }

    /// The path with its first name replaced by what it was imported as.
    fn expand(&self, root: &str, steps: &[Step]) -> (String, Vec<Step>) {
        match self.imports.get(root) {
            Some(path) => {
                let mut names = path.iter().cloned();
                let root = names.next().unwrap_or_default();
                (root, names.map(Step::Named).chain(steps.iter().cloned()).collect())
            }
            None => (root.to_owned(), steps.to_vec()),
        }
    }

    fn reference(&mut self, reference: &Reference) {
        let (root, steps) = self.expand(&reference.root, &reference.steps);
        let shown = shown(&root, &steps);
        let missing = match root.as_str() {
            "input" => schema::follow(self.world.input, &steps)
                .map_err(|missing| (missing, "see the reference of policy input for what facts hold")),
            "data" => data(self.world, &steps)
                .map_err(|missing| (missing, "write the file in data/ that holds it, or name what is there")),
            _ => return,
        };
        if let Err((missing, otherwise)) = missing {
            let message = format!("{shown} does not exist: there is no `{}`", missing.name);
            self.wrong(reference.line, message, &missing.help(otherwise));
        }
    }

    fn call(&mut self, call: &Call) {
        let name = call.path.join(".");
        if let Some((_, why)) = FORBIDDEN.iter().find(|(forbidden, _)| *forbidden == name) {
            return self.wrong(
                call.line,
                format!("{name} may not be called: {why}"),
                "write the rule without it",
            );
        }
        if name == "print" {
            if !self.test {
                self.wrong(
                    call.line,
                    "print may not be called: a rule answers by deny alone".into(),
                    "print in a test",
                );
            }
            return;
        }
        let arguments = match resolve(self.world, &self.imports, &call.path) {
            Target::Function { arguments, .. } => arguments,
            Target::Builtin(arguments) => arguments,
            Target::Unknown(missing) => {
                let help = missing.help("write it, import it, or use a builtin that the engine has");
                return self.wrong(call.line, format!("no function is named {name}"), &help);
            }
        };
        // One more than it takes is Rego's way to compare or bind the result.
        if call.arguments != arguments && call.arguments != arguments + 1 {
            let message = format!("{name} takes {arguments} arguments, and is given {}", call.arguments);
            self.wrong(call.line, message, "correct the call");
        }
    }
}

/// What a call leads to.
pub enum Target {
    /// A function of a package.
    Function {
        /// The package.
        package: String,
        /// The function's name.
        name: String,
        /// How many arguments it takes.
        arguments: usize,
    },
    /// A builtin, which takes so many arguments.
    Builtin(usize),
    /// Nothing.
    Unknown(Missing),
}

/// What the call of `path` leads to.
#[must_use]
pub fn resolve(world: &World<'_>, imports: &BTreeMap<String, Vec<String>>, path: &[String]) -> Target {
    let function = |package: &str, name: &str| {
        let arguments = (*world.packages.get(package)?.get(name)?)?;
        Some(Target::Function { package: package.to_owned(), name: name.to_owned(), arguments })
    };
    let (Some(first), Some(last)) = (path.first(), path.last()) else {
        return Target::Unknown(Missing::new("", std::iter::empty()));
    };
    let full: Vec<&str> = match imports.get(first) {
        Some(import) => import.iter().chain(path.iter().skip(1)).map(String::as_str).collect(),
        None => path.iter().map(String::as_str).collect(),
    };
    let found = match full.as_slice() {
        [name] => function(world.own, name),
        ["data", package @ .., name] => function(&package.join("."), name),
        _ => None,
    };
    let builtin =
        || BUILTINS.get(path.join(".").as_str()).map(|(_, arguments)| Target::Builtin((*arguments).into()));
    let functions = world.packages.values().flat_map(BTreeMap::keys).map(String::as_str);
    let builtins = BUILTINS.keys().copied();
    found.or_else(builtin).unwrap_or_else(|| match path.len() {
        1 => Target::Unknown(Missing::new(last, functions.chain(builtins))),
        _ => Target::Unknown(Missing::new(&path.join("."), builtins)),
    })
}

/// Whether `data` followed by `steps` is a rule that this package sees, or a document.
fn data(world: &World<'_>, steps: &[Step]) -> Result<(), Missing> {
    let names: Vec<&str> = steps
        .iter()
        .map_while(|step| match step {
            Step::Named(name) => Some(name.as_str()),
            Step::Dynamic => None,
        })
        .collect();
    for (package, rules) in &world.packages {
        let segments: Vec<&str> = package.split('.').collect();
        if let Some([rule, ..]) = names.strip_prefix(segments.as_slice()) {
            return match rules.contains_key(*rule) {
                true => Ok(()),
                false => Err(Missing::new(rule, rules.keys().map(String::as_str))),
            };
        }
        if segments.starts_with(&names) && !names.is_empty() {
            return Ok(());
        }
    }
    let other = world.others.iter().find(|other| names.starts_with(&other.split('.').collect::<Vec<_>>()));
    match (other, world.data) {
        (Some(other), _) => Err(Missing { name: (*other).to_owned(), nearest: None }),
        (None, Some(data)) => schema::find(data, steps),
        (None, None) => Ok(()),
    }
}

fn shown(root: &str, steps: &[Step]) -> String {
    steps.iter().fold(root.to_owned(), |text, step| match step {
        Step::Named(name) => format!("{text}.{name}"),
        Step::Dynamic => format!("{text}[_]"),
    })
}
