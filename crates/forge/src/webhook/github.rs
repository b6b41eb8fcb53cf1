//! GitHub's webhooks ("Webhook events and payloads").

use countersign_core::event::{PullRequestAction, ReviewAction};

use super::body::Body;
use super::hub;
use super::{Delivered, Meaning, ParseError, first};
use crate::headers::Headers;

const EVENT: &str = "X-GitHub-Event";

pub(crate) fn parse(headers: &Headers, body: &[u8]) -> Result<Delivered, ParseError> {
    let name = headers.get(EVENT).ok_or(ParseError::NoEventName { header: EVENT })?.to_owned();
    let body = Body::parse(body)?;
    let meaning = match name.as_str() {
        "push" => hub::push(&body)?,
        "create" => hub::create(&body)?,
        "delete" => hub::delete(&body)?,
        "ping" => hub::ping(&body)?,
        "pull_request" => match action(body.text("action")?) {
            Some(action) => hub::pull_request(&body, action)?,
            None => Meaning::Unknown,
        },
        "pull_request_review" => review(&body)?,
        "status" => hub::status(&body, "sha", "context")?,
        "check_run" => hub::status(&body, "check_run.head_sha", "check_run.name")?,
        _ => Meaning::Unknown,
    };
    Ok((name, first(headers, &["X-GitHub-Delivery"]), meaning))
}

fn action(name: &str) -> Option<PullRequestAction> {
    match name {
        "opened" | "reopened" => Some(PullRequestAction::Opened),
        "synchronize" => Some(PullRequestAction::Synchronized),
        "edited" | "labeled" | "unlabeled" | "ready_for_review" | "converted_to_draft" => {
            Some(PullRequestAction::Edited)
        }
        "closed" => Some(PullRequestAction::Closed),
        _ => None,
    }
}

fn review(body: &Body) -> Result<Meaning, ParseError> {
    let action = match (body.text("action")?, body.text("review.state")?.to_ascii_lowercase().as_str()) {
        ("dismissed", _) => ReviewAction::Dismissed,
        ("submitted", "approved") => ReviewAction::Approved,
        ("submitted", "changes_requested") => ReviewAction::ChangesRequested,
        ("submitted", "commented") => ReviewAction::Commented,
        _ => return Ok(Meaning::Unknown),
    };
    hub::review(body, action)
}
