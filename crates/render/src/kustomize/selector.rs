//! Which objects a patch or a replacement is for: by regular expressions, labels and annotations.

use regex::{Regex, RegexBuilder};

use super::context::{Context, Outcome, wrong};
use super::fields::{Fields, Said};
use super::fieldspec::READ;
use super::go_regex;
use super::id::group_version;
use super::resource::Resource;
use super::set::ResourceSet;
use crate::yaml::node::{At, Node, Text};

/// What it costs, in steps, to hold a selector against an object: expressions against all that names it.
pub(crate) const SELECTION: usize = 8;

/// A selector, as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    pub(crate) at: At,
    group: Option<Said<Text>>,
    version: Option<Said<Text>>,
    kind: Option<Said<Text>>,
    pub(crate) name: Option<Said<Text>>,
    namespace: Option<Said<Text>>,
    annotations: Option<Said<Text>>,
    labels: Option<Said<Text>>,
}

/// A selector that can be asked.
pub(crate) struct Matcher {
    group: Option<Expression>,
    version: Option<Expression>,
    kind: Option<Expression>,
    name: Option<Expression>,
    namespace: Option<Expression>,
    annotations: Vec<Requirement>,
    labels: Vec<Requirement>,
    /// The bytes of what is asked of labels and annotations.
    asked: usize,
}

/// A regular expression, and what it costs to ask it.
#[derive(Clone)]
pub(crate) struct Expression {
    regex: Regex,
    size: usize,
}

/// How many characters or classes of an expression a step holds against a byte.
const HELD: usize = 32;

/// How many steps it takes to compile a character or a class of an expression.
const COMPILED: usize = 16;

impl Expression {
    /// What it costs, in steps, to hold it against a text.
    pub(crate) fn cost(&self, text: &str) -> usize {
        text.len().saturating_mul(self.size + 1) / HELD
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl Selector {
    pub(crate) fn from_node(node: Node) -> Outcome<Self> {
        let mut fields = Fields::of(node, "a selector")?;
        let selector = Self {
            at: fields.at,
            group: fields.filled("group")?,
            version: fields.filled("version")?,
            kind: fields.filled("kind")?,
            name: fields.filled("name")?,
            namespace: fields.filled("namespace")?,
            annotations: fields.filled("annotationSelector")?,
            labels: fields.filled("labelSelector")?,
        };
        fields.finish()?;
        Ok(selector)
    }

    /// Whether it names a part of what an object is called.
    pub(crate) fn names_something(&self) -> bool {
        let parts = [&self.group, &self.version, &self.kind, &self.name, &self.namespace];
        parts.iter().any(|part| part.is_some())
    }

    pub(crate) fn by_text(&self) -> bool {
        self.annotations.is_some() || self.labels.is_some()
    }

    /// Compiles its expressions.
    pub(crate) fn matcher(&self, context: &mut Context<'_>) -> Outcome<Matcher> {
        let mut anchored = |said: &Option<Said<Text>>| match said {
            None => Ok(None),
            Some(said) => expression(context, &format!("^(?:{})$", said.value), said.at).map(Some),
        };
        let parsed = |said: &Option<Said<Text>>| match said {
            None => Ok(Vec::new()),
            Some(said) => requirements(said),
        };
        Ok(Matcher {
            group: anchored(&self.group)?,
            version: anchored(&self.version)?,
            kind: anchored(&self.kind)?,
            name: anchored(&self.name)?,
            namespace: anchored(&self.namespace)?,
            annotations: parsed(&self.annotations)?,
            labels: parsed(&self.labels)?,
            asked: [&self.annotations, &self.labels].into_iter().flatten().map(|said| said.value.len()).sum(),
        })
    }
}

/// Compiles a regular expression of Go's, within the budget.
pub(crate) fn expression(context: &mut Context<'_>, pattern: &str, at: At) -> Outcome<Expression> {
    let limit = context.meter.budget.expression;
    let translated = match pattern.len() > limit {
        true => Err("it is too long".to_owned()),
        false => go_regex::translated(pattern),
    };
    let size = translated.as_ref().map_or(0, |translated| translated.size);
    // What is larger would not fit however it is compiled.
    let too_big = || format!("it takes more than {limit} bytes when compiled");
    let translated = translated.and_then(|known| if size > limit { Err(too_big()) } else { Ok(known) });
    context.steps(at, translated.as_ref().map_or(0, |known| known.size.saturating_mul(COMPILED)))?;
    let built = translated.and_then(|translated| {
        let mut builder = RegexBuilder::new(&translated.pattern);
        builder.size_limit(limit).dfa_size_limit(limit).nest_limit(100).unicode(true);
        builder.build().map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => too_big(),
            other => other.to_string().lines().last().unwrap_or_default().to_owned(),
        })
    });
    match built {
        Ok(regex) => Ok(Expression { regex, size }),
        Err(why) => {
            wrong(at, format!("the regular expression is not accepted: {why}"), "write a simpler one")
        }
    }
}

fn fits(expression: Option<&Expression>, text: &str) -> bool {
    expression.is_none_or(|expression| expression.is_match(text))
}

impl Matcher {
    /// What it costs, in steps, to hold it against all objects.
    pub(crate) fn cost(&self, set: &ResourceSet) -> usize {
        set.items().iter().map(|resource| self.cost_of(resource)).sum()
    }

    fn cost_of(&self, resource: &Resource) -> usize {
        let cost = |expression: &Option<Expression>, text: fn(&Resource) -> &str| {
            expression.as_ref().map_or(0, |expression| expression.cost(text(resource)))
        };
        let now = cost(&self.group, Resource::api_version)
            + cost(&self.version, Resource::api_version)
            + cost(&self.kind, Resource::kind)
            + cost(&self.name, Resource::name)
            + cost(&self.namespace, Resource::namespace);
        SELECTION + self.asked / READ + now.saturating_mul(1 + resource.previous.len())
    }

    fn fits_version(&self, resource: &Resource) -> bool {
        let (group, version) = group_version(resource.api_version());
        fits(self.group.as_ref(), group) && fits(self.version.as_ref(), version)
    }

    /// Whether it takes an object by one of the names that it has or had, as they stand.
    pub(crate) fn takes_name(&self, resource: &Resource) -> bool {
        let one = |kind: &str, name: &str, namespace: &str| {
            fits(self.kind.as_ref(), kind)
                && fits(self.name.as_ref(), name)
                && fits(self.namespace.as_ref(), namespace)
        };
        let mut previous = resource.previous.iter();
        self.fits_version(resource)
            && (one(resource.kind(), resource.name(), resource.namespace())
                || previous.any(|before| one(&before.kind, &before.name, &before.namespace)))
    }

    /// Whether its labels and annotations fit.
    pub(crate) fn takes_texts(&self, resource: &Resource) -> bool {
        let all = |requirements: &[Requirement], field| {
            requirements
                .iter()
                .all(|requirement| requirement.fits(resource.metadata_text(field, &requirement.key)))
        };
        all(&self.labels, "labels") && all(&self.annotations, "annotations")
    }

    /// Whether it takes an object, by what it is called now or was called at first.
    pub(crate) fn takes(&self, resource: &Resource) -> bool {
        let (now, first) = (resource.name(), resource.previous.first().map(|first| &*first.name));
        let either = |expression: &Option<Expression>, now: &str, first: &str| {
            fits(expression.as_ref(), now) || (first != now && fits(expression.as_ref(), first))
        };
        let namespace =
            || either(&self.namespace, resource.id().effective(), resource.original_id().effective());
        either(&self.name, now, first.unwrap_or(now))
            && fits(self.kind.as_ref(), resource.kind())
            && self.fits_version(resource)
            && (self.namespace.is_none() || namespace())
            && self.takes_texts(resource)
    }
}

/// One part of a label selector, as Kubernetes writes them.
struct Requirement {
    key: String,
    test: Test,
}

enum Test {
    Exists,
    Missing,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

impl Requirement {
    fn fits(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::In(values) => value.is_some_and(|value| values.iter().any(|known| known == value)),
            Test::NotIn(values) => value.is_none_or(|value| !values.iter().any(|known| known == value)),
            Test::Greater(than) => number().is_some_and(|number| number > *than),
            Test::Less(than) => number().is_some_and(|number| number < *than),
        }
    }
}

/// The requirements of a label selector.
fn requirements(said: &Said<Text>) -> Outcome<Vec<Requirement>> {
    if said.value.trim().is_empty() {
        return Ok(Vec::new());
    }
    let parts = parts(&said.value);
    match parts.iter().map(|part| requirement(part.trim())).collect::<Option<Vec<_>>>() {
        Some(requirements) => Ok(requirements),
        None => {
            let message = format!("{:?} is not a label selector", said.value);
            wrong(
                said.at,
                message,
                "write it as for kubectl: key=value, key!=value, key, !key, key in (a, b)",
            )
        }
    }
}

/// The text between commas that are in no parentheses.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut inside = false;
    for c in text.chars() {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            _ => {}
        }
        match (c, inside, parts.last_mut()) {
            (',', false, _) => parts.push(String::new()),
            (_, _, Some(part)) => part.push(c),
            _ => {}
        }
    }
    parts
}

fn requirement(part: &str) -> Option<Requirement> {
    let key = |text: &str| Some(text.trim()).filter(|text| is_key(text)).map(str::to_owned);
    let value = |text: &str| Some(text.trim()).filter(|text| is_value(text)).map(str::to_owned);
    let one = |text: &str| Some(vec![value(text.strip_prefix('=').unwrap_or(text))?]);
    let set = |text: &str| {
        let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
        if inner.trim().is_empty() { None } else { inner.split(',').map(value).collect::<Option<Vec<_>>>() }
    };
    let number = |text: &str| value(text)?.parse().ok();
    if let Some(rest) = part.strip_prefix('!') {
        return Some(Requirement { key: key(rest)?, test: Test::Missing });
    }
    if let Some((name, value)) = part.split_once("!=") {
        return Some(Requirement { key: key(name)?, test: Test::NotIn(one(value)?) });
    }
    if let Some((name, value)) = part.split_once('=') {
        return Some(Requirement { key: key(name)?, test: Test::In(one(value)?) });
    }
    if let Some((name, value)) = part.split_once('>') {
        return Some(Requirement { key: key(name)?, test: Test::Greater(number(value)?) });
    }
    if let Some((name, value)) = part.split_once('<') {
        return Some(Requirement { key: key(name)?, test: Test::Less(number(value)?) });
    }
    match part.split_once(char::is_whitespace) {
        None => Some(Requirement { key: key(part)?, test: Test::Exists }),
        Some((name, rest)) => {
            let rest = rest.trim();
            let test = match (rest.strip_prefix("notin"), rest.strip_prefix("in")) {
                (Some(values), _) => Test::NotIn(set(values)?),
                (None, Some(values)) => Test::In(set(values)?),
                _ => return None,
            };
            Some(Requirement { key: key(name)?, test })
        }
    }
}

/// Whether a text may be the name of a label: letters and digits, with `-`, `_` and `.` between them, at most 63.
fn is_label_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let ends = [bytes.first(), bytes.last()];
    bytes.len() <= 63
        && bytes.iter().all(inner)
        && ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
}

fn is_value(text: &str) -> bool {
    text.is_empty() || is_label_name(text)
}

/// Whether a text may be the key of a label: a name, after the name of a domain and a slash where it has one.
fn is_key(text: &str) -> bool {
    let part = |part: &str| is_label_name(part) && !part.contains(['_', '.']);
    let is_domain =
        |text: &str| text.len() <= 253 && text.split('.').all(part) && text == text.to_lowercase();
    match text.split_once('/') {
        Some((domain, name)) => is_domain(domain) && is_label_name(name),
        None => is_label_name(text),
    }
}
