//! What was found.

use serde::Serialize;

use crate::commands::aws::Refused;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Grade {
    /// In order.
    Good,
    /// It works now, and may not for long; or it could not be told.
    Warning,
    /// Something does not work, or is not safe.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What kind of thing.
    pub area: &'static str,
    /// Which.
    pub subject: String,
    /// How grave it is.
    pub grade: Grade,
    /// What was found.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// All that was found, in the order in which it was looked at.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Notes something that is in order.
    pub fn good(&mut self, area: &'static str, subject: impl ToString, what: impl Into<String>) {
        self.push(area, subject, Grade::Good, what.into(), None);
    }

    /// Notes something that should be looked after.
    pub fn warn(&mut self, area: &'static str, subject: impl ToString, what: impl Into<String>, mend: &str) {
        self.push(area, subject, Grade::Warning, what.into(), Some(mend));
    }

    /// Notes something that is wrong.
    pub fn bad(&mut self, area: &'static str, subject: impl ToString, what: impl Into<String>, mend: &str) {
        self.push(area, subject, Grade::Problem, what.into(), Some(mend));
    }

    /// Notes that something on AWS could not be looked at: a warning where these credentials may not, else a problem.
    pub fn unread(&mut self, area: &'static str, subject: impl ToString, error: &anyhow::Error, mend: &str) {
        if Refused::of(error).is_some_and(|refused| refused.is_forbidden) {
            let mend = "look with credentials that may read it, if it matters";
            self.warn(area, subject, format!("cannot be told with these credentials: {error:#}"), mend);
        } else {
            self.bad(area, subject, format!("{error:#}"), mend);
        }
    }

    fn push(
        &mut self,
        area: &'static str,
        subject: impl ToString,
        grade: Grade,
        what: String,
        mend: Option<&str>,
    ) {
        let (subject, mend) = (subject.to_string(), mend.map(str::to_owned));
        self.0.push(Finding { area, subject, grade, what, mend });
    }

    /// All of them.
    #[must_use]
    pub fn all(self) -> Vec<Finding> {
        self.0
    }
}
