//! Gitea's and Forgejo's webhooks. Some releases name the same event in two ways.

use countersign_core::event::{PullRequestAction, ReviewAction};

use super::body::Body;
use super::hub;
use super::{Delivered, Meaning, ParseError, first};
use crate::headers::Headers;

const EVENTS: [&str; 2] = ["X-Forgejo-Event", "X-Gitea-Event"];

const DELIVERIES: [&str; 2] = ["X-Forgejo-Delivery", "X-Gitea-Delivery"];

pub(crate) fn parse(headers: &Headers, body: &[u8]) -> Result<Delivered, ParseError> {
    let name = first(headers, &EVENTS).ok_or(ParseError::NoEventName { header: "X-Gitea-Event" })?;
    let body = Body::parse(body)?;
    let meaning = match name.as_str() {
        "push" => hub::push(&body)?,
        "create" => hub::create(&body)?,
        "delete" => hub::delete(&body)?,
        "pull_request" | "pull_request_sync" | "pull_request_label" => match action(body.text("action")?) {
            Some(action) => hub::pull_request(&body, action)?,
            None => Meaning::Unknown,
        },
        "pull_request_approved" | "pull_request_review_approved" => {
            hub::review(&body, ReviewAction::Approved)?
        }
        "pull_request_rejected" | "pull_request_review_rejected" => {
            hub::review(&body, ReviewAction::ChangesRequested)?
        }
        "pull_request_comment" | "pull_request_review_comment" => {
            hub::review(&body, ReviewAction::Commented)?
        }
        "status" => hub::status(&body, "sha", "context")?,
        _ => Meaning::Unknown,
    };
    Ok((name, first(headers, &DELIVERIES), meaning))
}

fn action(name: &str) -> Option<PullRequestAction> {
    match name {
        "opened" | "reopened" => Some(PullRequestAction::Opened),
        "synchronized" => Some(PullRequestAction::Synchronized),
        "edited" | "label_updated" | "label_cleared" => Some(PullRequestAction::Edited),
        "closed" => Some(PullRequestAction::Closed),
        _ => None,
    }
}
