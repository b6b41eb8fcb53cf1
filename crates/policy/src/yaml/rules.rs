//! What a text may hold, where a schema gives it a pattern: the same check that makes the value later.

use std::str::FromStr;

use countersign_core::configuration::SecretReference;
use countersign_core::digest::Digest;
use countersign_core::names::{CommitId, HostName, Reference, RepositoryId, RepositoryPath};
use countersign_core::time::Timestamp;
use schemars::{JsonSchema, SchemaGenerator};

/// What a text with a pattern may hold.
pub struct Rule {
    /// The pattern or format that stands for it in a schema.
    pub mark: String,
    /// What is wrong with a text that breaks it.
    pub wrong: &'static str,
    /// Whether the text may be shown. A secret may not.
    pub shown: bool,
    /// How to write it.
    pub help: &'static str,
    /// Whether a text keeps it.
    pub keeps: fn(&str) -> bool,
}

/// Every rule that a schema of this project refers to by a pattern or format.
#[must_use]
pub fn all() -> Vec<Rule> {
    vec![
        rule::<HostName>(
            "is not a valid name",
            "use lower-case letters, digits and inner hyphens, at most 63",
        ),
        rule::<RepositoryPath>(
            "is not a valid path of a repository",
            "use letters, digits, `.`, `_`, `-` and `/`",
        ),
        rule::<RepositoryId>(
            "does not name a repository",
            "write the host's name, a slash, and the repository's path on it, as `local/team/shop`",
        ),
        rule::<CommitId>("is not a full commit id", "use the 40 or 64 lower-case digits of `git rev-parse`"),
        rule::<Reference>("is not a full reference", "write it as `refs/heads/main`"),
        rule::<Digest>("is not a digest", "write `sha256:` and 64 lower-case hexadecimal digits"),
        rule::<Timestamp>("is not a point in time", "write it as `2030-01-31T00:00:00Z`"),
        Rule {
            mark: mark::<SecretReference>(),
            wrong: "a secret is given by reference, never itself",
            shown: false,
            help: "write `env:NAME`, `file:PATH` or `secret:NAME`; if this was a real secret, replace it: Git keeps it",
            keeps: |text| SecretReference::try_from(text.to_owned()).is_ok(),
        },
    ]
}

fn rule<T: JsonSchema + FromStr>(wrong: &'static str, help: &'static str) -> Rule {
    Rule { mark: mark::<T>(), wrong, shown: true, help, keeps: |text| text.parse::<T>().is_ok() }
}

/// The pattern, or else the format, in a type's schema.
fn mark<T: JsonSchema>() -> String {
    let schema = T::json_schema(&mut SchemaGenerator::default());
    let mark = schema.get("pattern").or_else(|| schema.get("format"));
    mark.and_then(|mark| mark.as_str()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_a_mark_of_its_own() {
        let mut marks: Vec<_> = all().into_iter().map(|rule| rule.mark).collect();
        assert!(marks.iter().all(|mark| !mark.is_empty()), "{marks:?}");
        let count = marks.len();
        marks.sort();
        marks.dedup();
        assert_eq!(marks.len(), count);
    }
}
