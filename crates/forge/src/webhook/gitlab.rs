//! GitLab's webhooks ("Webhook events").

use countersign_core::event::{EventKind, PullRequestAction, ReviewAction};

use super::body::Body;
use super::hub::reviewed;
use super::{Delivered, Happened, Meaning, ParseError, due, first, moved};
use crate::headers::Headers;

const EVENT: &str = "X-Gitlab-Event";

/// Where GitLab names a delivery; a webhook's own UUID is the same for each of its deliveries.
const DELIVERIES: [&str; 3] = ["webhook-id", "Idempotency-Key", "X-Gitlab-Event-UUID"];

pub(crate) fn parse(headers: &Headers, body: &[u8]) -> Result<Delivered, ParseError> {
    let name = headers.get(EVENT).ok_or(ParseError::NoEventName { header: EVENT })?.to_owned();
    let body = Body::parse(body)?;
    // The header of a system hook is the same for every event: the body tells them apart.
    let meaning = match body.find_text("object_kind") {
        Some("push" | "tag_push") => push(&body)?,
        Some("merge_request") => merge_request(&body)?,
        // Statuses of other programs come as pipelines of their own, which do not tell their names.
        Some("pipeline") => status(&body, "object_attributes.sha", None)?,
        Some("build") => status(&body, "sha", Some("build_name"))?,
        _ => Meaning::Unknown,
    };
    Ok((name, first(headers, &DELIVERIES), meaning))
}

fn push(body: &Body) -> Result<Meaning, ParseError> {
    let (before, after) = (body.commit("before")?, body.commit("after")?);
    match moved(body.name("ref")?, before, after, false) {
        Some(kind) => happened(body, "user_username", vec![kind]),
        None => Ok(Meaning::Nothing),
    }
}

fn merge_request(body: &Body) -> Result<Meaning, ParseError> {
    let Some(action) = body.find_text("object_attributes.action") else { return Ok(Meaning::Unknown) };
    let number = body.number("object_attributes.iid")?.to_string();
    let base = body.branch("object_attributes.target_branch")?;
    if body.find_text("object_attributes.last_commit.id").is_none() {
        // A merge request may be opened before its branch has a commit.
        return Ok(Meaning::Nothing);
    }
    let head = body.name("object_attributes.last_commit.id")?;
    let moved = body.find_text("object_attributes.oldrev").is_some();
    let action = match action {
        "approved" | "approval" => {
            let kinds = reviewed(ReviewAction::Approved, number, base, Some(head));
            return happened(body, "user.username", kinds);
        }
        "unapproved" | "unapproval" => {
            let kinds = reviewed(ReviewAction::Dismissed, number, base, Some(head));
            return happened(body, "user.username", kinds);
        }
        "open" | "reopen" => PullRequestAction::Opened,
        "update" if moved => PullRequestAction::Synchronized,
        "update" => PullRequestAction::Edited,
        "close" => PullRequestAction::Closed,
        "merge" => PullRequestAction::Merged,
        _ => return Ok(Meaning::Unknown),
    };
    let source = body.number("object_attributes.source_project_id").ok();
    let fork = source != Some(body.number("object_attributes.target_project_id")?);
    let merged = body.find_text("object_attributes.state") == Some("merged");
    let branch = merged.then(|| due(base.clone()));
    let mut kinds = vec![EventKind::PullRequest { action, pull_request: number, base, head, fork }];
    kinds.extend(branch);
    happened(body, "user.username", kinds)
}

fn status(body: &Body, commit: &str, context: Option<&str>) -> Result<Meaning, ParseError> {
    // Older releases do not name the project of a job.
    if body.find_text("project.path_with_namespace").is_none() {
        return Ok(Meaning::Nothing);
    }
    let context = context.map(|path| body.text(path).map(str::to_owned)).transpose()?;
    happened(body, "user.username", vec![EventKind::Status { commit: body.name(commit)?, context }])
}

fn happened(body: &Body, actor: &str, kinds: Vec<EventKind>) -> Result<Meaning, ParseError> {
    let actor = body.find_text(actor).map(str::to_owned);
    Ok(Meaning::Happened(Happened { repository: body.name("project.path_with_namespace")?, actor, kinds }))
}
