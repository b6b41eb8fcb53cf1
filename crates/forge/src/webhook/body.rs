//! The fields of a payload that are needed, each by its path; all others are let pass.

use std::fmt::Display;
use std::str::FromStr;

use countersign_core::names::{CommitId, Reference};
use serde_json::Value;

use super::ParseError;

/// The payload of a webhook.
pub(crate) struct Body(Value);

impl Body {
    /// Parses the bytes of a body. Nesting is limited by `serde_json`, size by the caller.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Ok(Self(serde_json::from_slice(bytes).map_err(|error| ParseError::malformed(&error))?))
    }

    /// What is at `path`, whose steps are parted by dots.
    fn find(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.0, |value, step| value.get(step))
    }

    /// The text at `path`, if there is one that is not empty.
    pub(crate) fn find_text(&self, path: &str) -> Option<&str> {
        self.find(path).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The text at `path`, that must be there.
    pub(crate) fn text(&self, path: &str) -> Result<&str, ParseError> {
        self.find_text(path).ok_or_else(|| missing(path, "a text is missing"))
    }

    /// Whether `path` holds `true`.
    pub(crate) fn is(&self, path: &str) -> bool {
        self.find(path) == Some(&Value::Bool(true))
    }

    /// The number at `path`, that must be there.
    pub(crate) fn number(&self, path: &str) -> Result<u64, ParseError> {
        self.find(path).and_then(Value::as_u64).ok_or_else(|| missing(path, "a number is missing"))
    }

    /// The name at `path`, that must be there and valid.
    pub(crate) fn name<T>(&self, path: &str) -> Result<T, ParseError>
    where
        T: FromStr<Err: Display>,
    {
        self.text(path)?.parse().map_err(|error: T::Err| missing(path, &error.to_string()))
    }

    /// The commit id at `path`, that must be there; zeros mean that there is no commit.
    pub(crate) fn commit(&self, path: &str) -> Result<Option<CommitId>, ParseError> {
        Ok(Some(self.name(path)?).filter(|commit| !is_zero(commit)))
    }

    /// The branch whose short name is at `path`.
    pub(crate) fn branch(&self, path: &str) -> Result<Reference, ParseError> {
        let short = self.text(path)?;
        let reference = format!("refs/heads/{short}").parse();
        reference.map_err(|error| missing(path, &format!("{error}")))
    }
}

/// An error at a field of the payload.
pub(crate) fn missing(path: &str, reason: &str) -> ParseError {
    ParseError::Field { path: format!("$.{path}"), reason: reason.to_owned() }
}

/// Whether this is the id that Git writes for no commit.
pub(crate) fn is_zero(commit: &CommitId) -> bool {
    commit.as_str().bytes().all(|byte| byte == b'0')
}
