//! Whose word counts on a commit's statuses: that of the application that the control repository expects, known by
//! the numeric id of its account or of its GitHub App. Whoever may write to a repository can set any status there.

use countersign_core::configuration::{Configuration, ExpectedStatus};
use countersign_core::decision::WeighedStatus;
use countersign_core::facts::Facts;
use countersign_core::names::{HostName, StatusName};
use countersign_core::review::Status;
use schemars::JsonSchema;
use serde::Serialize;

use crate::approval::people::shown_as;
use crate::approval::short;

/// A status that each reviewed head must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequiredStatus {
    /// Its name in the control repository.
    pub name: StatusName,
    /// The status's context or the check run's name.
    pub context: String,
    /// Who has to set it, for people: `account 12`, `App 15368`, or `nobody` where none is named for the host.
    pub from: String,
    #[serde(skip)]
    setter: Setter,
}

/// Who has to set a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setter {
    Account(u64),
    App(u64),
    Nobody,
}

impl Setter {
    fn of(expected: &ExpectedStatus, host: &HostName) -> Self {
        match (expected.apps.get(host), expected.accounts.get(host)) {
            (Some(app), _) => Self::App(*app),
            (None, Some(account)) => Self::Account(*account),
            (None, None) => Self::Nobody,
        }
    }

    /// Whether it is the one that set a status. The ids of Apps and of accounts have nothing to do with each other.
    fn set(self, status: &Status) -> bool {
        match self {
            Self::Account(id) => status.app.is_none() && status.setter.account == Some(id),
            Self::App(id) => status.app == Some(id),
            Self::Nobody => false,
        }
    }
}

impl std::fmt::Display for Setter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account {id}"),
            Self::App(id) => write!(f, "App {id}"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}

/// The statuses of these names on `host`, in their order. A name that is not configured is asked for in vain.
#[must_use]
pub fn required(configuration: &Configuration, names: &[StatusName], host: &HostName) -> Vec<RequiredStatus> {
    let one = |name: &StatusName| {
        let expected = configuration.statuses.get(name);
        let setter = expected.map_or(Setter::Nobody, |expected| Setter::of(expected, host));
        RequiredStatus {
            name: name.clone(),
            context: expected.map_or_else(|| name.to_string(), |expected| expected.context.clone()),
            from: setter.to_string(),
            setter,
        }
    };
    names.iter().map(one).collect()
}

/// Every status of `facts` that bears the context of one that is required, weighed.
#[must_use]
pub fn weigh(required: &[RequiredStatus], facts: &Facts) -> Vec<WeighedStatus> {
    let weighed = |required: &RequiredStatus| {
        let found = facts.statuses.iter().filter(|status| status.context == required.context);
        found.map(|status| weigh_one(required, status)).collect::<Vec<_>>()
    };
    required.iter().flat_map(weighed).collect()
}

fn weigh_one(required: &RequiredStatus, status: &Status) -> WeighedStatus {
    let shown_as = status.app.map_or_else(|| shown_as(&status.setter), |app| format!("App {app}"));
    let counts = required.setter.set(status);
    let said = format!("{shown_as} says {} of {}", status.said, short(&status.commit));
    let reason = match counts {
        true => said,
        false => format!("{said}, but only {} is expected to say so", required.from),
    };
    WeighedStatus {
        name: required.name.clone(),
        id: status.id.clone(),
        context: status.context.clone(),
        head: status.commit.clone(),
        state: status.state,
        shown_as,
        counts,
        reason,
    }
}

#[cfg(test)]
mod tests;
