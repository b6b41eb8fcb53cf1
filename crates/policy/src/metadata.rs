//! What a rule says of itself: the `# METADATA` comment above its package, as YAML.
//!
//! The engine knows nothing of these comments, so they are read here. Every field that is not known is a
//! mistake: a misspelt `severity` must never turn a rule into a weaker one.

use countersign_core::decision::{Needs, Severity};
use countersign_core::facts::Problem;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml;

/// The line that begins the comment.
const MARK: &str = "# METADATA";

/// A rule's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// What the rule demands, in a few words.
    pub title: String,
    /// Why it exists, for the person whom it stops.
    pub description: String,
    /// What Countersign adds to Rego's own annotations.
    pub custom: Custom,
}

/// What Countersign adds to Rego's own annotations.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Custom {
    /// `error` denies; `warning` is shown.
    pub severity: Severity,
    /// What to do when it fails.
    pub remedy: String,
    /// Controls of standards that it serves, as `SOC2 CC8.1`; an empty list says that it serves none.
    pub controls: Vec<String>,
    /// `review` for a rule that cannot pass before people have reviewed, `status` for one that cannot before a
    /// program has set a status: it is pending until they can.
    #[serde(default)]
    pub needs: Option<Needs>,
}

/// Whether `source` has a metadata comment.
#[must_use]
pub fn is_present(source: &str) -> bool {
    source.lines().any(|line| line.trim_end() == MARK)
}

/// Reads the metadata above the package of a rule's file.
///
/// # Errors
/// Every mistake, at its line: no comment, a comment that is not above the package, a field that is
/// missing, unknown or empty.
pub fn read(file: &str, source: &str) -> Result<Metadata, Vec<Problem>> {
    let block = block(file, source).map_err(|problem| vec![problem])?;
    let (metadata, document) = yaml::read::<Metadata>(file, &block)?;
    let texts = [
        (["title"].as_slice(), &metadata.title),
        (&["description"], &metadata.description),
        (&["custom", "remedy"], &metadata.custom.remedy),
    ];
    let problems: Vec<_> = texts
        .into_iter()
        .filter(|(_, text)| text.trim().is_empty())
        .map(|(path, _)| {
            let name = path.join(".");
            let help = "write it for the developer whose change is denied";
            yaml::problem(file, document.line_of(path), format!("the metadata's {name} is empty"), help)
        })
        .collect();
    if problems.is_empty() { Ok(metadata) } else { Err(problems) }
}

/// The comment's YAML, on the lines on which it stands in the file.
fn block(file: &str, source: &str) -> Result<String, Problem> {
    let example = "begin the file with a comment: # METADATA, # title: …, # description: …, # custom:, \
                   #   severity: error, #   remedy: …, #   controls: []";
    let mut text = String::new();
    let mut inside = false;
    for (line, number) in source.lines().zip(1_u32..) {
        let bare = line.trim_end();
        if bare == MARK {
            if inside {
                return Err(yaml::problem(file, number, "the file has two METADATA comments", "keep one"));
            }
            inside = true;
        } else if let Some(comment) = bare.strip_prefix('#').filter(|_| inside) {
            text.push_str(comment.strip_prefix(' ').unwrap_or(comment));
        } else if inside {
            return match bare.starts_with("package") {
                true => Ok(text),
                false => {
                    let message = "the METADATA comment is not directly above the package";
                    Err(yaml::problem(file, number, message, "put `package …` on the line below the comment"))
                }
            };
        } else if bare.starts_with("package") {
            break;
        }
        text.push('\n');
    }
    Err(yaml::problem(file, 1, "the rule has no METADATA comment above its package", example))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\n# METADATA\n# title: Pinned\n# description: >-\n#   Because.\n# custom:\n#   severity: error\n#   remedy: Pin it.\n#   controls: [SOC2 CC8.1]\n#   needs: review\npackage images.pinned\n";

    #[test]
    fn every_field_is_read() {
        let metadata = read("a.rego", GOOD).unwrap();
        assert_eq!(metadata.title, "Pinned");
        assert_eq!(metadata.description, "Because.");
        assert_eq!(metadata.custom.severity, Severity::Error);
        assert_eq!(metadata.custom.needs, Some(Needs::Review));
        assert_eq!(metadata.custom.controls, ["SOC2 CC8.1"]);
    }

    #[test]
    fn a_mistake_is_shown_at_its_line() {
        let unknown = GOOD.replace("severity: error", "severity: error\n#   severty: warning");
        let problems = read("a.rego", &unknown).unwrap_err();
        assert!(problems.iter().any(|p| p.message.contains("severty") && p.at.line == 8), "{problems:?}");
        for (what, replaced, by) in [
            ("remedy", "#   remedy: Pin it.\n", ""),
            ("severity", "severity: error", "severity: fatal"),
            ("title", "title: Pinned", "title: \"\""),
            ("controls", "#   controls: [SOC2 CC8.1]\n", ""),
        ] {
            let problems = read("a.rego", &GOOD.replace(replaced, by)).unwrap_err();
            assert!(problems.iter().any(|p| p.message.contains(what)), "{what}: {problems:?}");
        }
    }

    #[test]
    fn the_comment_must_stand_above_the_package() {
        for source in ["package a\n", "# METADATA\n# title: x\n\nimport rego.v1\n", "package a\n# METADATA\n"]
        {
            assert!(read("a.rego", source).is_err(), "{source}");
        }
    }
}
