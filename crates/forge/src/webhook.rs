//! From the bytes of a verified webhook to events: one closed enum for every forge.

pub(crate) mod body;
mod gitea;
mod github;
mod gitlab;
mod hub;

use countersign_core::configuration::HostKind;
use countersign_core::digest::Digest;
use countersign_core::event::{Event, EventKind};
use countersign_core::names::{CommitId, HostName, Reference, RepositoryId, RepositoryPath};
use countersign_core::time::Timestamp;

use crate::headers::Headers;
use crate::plain;

/// The most bytes of a delivery id that are kept as they came.
const LONGEST_DELIVERY: usize = 100;

/// What a webhook says.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The delivery's id: the forge's own, or the digest of the body in hexadecimal digits.
    pub delivery: String,
    /// The forge's name of the event, as `push`.
    pub name: String,
    /// What it means. One webhook may mean several things, each for another group of the queue.
    pub events: Vec<Event>,
    /// Whether this kind of event is known; if not, there are no events, and the forge is told that all is well.
    pub understood: bool,
}

/// A verified webhook that is not what its forge sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The body is not JSON.
    #[error("line {line}, column {column} of the body: {reason}: set the webhook's content type to JSON")]
    Malformed {
        /// The line, counted from 1.
        line: usize,
        /// The column, counted from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The event's name is missing.
    #[error("the header {header} is missing: check that this host's kind is the forge that sends here")]
    NoEventName {
        /// The header that would hold it.
        header: &'static str,
    },
    /// A field is missing or not what it should be.
    #[error("{path} in the body: {reason}: check that this host's kind is the forge that sends here")]
    Field {
        /// The JSON path.
        path: String,
        /// What is wrong there.
        reason: String,
    },
    /// The hook of plain Git is of another release.
    #[error("the hook's payload has version {0}, 1 is understood: install the hook of this release")]
    Version(u32),
}

impl ParseError {
    pub(crate) fn malformed(error: &serde_json::Error) -> Self {
        let reason = match error.classify() {
            serde_json::error::Category::Data => error.to_string(),
            _ => "not valid JSON".to_owned(),
        };
        Self::Malformed { line: error.line(), column: error.column(), reason }
    }
}

/// What a forge's own parser made of a payload.
pub(crate) enum Meaning {
    /// An event of a kind, or with an action, that changes nothing here.
    Unknown,
    /// A known event with no consequence.
    Nothing,
    /// Something happened.
    Happened(Happened),
}

/// Something happened in a repository.
pub(crate) struct Happened {
    pub(crate) repository: RepositoryPath,
    pub(crate) actor: Option<String>,
    pub(crate) kinds: Vec<EventKind>,
}

/// Parses a webhook that [`verify`](crate::verify::verify) has found good. `host` is the host's name in
/// the configuration, `received` the time that the events will carry.
///
/// # Errors
/// When the body or a header is not what the forge sends. An event that is not known is no error.
pub fn parse(
    kind: HostKind,
    host: &HostName,
    headers: &Headers,
    body: &[u8],
    received: Timestamp,
) -> Result<Parsed, ParseError> {
    let (name, delivery, meaning) = match kind {
        HostKind::Github => github::parse(headers, body)?,
        HostKind::Gitea => gitea::parse(headers, body)?,
        HostKind::Gitlab => gitlab::parse(headers, body)?,
        HostKind::Plain => plain::parse(body)?,
    };
    let delivery = delivery_id(delivery.as_deref(), body);
    let understood = !matches!(meaning, Meaning::Unknown);
    let events = match meaning {
        Meaning::Unknown | Meaning::Nothing => Vec::new(),
        Meaning::Happened(happened) => events(host, &delivery, received, happened),
    };
    Ok(Parsed { delivery, name, events, understood })
}

/// The name of an event, the id of its delivery as the forge gives it, and what it means.
pub(crate) type Delivered = (String, Option<String>, Meaning);

/// The first of `names` that has a value.
pub(crate) fn first(headers: &Headers, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| headers.get(name)).map(str::to_owned)
}

/// The forge's id if it is one that no log line or key suffers from, or the digest of the body.
fn delivery_id(given: Option<&str>, body: &[u8]) -> String {
    let sound = |id: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:=+".contains(&byte);
        !id.is_empty() && id.len() <= LONGEST_DELIVERY && id.bytes().all(allowed)
    };
    given.filter(sound).map_or_else(|| Digest::of(body).hex(), str::to_owned)
}

fn events(host: &HostName, delivery: &str, received: Timestamp, happened: Happened) -> Vec<Event> {
    let Happened { repository, actor, kinds } = happened;
    let repository = RepositoryId { host: host.clone(), path: repository };
    let event = |(index, kind)| Event {
        id: format!("{host}/{delivery}/{index}"),
        received,
        repository: repository.clone(),
        actor: actor.clone(),
        kind,
    };
    kinds.into_iter().enumerate().map(event).collect()
}

/// A reference that moved: what that means for a branch or a tag. Nothing else is followed.
pub(crate) fn moved(
    reference: Reference,
    before: Option<CommitId>,
    after: Option<CommitId>,
    forced: bool,
) -> Option<EventKind> {
    if reference.branch().is_none() && reference.tag().is_none() {
        return None;
    }
    match (before, after) {
        (None, None) => None,
        (before, None) => Some(EventKind::Deleted { reference, before }),
        (before, Some(after)) => Some(EventKind::Pushed { reference, before, after, forced }),
    }
}

/// A hint that `reference` is to be looked at again, for the targets that its commits touch.
pub(crate) fn due(reference: Reference) -> EventKind {
    EventKind::RefDue { reference, every_target: false }
}

#[cfg(test)]
mod tests;
