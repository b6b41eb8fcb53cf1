//! The payloads that GitHub and Gitea write alike.

use countersign_core::event::{EventKind, PullRequestAction, ReviewAction};
use countersign_core::names::{CommitId, Reference};

use super::body::{Body, missing};
use super::{Happened, Meaning, ParseError, due, moved};

/// A branch or tag was pushed.
pub(crate) fn push(body: &Body) -> Result<Meaning, ParseError> {
    let reference = body.name("ref")?;
    let (before, after) = (body.commit("before")?, body.commit("after")?);
    match moved(reference, before, after, body.is("forced")) {
        Some(kind) => happened(body, vec![kind]),
        None => Ok(Meaning::Nothing),
    }
}

/// A branch or tag was created. A push says more of the same, so this is only a hint.
pub(crate) fn create(body: &Body) -> Result<Meaning, ParseError> {
    let reference = named(body)?;
    happened(body, vec![due(reference)])
}

/// A branch or tag was deleted.
pub(crate) fn delete(body: &Body) -> Result<Meaning, ParseError> {
    let reference = named(body)?;
    happened(body, vec![EventKind::Deleted { reference, before: None }])
}

/// The reference of which `ref` holds the short name and `ref_type` the kind.
fn named(body: &Body) -> Result<Reference, ParseError> {
    let folder = match body.text("ref_type")? {
        "branch" => "refs/heads/",
        "tag" => "refs/tags/",
        _ => return Err(missing("ref_type", "neither branch nor tag")),
    };
    let name = body.text("ref")?;
    let full = if name.starts_with(folder) { name.to_owned() } else { format!("{folder}{name}") };
    full.parse().map_err(|error| missing("ref", &format!("{error}")))
}

/// The forge says hello, for a repository or for a whole organization.
pub(crate) fn ping(body: &Body) -> Result<Meaning, ParseError> {
    match body.find_text("repository.full_name") {
        Some(_) => happened(body, vec![EventKind::Ping]),
        None => Ok(Meaning::Nothing),
    }
}

/// A pull request changed.
pub(crate) fn pull_request(body: &Body, action: PullRequestAction) -> Result<Meaning, ParseError> {
    let pull = Pull::of(body)?;
    let action = match action {
        PullRequestAction::Closed if pull.merged => PullRequestAction::Merged,
        other => other,
    };
    let Pull { number: pull_request, base, head, fork, merged } = pull;
    let branch = merged.then(|| due(base.clone()));
    let mut kinds = vec![EventKind::PullRequest { action, pull_request, base, head, fork }];
    // What is said of a merged pull request may explain the commit that it became.
    kinds.extend(branch);
    happened(body, kinds)
}

/// A review was given or taken back. What is looked at is the pull request's head, whichever commit was reviewed.
pub(crate) fn review(body: &Body, action: ReviewAction) -> Result<Meaning, ParseError> {
    let Pull { number: pull_request, base, head, .. } = Pull::of(body)?;
    happened(body, reviewed(action, pull_request, base, Some(head)))
}

/// The events of a review: one for the previews of its pull request, and, unless it is only a comment,
/// one for the branch, where it may change what was denied.
pub(crate) fn reviewed(
    action: ReviewAction,
    pull_request: String,
    base: Reference,
    head: Option<CommitId>,
) -> Vec<EventKind> {
    let branch = due(base.clone());
    let review = EventKind::Review { action, pull_request, base, head };
    if action == ReviewAction::Commented { vec![review] } else { vec![review, branch] }
}

/// A program set a status, or a check run, of the name that is at `context` on the commit that is at `commit`.
pub(crate) fn status(body: &Body, commit: &str, context: &str) -> Result<Meaning, ParseError> {
    let context = Some(body.text(context)?.to_owned());
    happened(body, vec![EventKind::Status { commit: body.name(commit)?, context }])
}

struct Pull {
    number: String,
    base: Reference,
    head: CommitId,
    fork: bool,
    merged: bool,
}

impl Pull {
    fn of(body: &Body) -> Result<Self, ParseError> {
        let repository = |side: &str| body.find_text(&format!("pull_request.{side}.repo.full_name"));
        Ok(Self {
            number: body.number("pull_request.number")?.to_string(),
            base: body.branch("pull_request.base.ref")?,
            head: body.name("pull_request.head.sha")?,
            // The repository of a head is gone when a fork was deleted.
            fork: repository("head").is_none() || repository("head") != repository("base"),
            merged: body.is("pull_request.merged"),
        })
    }
}

fn happened(body: &Body, kinds: Vec<EventKind>) -> Result<Meaning, ParseError> {
    let actor = body.find_text("sender.login").map(str::to_owned);
    Ok(Meaning::Happened(Happened { repository: body.name("repository.full_name")?, actor, kinds }))
}
