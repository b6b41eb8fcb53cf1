//! The shape of a module, before the engine works on it: how deep it may nest, and what parsing may cost.
//!
//! The engine's parser tries a bracket twice for each one around it, and its passes recurse through what is
//! nested. So a module is measured before it is parsed, and its syntax once more before anything else.

use regorus::unstable::{Expr, Literal, Module, Query, Ref, Rule, RuleAssign, RuleHead};

/// The deepest that brackets may nest.
const MAX_NESTING: u32 = 16;
/// The most that parsing may cost: each bracket, doubled for each one around it.
const MAX_PARSING: u64 = 4_000_000;
/// The deepest that syntax may be: operators, paths, calls and queries in each other.
const MAX_DEPTH: usize = 96;

/// Measures a text that is not parsed yet.
///
/// # Errors
/// What is too much, and the line on which it becomes so.
pub fn check_text(text: &str) -> Result<(), (u32, String)> {
    let (mut nesting, mut cost, mut line, mut signs) = (0_u32, 0_u64, 1_u32, 0_u32);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '-' => signs += 1,
            letter if !letter.is_whitespace() => signs = 0,
            _ => {}
        }
        match letter {
            '\n' => line += 1,
            '#' => line += u32::from(letters.any(|letter| letter == '\n')),
            '"' => line += skip_string(&mut letters),
            '`' => {
                line += letters
                    .by_ref()
                    .take_while(|letter| *letter != '`')
                    .map(|l| u32::from(l == '\n'))
                    .sum::<u32>()
            }
            '[' | '{' | '(' => {
                nesting += 1;
                cost = cost.saturating_add(1_u64.checked_shl(nesting).unwrap_or(u64::MAX));
            }
            ']' | '}' | ')' => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        if signs > MAX_NESTING {
            return Err((line, format!("there are more than {MAX_NESTING} signs in a row")));
        }
        if nesting > MAX_NESTING {
            return Err((line, format!("brackets nest more than {MAX_NESTING} deep")));
        }
        if cost > MAX_PARSING {
            return Err((line, "the module has too many nested brackets".to_owned()));
        }
    }
    Ok(())
}

/// Skips a string whose opening quote was read, and counts its lines.
fn skip_string(letters: &mut std::str::Chars<'_>) -> u32 {
    let mut lines = 0;
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => drop(letters.next()),
            '\n' => lines += 1,
            _ => {}
        }
    }
    lines
}

/// Measures a module that is parsed, and says the line of what is too deep.
#[must_use]
pub fn too_deep(module: &Module) -> Option<u32> {
    module.policy.iter().find_map(|rule| {
        let (expressions, queries) = parts_of_rule(rule);
        let deep = expressions.iter().any(|part| is_deep(part, MAX_DEPTH))
            || queries.iter().any(|query| is_deep_query(query, MAX_DEPTH));
        deep.then(|| rule.span().line)
    })
}

type Parts<'a> = (Vec<&'a Ref<Expr>>, Vec<&'a Ref<Query>>);

fn is_deep(expression: &Ref<Expr>, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return true };
    let (expressions, queries) = parts(expression);
    expressions.into_iter().any(|part| is_deep(part, left))
        || queries.into_iter().any(|query| is_deep_query(query, left))
}

fn is_deep_query(query: &Ref<Query>, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return true };
    query.stmts.iter().any(|statement| {
        let with = statement.with_mods.iter().flat_map(|with| [&with.refr, &with.r#as]);
        let (expressions, nested) = match &statement.literal {
            Literal::SomeVars { .. } => (Vec::new(), None),
            Literal::SomeIn { key, value, collection, .. } => {
                (key.iter().chain([value, collection]).collect(), None)
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => (vec![expr], None),
            Literal::Every { domain, query, .. } => (vec![domain], Some(query)),
        };
        expressions.into_iter().chain(with).any(|part| is_deep(part, left))
            || nested.is_some_and(|query| is_deep_query(query, left))
    })
}

fn parts_of_rule(rule: &Rule) -> Parts<'_> {
    fn value(assign: &RuleAssign) -> &Ref<Expr> {
        &assign.value
    }
    match rule {
        Rule::Default { refr, args, value, .. } => (args.iter().chain([refr, value]).collect(), Vec::new()),
        Rule::Spec { head, bodies, .. } => {
            let mut expressions: Vec<_> = match head {
                RuleHead::Compr { refr, assign, .. } => {
                    [refr].into_iter().chain(assign.as_ref().map(value)).collect()
                }
                RuleHead::Set { refr, key, .. } => [refr].into_iter().chain(key).collect(),
                RuleHead::Func { refr, args, assign, .. } => {
                    args.iter().chain([refr]).chain(assign.as_ref().map(value)).collect()
                }
            };
            expressions.extend(bodies.iter().filter_map(|body| body.assign.as_ref()).map(value));
            (expressions, bodies.iter().map(|body| &body.query).collect())
        }
    }
}

fn parts(expression: &Ref<Expr>) -> Parts<'_> {
    match expression.as_ref() {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => (Vec::new(), Vec::new()),
        Expr::Array { items, .. } | Expr::Set { items, .. } => (items.iter().collect(), Vec::new()),
        Expr::Object { fields, .. } => {
            (fields.iter().flat_map(|(_, key, value)| [key, value]).collect(), Vec::new())
        }
        Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
            (vec![term], vec![query])
        }
        Expr::ObjectCompr { key, value, query, .. } => (vec![key, value], vec![query]),
        Expr::Call { fcn, params, .. } => (params.iter().chain([fcn]).collect(), Vec::new()),
        Expr::UnaryExpr { expr, .. } => (vec![expr], Vec::new()),
        Expr::RefDot { refr, .. } => (vec![refr], Vec::new()),
        Expr::RefBrack { refr, index, .. } => (vec![refr, index], Vec::new()),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => (vec![lhs, rhs], Vec::new()),
        Expr::Membership { key, value, collection, .. } => {
            (key.iter().chain([value, collection]).collect(), Vec::new())
        }
    }
}
