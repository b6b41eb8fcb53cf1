//! Why a test failed: its first expression that does not hold, and what the parts of that are.
//!
//! The engine tells only that a rule is undefined. So a module of probes is laid beside the test, each a
//! rule with the test's statements up to one of them; the first that is undefined names the culprit.

use std::fmt::Write as _;

use regorus::unstable::{Expr, Literal, LiteralStmt, Ref, Rule};
use regorus::{Engine, Value};

use super::report::{Failure, show};
use crate::engine::package::Module;
use crate::engine::{budget, prepare};
use crate::lint::uses;

/// What the probes' names begin with.
const PROBE: &str = "countersign_probe";

/// Finds what failed in `rule` of `test`.
pub fn explain(
    test: &Module,
    rule: &str,
    modules: &[&Module],
    tests: &[Module],
    data: Option<&serde_json::Value>,
) -> Option<Failure> {
    let named = |candidate: &&Ref<Rule>| uses::root(uses::head(candidate)).as_deref() == Some(rule);
    let Rule::Spec { bodies, .. } = test.syntax.policy.iter().find(named)?.as_ref() else { return None };
    let statements = &bodies.first()?.query.stmts;
    let run = |text: String, probe: &str| {
        let probes = Module { text, file: "probe.rego".to_owned(), ..test.clone() };
        let all = modules.iter().copied().chain(tests).chain([&probes]);
        let path = format!("data.{}.{probe}", test.package);
        let mut engine = prepare(all, data, &path).ok()?;
        evaluate(&mut engine, path)
    };
    let failing = (0..statements.len()).find(|index| {
        let body = statements.get(..=*index).unwrap_or_default();
        let probe = format!("{} if {{\n{}}}\n", PROBE, written(body));
        run(module(test, &probe), PROBE).is_none_or(|value| value != Value::from(true))
    })?;
    let statement = statements.get(failing)?;
    let before = written(statements.get(..failing).unwrap_or_default());
    let values = parts(statement).into_iter().filter_map(|part| {
        let text = part.span().text();
        let with: String = statement.with_mods.iter().map(|with| format!(" {}", with.span.text())).collect();
        let probe = format!("{PROBE} := value if {{\n{before}value := {text}{with}\n}}\n");
        let value = run(module(test, &probe), PROBE)?;
        Some((one_line(text), show(&value)))
    });
    let values = values.collect();
    Some(Failure { line: statement.span.line, expression: one_line(statement.span.text()), values })
}

fn evaluate(engine: &mut Engine, path: String) -> Option<Value> {
    budget::guarded(|| engine.eval_rule(path)).ok()
}

/// A module in the test's package, with the test's imports.
fn module(test: &Module, probe: &str) -> String {
    let mut text = format!("package {}\n", test.package);
    for import in &test.syntax.imports {
        let alias = import.r#as.as_ref().map(|alias| format!(" as {}", alias.text())).unwrap_or_default();
        let _ = writeln!(text, "import {}{alias}", import.refr.span().text());
    }
    text.push_str(probe);
    text
}

fn written(statements: &[LiteralStmt]) -> String {
    statements.iter().map(|statement| format!("{}\n", statement.span.text())).collect()
}

/// The parts of an expression whose values say why it does not hold.
fn parts(statement: &LiteralStmt) -> Vec<&Ref<Expr>> {
    let (Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. }) = &statement.literal else {
        return Vec::new();
    };
    let all = match expr.as_ref() {
        Expr::BoolExpr { lhs, rhs, .. } | Expr::AssignExpr { lhs, rhs, .. } => vec![lhs, rhs],
        Expr::Membership { value, collection, .. } => vec![value, collection],
        Expr::Call { params, .. } => params.iter().collect(),
        _ => vec![expr],
    };
    let constant = |part: &Ref<Expr>| {
        matches!(
            part.as_ref(),
            Expr::String { .. } | Expr::Number { .. } | Expr::Bool { .. } | Expr::Null { .. }
        )
    };
    all.into_iter().filter(|part| !constant(part)).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
