//! Which objects a patch or a replacement is for: by regular expressions, labels and annotations.

use regex::{Regex, RegexBuilder};

use super::context::{Context, Outcome, wrong};
use super::fields::{Fields, Said};
use super::go_regex;
use super::id::Id;
use super::resource::Resource;
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
    group: Option<Regex>,
    version: Option<Regex>,
    kind: Option<Regex>,
    name: Option<Regex>,
    namespace: Option<Regex>,
    annotations: Vec<Requirement>,
    labels: Vec<Requirement>,
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
    pub(crate) fn matcher(&self, context: &Context<'_>) -> Outcome<Matcher> {
        let anchored = |said: &Option<Said<Text>>| match said {
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
        })
    }
}

/// Compiles a regular expression of Go's, within the budget.
pub(crate) fn expression(context: &Context<'_>, pattern: &str, at: At) -> Outcome<Regex> {
    let limit = context.meter.budget.expression;
    let built = if pattern.len() > limit {
        Err("it is too long".to_owned())
    } else {
        go_regex::translated(pattern).and_then(|pattern| {
            let mut builder = RegexBuilder::new(&pattern);
            builder.size_limit(limit).dfa_size_limit(limit).nest_limit(100).unicode(true);
            builder.build().map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => format!("it takes more than {limit} bytes when compiled"),
                other => other.to_string().lines().last().unwrap_or_default().to_owned(),
            })
        })
    };
    built.or_else(|why| {
        wrong(at, format!("the regular expression is not accepted: {why}"), "write a simpler one")
    })
}

fn fits(expression: Option<&Regex>, text: &str) -> bool {
    expression.is_none_or(|expression| expression.is_match(text))
}

impl Matcher {
    fn fits_kind(&self, id: &Id<'_>) -> bool {
        fits(self.group.as_ref(), id.group)
            && fits(self.version.as_ref(), id.version)
            && fits(self.kind.as_ref(), id.kind)
    }

    /// Whether it takes an object of this name, as it stands.
    pub(crate) fn takes_id(&self, id: &Id<'_>) -> bool {
        self.fits_kind(id) && fits(self.name.as_ref(), id.name) && fits(self.namespace.as_ref(), id.namespace)
    }

    /// Whether its labels and annotations fit.
    pub(crate) fn takes_texts(&self, resource: &Resource) -> bool {
        let all = |requirements: &[Requirement], field| {
            requirements.iter().all(|requirement| {
                let value =
                    resource.texts(field).find(|(key, _)| *key == requirement.key).map(|(_, value)| value);
                requirement.fits(value)
            })
        };
        all(&self.labels, "labels") && all(&self.annotations, "annotations")
    }

    /// Whether it takes an object, by what it is called now or was called at first.
    pub(crate) fn takes(&self, resource: &Resource) -> bool {
        let (now, first) = (resource.id(), resource.original_id());
        (fits(self.namespace.as_ref(), first.effective()) || fits(self.namespace.as_ref(), now.effective()))
            && (fits(self.name.as_ref(), first.name) || fits(self.name.as_ref(), now.name))
            && self.fits_kind(&now)
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
    let parts = parts(&said.value);
    let parsed = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).map(requirement);
    match parsed.collect::<Option<Vec<_>>>() {
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
    let key = |text: &str| {
        let text = text.trim();
        let valid = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        valid.then(|| text.to_owned())
    };
    let one = |text: &str| {
        let text = text.trim().trim_start_matches('=').trim();
        text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)).then(|| vec![text.to_owned()])
    };
    let set = |text: &str| {
        let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inner.split(',').map(|value| value.trim().to_owned()).collect::<Vec<_>>())
    };
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
        return Some(Requirement { key: key(name)?, test: Test::Greater(value.trim().parse().ok()?) });
    }
    if let Some((name, value)) = part.split_once('<') {
        return Some(Requirement { key: key(name)?, test: Test::Less(value.trim().parse().ok()?) });
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
