//! The adapter on GitHub as its published description says.

mod git;
mod openapi;
mod pushers;
mod statuses;
mod telling;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use countersign_core::configuration::{GithubApp, HostKind, SecretReference};
use countersign_core::names::{CommitId, Reference};
use countersign_core::ports::forge::{Evidence, ForgeRead as _, ForgeReport as _};
use countersign_core::review::{PullRequestState, ReviewVerdict};
use countersign_core::time::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Reply, TOKEN, Vault, clock, commit, host, report};
use openapi::{Asked, description};

/// A key that is made once for all tests: that takes a while.
fn pem() -> &'static str {
    static PEM: OnceLock<String> = OnceLock::new();
    PEM.get_or_init(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let text = BASE64_STANDARD.encode(der.as_ref());
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    })
}

/// The adapter by token.
fn by_token(base: &str) -> Github<Vault> {
    let host = host(HostKind::Github, base);
    Github::new(&"hub".parse().unwrap(), &host, Vault::default(), clock()).unwrap()
}

/// The adapter as the App 7.
fn as_app(base: &str, clock: Clock) -> Github<Vault> {
    let mut host = host(HostKind::Github, base);
    host.token = None;
    let private_key = SecretReference::Environment("APP_KEY".to_owned());
    host.app = Some(GithubApp { id: 7, installation: 9, private_key });
    let vault = Vault { more: vec![("env:APP_KEY".to_owned(), pem().as_bytes().to_vec())] };
    Github::new(&"hub".parse().unwrap(), &host, vault, clock).unwrap()
}

async fn evidence(github: &Github<Vault>, base: &str, commits: &[CommitId]) -> Result<Evidence, PortError> {
    let base: Reference = format!("refs/heads/{base}").parse().unwrap();
    github.evidence(&"forge/team/shop".parse().unwrap(), &base, commits).await
}

/// A session that lasts an hour from the tests' time.
fn session(asked: &Asked<'_>) -> Option<Reply> {
    (asked.operation == "POST /app/installations/{installation_id}/access_tokens").then(|| {
        let granted = json!({ "token": "granted", "expires_at": "2026-11-20T23:00:00Z" });
        Reply::status(201, &[], &openapi::merged(&asked.example, &granted).to_string())
    })
}

#[tokio::test]
async fn every_call_is_as_described_and_every_example_is_understood() {
    let Some(description) = description() else { return };
    for app in [false, true] {
        let hub = openapi::Github::start(description, session).await;
        let github = if app { as_app(&hub.server.base, clock()) } else { by_token(&hub.server.base) };
        let head: CommitId = "6dcb09b5b57875f334f61aebed695e2e4193db5e".parse().unwrap();
        let told = evidence(&github, "master", &[head]).await;
        hub.nothing_was_wrong();
        let told = told.unwrap();
        assert_eq!(told.pull_requests.len(), 1);
        let pull = &told.pull_requests[0];
        assert_eq!((pull.id.as_str(), pull.author.account), ("1347", Some(1)));
        assert_eq!((pull.state, pull.labels[0].as_str()), (PullRequestState::Merged, "bug"));
        assert_eq!((pull.reviews.len(), pull.reviews[0].verdict), (1, ReviewVerdict::Approved));
        assert_eq!(pull.contributors[0].account, Some(1));
        let result = github.report(&report('6', "staging", 5, "denied")).await;
        hub.nothing_was_wrong();
        result.unwrap();
    }
}

fn world(asked: &Asked<'_>) -> Option<Reply> {
    let pull = |number: u64, head: char, change: Value| {
        let change = openapi::merged(
            &json!({
                "number": number, "state": "open", "merged_at": null, "merge_commit_sha": commit('0'),
                "head": { "sha": commit(head), "ref": "topic" }, "base": { "ref": "main" }, "labels": []
            }),
            &change,
        );
        openapi::merged(&asked.example[0], &change)
    };
    let review = |id: u64, state: &str, on: Value| json!({ "id": id, "state": state, "commit_id": on, "user": { "id": 20 + id }, "submitted_at": format!("2026-11-20T10:00:0{id}Z") });
    Some(Reply::json(&match asked.operation.as_str() {
        "GET /repos/{owner}/{repo}/pulls" => json!([
            pull(
                1,
                'a',
                json!({ "state": "closed", "merged_at": "2026-11-20T10:00:00Z", "merge_commit_sha": commit('1') })
            ),
            pull(2, 'b', json!({ "head": { "repo": null } })),
            pull(3, 'c', json!({ "base": { "ref": "other" } })),
        ]),
        "GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews" if asked.path["pull_number"] == "1" => asked
            .items(&[
                review(1, "APPROVED", json!(commit('a'))),
                review(2, "DISMISSED", json!(commit('a'))),
                review(3, "CHANGES_REQUESTED", Value::Null),
                review(4, "APPROVED", Value::Null),
                review(5, "PENDING", json!(commit('a'))),
                review(6, "DISMISSED", json!(commit('a'))),
            ]),
        "GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews" => json!([]),
        "GET /repos/{owner}/{repo}/issues/{issue_number}/timeline" => json!([
            { "event": "labeled" },
            { "event": "review_dismissed", "dismissed_review": { "review_id": 2, "state": "changes_requested" } },
        ]),
        "GET /repos/{owner}/{repo}/pulls/{pull_number}/commits" => asked.items(&[
            json!({ "sha": commit('a'), "author": { "id": 30 }, "committer": { "id": 31 } }),
            json!({ "sha": commit('9'), "author": null, "committer": { "id": 30 } }),
        ]),
        "GET /repos/{owner}/{repo}/activity" => json!([
            { "ref": "refs/heads/topic", "before": commit('8'), "after": commit('a'), "activity_type": "push", "actor": { "id": 40 } },
            { "ref": "refs/heads/topic", "before": commit('7'), "after": commit('8'), "activity_type": "push", "actor": { "id": 41 } },
        ]),
        _ => return None,
    }))
}

#[tokio::test]
async fn a_pull_request_is_told_with_everyone_who_took_part() {
    let Some(description) = description() else { return };
    let hub = openapi::Github::start(description, world).await;
    let told = evidence(&by_token(&hub.server.base), "main", &[commit('1')]).await;
    hub.nothing_was_wrong();
    let told = told.unwrap();
    assert_eq!(told.pull_requests.len(), 1);
    let pull = &told.pull_requests[0];
    assert_eq!((pull.state, pull.head.clone(), pull.fork), (PullRequestState::Merged, commit('a'), false));
    let reviews: Vec<_> =
        pull.reviews.iter().map(|one| (one.id.as_str(), one.verdict, one.dismissed)).collect();
    let expected = [
        ("1", ReviewVerdict::Approved, false),
        ("2", ReviewVerdict::ChangesRequested, true),
        ("3", ReviewVerdict::ChangesRequested, false),
        ("6", ReviewVerdict::Approved, true),
    ];
    assert_eq!(reviews, expected, "one without a commit approves nothing, one that is pending says nothing");
    assert_eq!(pull.reviews[2].commit, commit('a'));
    let accounts = |people: &[countersign_core::review::Identity]| -> Vec<_> {
        people.iter().map(|one| one.account.unwrap()).collect()
    };
    assert_eq!(accounts(&pull.pushers), [40], "what was pushed before is none of it");
    assert_eq!(accounts(&pull.contributors), [30, 31]);
    let listed = by_token(&hub.server.base).open_pull_requests(&"forge/team/shop".parse().unwrap()).await;
    let listed = listed.unwrap().unwrap();
    assert_eq!(listed.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert!(listed[1].version.ends_with(commit('b').as_str()) && listed[1].fork, "{listed:?}");
    let open = evidence(&by_token(&hub.server.base), "main", &[commit('7')]).await.unwrap();
    assert_eq!(open.pull_requests[0].id, "2");
    assert!(open.pull_requests[0].fork, "the repository of its head is gone");
    hub.nothing_was_wrong();
}

#[tokio::test]
async fn a_session_is_used_until_shortly_before_its_end() {
    let Some(description) = description() else { return };
    let hub = openapi::Github::start(description, session).await;
    let time = Arc::new(AtomicI64::new(1_795_212_000_000));
    let ticking = time.clone();
    let clock: Clock = Arc::new(move || Timestamp::from_millis(ticking.load(Ordering::SeqCst)));
    let github = as_app(&hub.server.base, clock);
    let sessions = || hub.server.log().iter().filter(|line| line.ends_with("access_tokens")).count();
    let mut begun = Vec::new();
    for minutes in [0, 30, 24, 2] {
        time.fetch_add(minutes * 60_000, Ordering::SeqCst);
        evidence(&github, "main", &[]).await.unwrap();
        begun.push(sessions());
    }
    assert_eq!(begun, [1, 1, 1, 2], "five minutes before the end it is renewed");
    let credentials: Vec<_> =
        hub.server.requests().iter().map(|one| one.header("authorization").unwrap().to_owned()).collect();
    assert!(credentials[0].starts_with("Bearer ey") && credentials[1] == "Bearer granted", "{credentials:?}");
    hub.nothing_was_wrong();
}

#[tokio::test]
async fn a_session_that_ended_early_is_begun_again_once() {
    let Some(description) = description() else { return };
    let refusals = Arc::new(AtomicUsize::new(1));
    let left = refusals.clone();
    let hub = openapi::Github::start(description, move |asked| {
        session(asked).or_else(|| {
            let refuse =
                left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            refuse.then(|| Reply::status(401, &[], "{\"message\":\"Bad credentials\"}"))
        })
    })
    .await;
    let github = as_app(&hub.server.base, clock());
    evidence(&github, "main", &[]).await.unwrap();
    refusals.store(9, Ordering::SeqCst);
    let error = evidence(&github, "main", &[]).await.unwrap_err();
    let PortError::Refused(why) = error else { panic!("{error}") };
    for word in ["401", "installation 9 of the GitHub App 7", "Bad credentials"] {
        assert!(why.contains(word), "{why}");
    }
    assert!(!why.contains("granted"), "{why}");
}

#[tokio::test]
async fn githubs_limits_are_kept_to() {
    let Some(description) = description() else { return };
    for (status, headers, minutes) in [
        (403, vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795212600")], 10),
        (429, vec![("retry-after", "600")], 10),
        (403, vec![("retry-after", "600")], 10),
        (403, vec![("x-ratelimit-remaining", "12")], 1),
    ] {
        let headers = headers.clone();
        let hub = openapi::Github::start(description, move |_| {
            Some(Reply::status(
                status,
                &headers,
                "{\"message\":\"You have exceeded a secondary rate limit.\"}",
            ))
        })
        .await;
        let github = by_token(&hub.server.base);
        for _ in 0..3 {
            let error = evidence(&github, "main", &[]).await.unwrap_err();
            let PortError::Unavailable(why) = error else { panic!("{error}") };
            assert!(why.contains(&format!("not before 2026-11-20T22:{minutes:02}:00.000Z")), "{why}");
            assert!(!why.contains(TOKEN), "{why}");
        }
        assert_eq!(hub.server.requests().len(), 1, "nobody asks meanwhile");
    }
}

#[test]
fn the_interface_is_where_github_has_it() {
    for (url, base) in [
        ("https://github.com", "https://api.github.com/"),
        ("https://github.com/", "https://api.github.com/"),
        ("https://git.example.com", "https://git.example.com/api/v3"),
    ] {
        let mut host = host(HostKind::Github, url);
        let made = |host: &Host| {
            Github::new(&"hub".parse().unwrap(), host, Vault::default(), clock())
                .unwrap()
                .client
                .base()
                .to_owned()
        };
        assert_eq!(made(&host), base);
        host.api = Some("https://api.example.com/v3/".to_owned());
        assert_eq!(made(&host), "https://api.example.com/v3");
    }
    let known: BTreeMap<&str, &str> = DIALECT.headers.iter().copied().collect();
    assert_eq!(known["x-github-api-version"], "2022-11-28");
}

#[tokio::test]
async fn the_description_refuses_what_it_does_not_know() {
    use reqwest::Method;
    let Some(description) = description() else { return };
    let hub = openapi::Github::start(description, |_| None).await;
    let github = by_token(&hub.server.base);
    let token = github.token().await.unwrap();
    let repository = "forge/team/shop".parse().unwrap();
    let place = Place::of(&repository).unwrap();
    let run = |change: Value| {
        let run = json!({ "name": "n", "head_sha": commit('1'), "status": "in_progress", "output": { "title": "t", "summary": "s" } });
        Call::send(Method::POST, &place.path(&["check-runs"]), openapi::merged(&run, &change))
    };
    let annotation =
        json!({ "path": "p", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "m" });
    let calls = [
        (place.call(&["pull-requests"]), "no such operation"),
        (place.call(&["pulls"]).with("sort", "recentupdate"), "the parameter sort"),
        (place.call(&["pulls"]).with("limit", 50), "there is no parameter limit"),
        (run(json!({ "status": "waiting for reviews" })), "/status"),
        (run(json!({ "text": "t" })), "the field text is not described"),
        (run(json!({ "output": { "summary": "s".repeat(65_536) } })), "/output/summary"),
        (run(json!({ "output": { "annotations": vec![annotation; 51] } })), "/output/annotations"),
    ];
    for (call, _) in &calls {
        github.client.read::<Value>(&token, call).await.unwrap_err();
    }
    let wrong = hub.wrong();
    assert_eq!(wrong.len(), calls.len(), "{wrong:#?}");
    for (found, (_, expected)) in wrong.iter().zip(&calls) {
        assert!(found.contains(expected), "{expected}: {found}");
    }
    github.client.read::<Value>(&token, &run(json!({}))).await.unwrap();
}
