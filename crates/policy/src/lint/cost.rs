//! Bounds that hold before a rule runs: no recursion, no calls that multiply the budget, no value that
//! doubles with every line.
//!
//! The engine counts steps, and goes on to a function's next clause when one has spent them; and one step can
//! make a text as long as its arguments together. So the clauses that a call can try, and how much longer
//! than facts a value can become, are bounded here, where they are a mistake with a line.

use std::collections::BTreeMap;

use countersign_core::facts::Problem;
use regorus::unstable::{Expr, Ref};

use super::World;
use super::names::{self, Target};
use super::uses::{self, Step, Uses};
use crate::engine::package::Module;
use crate::yaml;

/// The deepest chain of rules and functions.
const MAX_DEPTH: usize = 32;
/// The most clauses that one call can come to try, through all that it calls.
const MAX_CLAUSES: u64 = 256;
/// The most that a value can grow, as a power of two.
const MAX_GROWTH: u32 = 24;

/// The bits of growth of one call: how much longer than its longest argument the result can be.
#[must_use]
pub fn growth_of(function: &str, arguments: &[Ref<Expr>]) -> u32 {
    let listed =
        arguments.iter().any(|argument| matches!(argument.as_ref(), Expr::Array { .. } | Expr::Set { .. }));
    match function {
        // A list that is written out has been counted by its items.
        "concat" | "sprintf" if listed => 0,
        "concat" | "sprintf" | "sum" | "product" => 4,
        "replace" | "strings.replace_n" | "regex.replace" => 6,
        "array.concat" | "object.union" | "json.patch" => 1,
        "object.union_n" | "walk" => 4,
        "json.marshal" | "yaml.marshal" | "json.marshal_with_options" | "hex.encode" | "urlquery.encode" => 1,
        _ => 0,
    }
}

/// The rules of a package and of the library, and what each leads to.
#[derive(Default)]
pub struct Calls {
    nodes: BTreeMap<Node, Vec<Clause>>,
}

/// A rule or function: its package and name.
type Node = (String, String);

struct Clause {
    file: String,
    line: u32,
    growth: u32,
    leads_to: Vec<Node>,
}

#[derive(Clone, Copy, Default)]
struct Cost {
    depth: usize,
    clauses: u64,
    growth: u32,
}

impl Calls {
    /// Takes note of every rule of `module`.
    pub fn add(&mut self, module: &Module, world: &World<'_>) {
        let imports = names::imports(module);
        let world = &World {
            own: &module.package,
            packages: world.packages.clone(),
            others: world.others.clone(),
            data: world.data,
            input: world.input,
        };
        for rule in &module.syntax.policy {
            let Some(name) = uses::root(uses::head(rule)) else { continue };
            let uses = Uses::of(rule);
            let mut leads_to = Vec::new();
            for call in &uses.calls {
                if let Target::Function { package, name, .. } = names::resolve(world, &imports, &call.path) {
                    leads_to.push((package, name));
                }
            }
            for reference in uses.references.iter().filter(|reference| !uses.locals.contains(&reference.root))
            {
                leads_to.extend(rule_named(world, &imports, &reference.root, &reference.steps));
            }
            let clause =
                Clause { file: module.file.clone(), line: rule.span().line, growth: uses.growth, leads_to };
            self.nodes.entry((module.package.clone(), name)).or_default().push(clause);
        }
    }

    /// What is out of bounds.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut known = BTreeMap::new();
        let mut problems = Vec::new();
        for node in self.nodes.keys() {
            self.cost(node, &mut known, &mut Vec::new(), &mut problems);
        }
        problems
    }

    fn cost(
        &self,
        node: &Node,
        known: &mut BTreeMap<Node, Cost>,
        path: &mut Vec<Node>,
        problems: &mut Vec<Problem>,
    ) -> Cost {
        if let Some(cost) = known.get(node) {
            return *cost;
        }
        let Some(clauses) = self.nodes.get(node) else { return Cost::default() };
        let first = clauses.first();
        let mut wrong = |message: String, help: &str| {
            problems.extend(first.map(|clause| yaml::problem(&clause.file, clause.line, message, help)));
        };
        if path.contains(node) {
            wrong(
                format!("{} leads back to itself", node.1),
                "Rego has no recursion: use walk, or iterate over a list",
            );
            return Cost::default();
        }
        if path.len() > MAX_DEPTH {
            let message = format!("{} is more than {MAX_DEPTH} calls deep", node.1);
            wrong(message, "call fewer functions through each other");
            return Cost::default();
        }
        path.push(node.clone());
        let mut total = Cost::default();
        for clause in clauses {
            let mut growth = clause.growth;
            let mut heaviest = 1;
            for next in &clause.leads_to {
                let cost = self.cost(next, known, path, problems);
                growth = growth.saturating_add(cost.growth);
                heaviest = heaviest.max(cost.clauses);
                total.depth = total.depth.max(cost.depth + 1);
            }
            total.clauses = total.clauses.saturating_add(heaviest);
            total.growth = total.growth.max(growth);
        }
        path.pop();
        self.bounds(node, total, known, problems)
    }

    fn bounds(
        &self,
        node: &Node,
        total: Cost,
        known: &mut BTreeMap<Node, Cost>,
        problems: &mut Vec<Problem>,
    ) -> Cost {
        let first = self.nodes.get(node).and_then(|clauses| clauses.first());
        let mut wrong = |message: String, help: &str| {
            problems.extend(first.map(|clause| yaml::problem(&clause.file, clause.line, message, help)));
        };
        let mut cost = total;
        if total.clauses > MAX_CLAUSES {
            let message =
                format!("{} can come to try {} clauses, at most {MAX_CLAUSES} may be", node.1, total.clauses);
            wrong(message, "write fewer clauses, or let functions call each other less");
            cost.clauses = 1;
        }
        if total.growth > MAX_GROWTH {
            let message =
                format!("values of {} can grow 2^{} times, at most 2^{MAX_GROWTH}", node.1, total.growth);
            wrong(message, "put fewer texts and lists together in one rule");
            cost.growth = 0;
        }
        known.insert(node.clone(), cost);
        cost
    }
}

/// The rule that a path names, in this package or in one that it may see.
fn rule_named(
    world: &World<'_>,
    imports: &BTreeMap<String, Vec<String>>,
    root: &str,
    steps: &[Step],
) -> Option<Node> {
    let named = steps.iter().map_while(|step| match step {
        Step::Named(name) => Some(name.as_str()),
        Step::Dynamic => None,
    });
    let start = match imports.get(root) {
        Some(path) => path.iter().map(String::as_str).collect(),
        None => vec![root],
    };
    let path: Vec<&str> = start.into_iter().chain(named).collect();
    let found = |package: &str, name: &str| {
        let node = (package.to_owned(), name.to_owned());
        world.packages.get(package)?.contains_key(name).then_some(node)
    };
    match path.split_first()? {
        (&"data", rest) => (1..rest.len()).find_map(|length| {
            let (package, rule) = rest.split_at_checked(length)?;
            found(&package.join("."), rule.first()?)
        }),
        (name, _) => found(world.own, name),
    }
}
