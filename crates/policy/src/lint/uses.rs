//! What the syntax of a module declares and uses.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, Expr, Literal, Module, Query, Ref, Rule, RuleAssign, RuleHead};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A name that is written out.
    Named(String),
    /// A variable, or any other expression.
    Dynamic,
}

/// A path that a rule names: `data.lib.images`, `input.objects[_].kind`, a variable.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Its first name.
    pub root: String,
    /// What follows.
    pub steps: Vec<Step>,
    /// The line.
    pub line: u32,
}

/// A call of a function.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function's path, as written.
    pub path: Vec<String>,
    /// How many arguments are given.
    pub arguments: usize,
    /// The line.
    pub line: u32,
}

/// Everything that one rule uses.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    /// Paths.
    pub references: Vec<Reference>,
    /// Calls.
    pub calls: Vec<Call>,
    /// Lines of `with`.
    pub withs: Vec<u32>,
    /// Lines of `not f(a.b)`: calls under `not` whose arguments can be undefined.
    pub negated: Vec<u32>,
    /// Names that the rule binds itself.
    pub locals: BTreeSet<String>,
    /// Those of them that `some` binds.
    pub iterated: BTreeSet<String>,
    /// How much larger than what it is made from a value can become, as a power of two.
    pub growth: u32,
}

/// The rules that a module declares, by the first name of their heads; functions with their arguments.
#[must_use]
pub fn declared(module: &Module) -> BTreeMap<String, Option<usize>> {
    let entry = |rule: &Ref<Rule>| match rule.as_ref() {
        Rule::Spec { head: RuleHead::Func { refr, args, .. }, .. } => Some((root(refr)?, Some(args.len()))),
        Rule::Default { refr, args, .. } if !args.is_empty() => Some((root(refr)?, Some(args.len()))),
        rule => Some((root(head(rule))?, None)),
    };
    module.policy.iter().filter_map(entry).collect()
}

/// The path at the head of a rule.
#[must_use]
pub fn head(rule: &Rule) -> &Ref<Expr> {
    match rule {
        Rule::Default { refr, .. } => refr,
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } | RuleHead::Func { refr, .. } => refr,
        },
    }
}

/// The first name of a path.
#[must_use]
pub fn root(expression: &Ref<Expr>) -> Option<String> {
    match expression.as_ref() {
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => root(refr),
        other => text(other),
    }
}

/// The names of a path that is written out, as an import's.
#[must_use]
pub fn path(expression: &Ref<Expr>) -> Option<Vec<String>> {
    let mut uses = Uses::default();
    let reference = uses.chain(expression)?;
    let names = reference.steps.into_iter().map(|step| match step {
        Step::Named(name) => Some(name),
        Step::Dynamic => None,
    });
    std::iter::once(Some(reference.root)).chain(names).collect()
}

/// The text of a variable or a string.
fn text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Var { value, .. } | Expr::String { value, .. } | Expr::RawString { value, .. } => {
            value.as_string().ok().map(|text| text.to_string())
        }
        _ => None,
    }
}

impl Uses {
    /// What `rule` uses.
    #[must_use]
    pub fn of(rule: &Rule) -> Self {
        let mut uses = Self::default();
        match rule {
            Rule::Default { value, .. } => uses.expression(value),
            Rule::Spec { head, bodies, .. } => {
                match head {
                    RuleHead::Compr { refr, assign, .. } => {
                        uses.head_key(refr);
                        uses.assign(assign.as_ref());
                    }
                    RuleHead::Set { refr, key, .. } => {
                        uses.head_key(refr);
                        key.iter().for_each(|key| uses.expression(key));
                    }
                    RuleHead::Func { args, assign, .. } => {
                        args.iter().for_each(|argument| uses.bind(argument));
                        uses.assign(assign.as_ref());
                    }
                }
                for body in bodies {
                    uses.assign(body.assign.as_ref());
                    uses.query(&body.query);
                }
            }
        }
        uses
    }

    fn assign(&mut self, assign: Option<&RuleAssign>) {
        assign.into_iter().for_each(|assign| self.expression(&assign.value));
    }

    /// The expressions in brackets at a rule's head.
    fn head_key(&mut self, head: &Ref<Expr>) {
        if let Expr::RefBrack { refr, index, .. } = head.as_ref() {
            self.head_key(refr);
            self.expression(index);
        }
    }

    fn query(&mut self, query: &Ref<Query>) {
        for statement in &query.stmts {
            for with in &statement.with_mods {
                self.withs.push(with.span.line);
                self.expression(&with.refr);
                self.expression(&with.r#as);
            }
            match &statement.literal {
                Literal::SomeVars { vars, .. } => {
                    self.iterated.extend(vars.iter().map(|var| var.text().to_owned()));
                    self.locals.extend(vars.iter().map(|var| var.text().to_owned()));
                }
                Literal::SomeIn { key, value, collection, .. } => {
                    let mut patterns = Self::default();
                    key.iter().chain([value]).for_each(|pattern| patterns.bind(pattern));
                    self.iterated.extend(patterns.locals.iter().cloned());
                    self.locals.extend(patterns.locals);
                    self.references.extend(patterns.references);
                    self.calls.extend(patterns.calls);
                    self.expression(collection);
                }
                Literal::NotExpr { expr, span } => {
                    if let Expr::Call { params, .. } = expr.as_ref() {
                        let path = |part: &Ref<Expr>| {
                            matches!(part.as_ref(), Expr::RefDot { .. } | Expr::RefBrack { .. })
                        };
                        self.negated.extend(params.iter().any(path).then_some(span.line));
                    }
                    self.expression(expr);
                }
                Literal::Expr { expr, .. } => self.expression(expr),
                Literal::Every { key, value, domain, query, .. } => {
                    self.locals.extend(key.iter().chain([value]).map(|var| var.text().to_owned()));
                    self.expression(domain);
                    self.query(query);
                }
            }
        }
    }

    /// A pattern whose variables are bound by it.
    fn bind(&mut self, pattern: &Ref<Expr>) {
        match pattern.as_ref() {
            variable @ Expr::Var { .. } => self.locals.extend(text(variable)),
            Expr::Array { items, .. } => items.iter().for_each(|item| self.bind(item)),
            Expr::Object { fields, .. } => fields.iter().for_each(|(_, _, value)| self.bind(value)),
            _ => self.expression(pattern),
        }
    }

    fn expression(&mut self, expression: &Ref<Expr>) {
        match expression.as_ref() {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                let reference = self.chain(expression);
                self.references.extend(reference);
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                self.literal(items.iter());
            }
            Expr::Object { fields, .. } => {
                fields.iter().for_each(|(_, key, _)| self.expression(key));
                self.literal(fields.iter().map(|(_, _, value)| value));
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.expression(term);
                self.query(query);
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.expression(key);
                self.expression(value);
                self.query(query);
            }
            Expr::Call { fcn, params, span, .. } => {
                if let Some(path) = path(fcn) {
                    self.growth += super::cost::growth_of(&path.join("."), params);
                    self.calls.push(Call { path, arguments: params.len(), line: span.line });
                }
                params.iter().for_each(|param| self.expression(param));
            }
            Expr::UnaryExpr { expr, .. } => self.expression(expr),
            Expr::AssignExpr { op, lhs, rhs, .. } => {
                match op {
                    AssignOp::ColEq => self.bind(lhs),
                    AssignOp::Eq => self.expression(lhs),
                }
                self.expression(rhs);
            }
            Expr::ArithExpr { lhs, rhs, .. } | Expr::BinExpr { lhs, rhs, .. } => {
                self.literal([lhs, rhs].into_iter());
            }
            Expr::BoolExpr { lhs, rhs, .. } => {
                self.expression(lhs);
                self.expression(rhs);
            }
            Expr::Membership { key, value, collection, .. } => {
                key.iter().chain([value, collection]).for_each(|part| self.expression(part));
            }
        }
    }

    /// Parts that make one value: with several that are not constants, it may be that much larger.
    fn literal<'a>(&mut self, parts: impl Iterator<Item = &'a Ref<Expr>>) {
        let mut varying: u32 = 0;
        for part in parts {
            let constant = matches!(
                part.as_ref(),
                Expr::String { .. }
                    | Expr::RawString { .. }
                    | Expr::Number { .. }
                    | Expr::Bool { .. }
                    | Expr::Null { .. }
            );
            varying += u32::from(!constant);
            self.expression(part);
        }
        self.growth += varying.max(1).next_power_of_two().ilog2();
    }

    /// A path from its first name; expressions in its brackets are taken note of. `None` if it begins with
    /// no name, as a call's result does.
    fn chain(&mut self, expression: &Ref<Expr>) -> Option<Reference> {
        match expression.as_ref() {
            Expr::RefDot { refr, field, .. } => {
                let mut reference = self.chain(refr)?;
                reference.steps.push(Step::Named(field.0.text().to_owned()));
                Some(reference)
            }
            Expr::RefBrack { refr, index, .. } => {
                let reference = self.chain(refr);
                let step = match index.as_ref() {
                    Expr::String { .. } | Expr::RawString { .. } => {
                        text(index).map_or(Step::Dynamic, Step::Named)
                    }
                    _ => {
                        self.expression(index);
                        Step::Dynamic
                    }
                };
                let mut reference = reference?;
                reference.steps.push(step);
                Some(reference)
            }
            variable @ Expr::Var { span, .. } => {
                Some(Reference { root: text(variable)?, steps: Vec::new(), line: span.line })
            }
            _ => {
                self.expression(expression);
                None
            }
        }
    }
}
