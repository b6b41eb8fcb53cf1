use countersign_core::configuration::HostKind;
use countersign_core::names::HostName;
use countersign_core::time::Timestamp;
use serde_json::{Value, json};

use crate::headers::Headers;
use crate::webhook;

use super::*;

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";
const ZERO: &str = "0000000000000000000000000000000000000000";

fn statement(says: Value) -> SignedStatement {
    let payload = json!({"v": 1, "repository": "local/shop", "time": "2026-11-20T22:00:00Z", "nonce": "n",
        "says": says});
    SignedStatement { payload: payload.to_string(), signature: "unverified".to_owned() }
}

fn proposal(id: &str, base: &str) -> Proposal {
    Proposal { id: Digest::of(id.as_bytes()), base: base.parse().unwrap(), head: ONE.parse().unwrap() }
}

fn update(reference: &str) -> Update {
    let after = Some(TWO.parse().unwrap());
    Update { reference: reference.parse().unwrap(), before: None, after, forced: false, statement: None }
}

fn push(updates: Vec<Update>) -> PlainPush {
    let repository = "team/shop".parse().unwrap();
    PlainPush { v: PUSH_VERSION, delivery: "d-1".to_owned(), repository, pusher: None, updates }
}

fn parsed(body: &Value) -> Result<webhook::Parsed, ParseError> {
    let host: HostName = "local".parse().unwrap();
    let body = body.to_string();
    webhook::parse(HostKind::Plain, &host, &Headers::default(), body.as_bytes(), Timestamp::default())
}

/// What a pushed statement means, one event a line.
fn meaning(statement: &SignedStatement, proposals: Vec<Proposal>, branches: &[&str]) -> Value {
    let branches = branches.iter().map(|branch| branch.parse().unwrap()).collect();
    let pushed = PushedStatement { statement: statement.clone(), proposals, branches };
    let update = Update { statement: Some(pushed), ..update("refs/countersign/statements/00") };
    let parsed = parsed(&serde_json::to_value(push(vec![update])).unwrap()).unwrap();
    serde_json::to_value(parsed.events.into_iter().map(|event| event.kind).collect::<Vec<_>>()).unwrap()
}

fn due(reference: &str) -> Value {
    json!({"type": "refDue", "reference": reference, "everyTarget": false})
}

#[test]
fn every_branch_and_tag_of_a_push_is_an_event() {
    let mut body = serde_json::to_value(push(vec![
        update("refs/heads/main"),
        update("refs/countersign/reports/x"),
        update("refs/tags/v1"),
        update("refs/heads/old"),
    ]))
    .unwrap();
    body["updates"][0]["before"] = json!(ONE);
    body["updates"][0]["forced"] = json!(true);
    body["updates"][3] = json!({"reference": "refs/heads/old", "before": ONE, "after": ZERO, "more": 1});
    body["pusher"] = json!("ann");
    let parsed = parsed(&body).unwrap();
    let ids: Vec<_> = parsed.events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!((ids, parsed.delivery.as_str()), (vec!["local/d-1/0", "local/d-1/1", "local/d-1/2"], "d-1"));
    assert!(parsed.events.iter().all(|event| event.actor.as_deref() == Some("ann")));
    let kinds: Vec<_> = parsed.events.into_iter().map(|event| event.kind).collect();
    assert_eq!(
        serde_json::to_value(kinds).unwrap(),
        json!([
            {"type": "pushed", "reference": "refs/heads/main", "before": ONE, "after": TWO, "forced": true},
            {"type": "pushed", "reference": "refs/tags/v1", "before": null, "after": TWO, "forced": false},
            {"type": "deleted", "reference": "refs/heads/old", "before": ONE},
        ])
    );
}

#[test]
fn a_proposal_is_a_pull_request() {
    let statement =
        statement(json!({"kind": "propose", "base": "refs/heads/main", "head": ONE, "title": "t"}));
    let id = statement.id().to_string();
    assert_eq!(
        meaning(&statement, vec![], &[]),
        json!([
            {"type": "pullRequest", "action": "opened", "pullRequest": id, "base": "refs/heads/main",
                "head": ONE, "fork": false},
            due("refs/heads/main"),
        ])
    );
}

#[test]
fn an_approval_is_a_review_of_each_proposal_and_makes_each_branch_due_once() {
    let approve = statement(json!({"kind": "approve", "head": ONE}));
    let proposals = vec![
        proposal("a", "refs/heads/main"),
        proposal("b", "refs/heads/main"),
        proposal("c", "refs/heads/next"),
    ];
    let told = meaning(&approve, proposals.clone(), &[]);
    let review = |proposal: &Proposal, action: &str| {
        json!({"type": "review", "action": action, "pullRequest": proposal.id, "base": proposal.base,
            "head": ONE})
    };
    let expected = proposals.iter().map(|proposal| review(proposal, "approved"));
    let expected: Vec<_> = expected.chain([due("refs/heads/main"), due("refs/heads/next")]).collect();
    assert_eq!(told, json!(expected));
    assert_eq!(meaning(&approve, vec![], &["refs/heads/main"]), json!([due("refs/heads/main")]));
    assert_eq!(meaning(&approve, vec![], &[]), json!([]));
    let dismiss = statement(json!({"kind": "dismiss", "approval": approve.id()}));
    let told = meaning(&dismiss, proposals[..1].to_vec(), &[]);
    assert_eq!(told, json!([review(&proposals[0], "dismissed"), due("refs/heads/main")]));
}

#[test]
fn a_closing_closes_and_a_command_is_handed_on_as_signed() {
    let close = statement(json!({"kind": "close", "proposal": Digest::of(b"a")}));
    let told = meaning(&close, vec![proposal("a", "refs/heads/main")], &[]);
    assert_eq!((&told[0]["action"], &told[1]), (&json!("closed"), &due("refs/heads/main")));
    let command = statement(json!({"kind": "command", "expires": "2026-11-20T23:00:00Z",
        "command": {"do": "release", "target": {"application": "a", "environment": "b", "cluster": "c"}}}));
    assert_eq!(meaning(&command, vec![], &[]), json!([{"type": "command", "statement": command}]));
}

#[test]
fn another_version_or_shape_is_told_as_such() {
    assert_eq!(parsed(&json!({"v": 2, "pushes": []})), Err(ParseError::Version(2)));
    let told = parsed(&json!({"v": 1, "delivery": "d"})).unwrap_err().to_string();
    assert!(told.contains("repository"), "{told}");
    let mut body = serde_json::to_value(push(vec![update("refs/heads/main")])).unwrap();
    body["updates"][0]["statement"] = json!({"statement": {"payload": "{}", "signature": ""}});
    let Err(ParseError::Field { path, .. }) = parsed(&body) else { panic!("a payload that says nothing") };
    assert_eq!(path, "$.updates[0].statement.statement.payload");
}
