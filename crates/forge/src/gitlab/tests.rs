//! The adapter on a small GitLab, in the shapes that its documentation ("REST API resources") has.

mod pushers;
mod statuses;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use countersign_core::configuration::HostKind;
use countersign_core::names::Reference;
use countersign_core::ports::forge::{Evidence, ForgeRead as _, ForgeReport as _};
use countersign_core::review::{PullRequestState, ReviewVerdict};
use serde_json::{Value, json};

use super::*;
use crate::testing::{Reply, Request, Server, Vault, clock, commit, host, report};

/// What the server keeps of the project `team/shop`.
#[derive(Default)]
struct World {
    requests: Vec<Value>,
    /// Lists and objects below a merge request, by number and name.
    below: BTreeMap<(String, String), Value>,
    events: Vec<Value>,
    /// The commits that `main` has.
    base: &'static str,
    statuses: Vec<Value>,
}

type Shared = Arc<Mutex<World>>;

fn user(id: u64) -> Value {
    json!({ "id": id, "username": format!("user{id}"), "name": "A user", "state": "active", "locked": false })
}

fn request(iid: u64, head: char, state: &str, change: &Value) -> Value {
    let mut request = json!({
        "id": 1000 + iid, "iid": iid, "project_id": 3, "title": format!("change {iid}"), "state": state,
        "created_at": "2026-11-20T09:00:00.000Z", "updated_at": "2026-11-20T09:00:00.000Z",
        "target_branch": "main", "source_branch": "topic", "author": user(10), "labels": ["urgent"],
        "source_project_id": 3, "target_project_id": 3, "sha": commit(head), "merge_commit_sha": null,
        "squash_commit_sha": null, "web_url": format!("https://lab/{iid}"), "draft": false
    });
    for (key, value) in change.as_object().unwrap() {
        request[key] = value.clone();
    }
    request
}

fn note(id: u64, by: u64, time: &str, body: &str, system: bool) -> Value {
    json!({
        "id": id, "body": body, "author": user(by), "system": system, "created_at": format!("2026-11-20T{time}Z"),
        "updated_at": format!("2026-11-20T{time}Z"), "noteable_type": "MergeRequest", "internal": false
    })
}

fn version(id: u64, head: char, time: &str) -> Value {
    json!({ "id": id, "head_commit_sha": commit(head), "base_commit_sha": commit('0'), "start_commit_sha": commit('0'), "created_at": format!("2026-11-20T{time}Z"), "merge_request_id": 5, "state": "collected" })
}

fn parameter<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let query = request.target.split_once('?')?.1;
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}

fn answer(world: &mut World, asked: &Request) -> Reply {
    let Some(below) = asked.path().strip_prefix("/api/v4/projects/team%2Fshop/") else {
        assert_eq!(asked.path(), "/api/v4/user");
        return Reply::json(&user(1));
    };
    let path: Vec<_> = below.split('/').collect();
    let body = || serde_json::from_str::<Value>(&asked.body).unwrap();
    let found = match (asked.method.as_str(), path.as_slice()) {
        ("GET", ["merge_requests"]) => {
            let state = parameter(asked, "state").unwrap();
            let fits = |one: &&Value| state == "all" || one["state"] == state;
            let all: Vec<_> = world.requests.iter().filter(fits).cloned().collect();
            return paged(&all, asked);
        }
        ("GET", ["merge_requests", number, "approvals"]) => {
            let known = world.below.get(&((*number).to_owned(), "approvals".to_owned()));
            known.cloned().unwrap_or_else(|| json!({ "approved": false, "approved_by": [] }))
        }
        ("GET", ["merge_requests", number, what]) => {
            let known = world.below.get(&((*number).to_owned(), (*what).to_owned()));
            known.cloned().unwrap_or_else(|| json!([]))
        }
        ("POST", ["merge_requests", number, "notes"]) => {
            let notes =
                world.below.entry(((*number).to_owned(), "notes".to_owned())).or_insert_with(|| json!([]));
            let new = note(500, 1, "12:00:00.000", body()["body"].as_str().unwrap(), false);
            notes.as_array_mut().unwrap().push(new.clone());
            new
        }
        ("PUT", ["merge_requests", number, "notes", id]) => {
            let notes = world.below.get_mut(&((*number).to_owned(), "notes".to_owned())).unwrap();
            let mut known = notes.as_array_mut().unwrap().iter_mut();
            let id: u64 = id.parse().unwrap();
            let note = known.find(|note| note["id"] == id).unwrap();
            note["body"] = body()["body"].clone();
            note.clone()
        }
        ("GET", ["events"]) => return paged(&world.events, asked),
        ("GET", ["repository", "merge_base"]) => {
            let commit_asked = asked.target.rsplit('=').next().unwrap();
            let has = world.base.chars().any(|digit| commit_asked == commit(digit).as_str());
            json!({ "id": if has { commit_asked } else { "f".repeat(40).leak() } })
        }
        ("GET", ["repository", "commits", sha, "merge_requests"]) => {
            let of = |one: &&Value| one["sha"] == *sha || one["merge_commit_sha"] == *sha;
            Value::from(world.requests.iter().filter(of).cloned().collect::<Vec<_>>())
        }
        ("GET", ["repository", "commits", _, "statuses"]) => Value::from(world.statuses.clone()),
        ("POST", ["statuses", sha]) => return status(world, sha, &body()),
        other => panic!("{other:?}"),
    };
    Reply::json(&found)
}

/// A page of a list, with a link to the next.
fn paged(all: &[Value], asked: &Request) -> Reply {
    let number = |name, default| parameter(asked, name).map_or(default, |text| text.parse().unwrap());
    let (page, size): (usize, usize) = (number("page", 1), number("per_page", 20));
    let items: Vec<_> = all.iter().skip((page - 1) * size).take(size).collect();
    let rest = asked.target.split_once('?').unwrap().1.split('&').filter(|pair| !pair.starts_with("page="));
    let query: Vec<_> = rest.map(str::to_owned).chain([format!("page={}", page + 1)]).collect();
    let next = format!("<https://lab.example/api/v4/x?{}>; rel=\"next\"", query.join("&"));
    let links = (page * size < all.len()).then_some(("link", next));
    Reply::Whole(200, links.into_iter().collect(), json!(items).to_string())
}

/// GitLab changes a status that waits, refuses to set it waiting again, and makes a new one after an end.
fn status(world: &mut World, sha: &str, body: &Value) -> Reply {
    let waits =
        world.statuses.last_mut().filter(|one| one["name"] == body["name"] && one["status"] == "pending");
    if let Some(waiting) = waits {
        if body["state"] == "pending" {
            let why = "Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \\\"enqueue\\\")";
            return Reply::status(400, &[], &format!("{{\"message\":\"{why}\"}}"));
        }
        waiting["status"] = body["state"].clone();
        waiting["description"] = body["description"].clone();
        return Reply::status(201, &[], &waiting.to_string());
    }
    let id = world.statuses.len() + 1;
    let new = json!({
        "id": id, "sha": sha, "ref": "main", "name": body["name"], "status": body["state"],
        "description": body["description"], "author": user(1), "allow_failure": false, "target_url": null
    });
    world.statuses.push(new.clone());
    Reply::status(201, &[], &new.to_string())
}

async fn gitlab(world: &Shared) -> (Server, Gitlab<Vault>) {
    let world = world.clone();
    let server = Server::start(move |asked: &Request| answer(&mut world.lock().unwrap(), asked)).await;
    let host = host(HostKind::Gitlab, &server.base);
    let gitlab = Gitlab::new(&"lab".parse().unwrap(), &host, Vault::default(), clock()).unwrap();
    (server, gitlab)
}

async fn evidence(gitlab: &Gitlab<Vault>, commits: &str) -> Evidence {
    let main: Reference = "refs/heads/main".parse().unwrap();
    let commits: Vec<_> = commits.chars().map(commit).collect();
    gitlab.evidence(&"forge/team/shop".parse().unwrap(), &main, &commits).await.unwrap()
}

fn set(world: &Shared, number: &str, what: &str, value: Value) {
    world.lock().unwrap().below.insert((number.to_owned(), what.to_owned()), value);
}

/// Each review as its id, what it says, the digit of its commit, and whether it was taken back.
fn reviews(evidence: &Evidence) -> Vec<(String, ReviewVerdict, char, bool)> {
    let short = |one: &countersign_core::review::Review| {
        (one.id.clone(), one.verdict, one.commit.as_str().chars().next().unwrap(), one.dismissed)
    };
    evidence.pull_requests[0].reviews.iter().map(short).collect()
}

#[tokio::test]
async fn a_merge_request_is_told_with_its_pushers() {
    let world = Shared::default();
    world.lock().unwrap().requests = vec![
        request(5, 'a', "merged", &json!({ "merge_commit_sha": commit('1') })),
        request(6, 'b', "opened", &json!({ "source_project_id": 4 })),
        request(7, 'c', "merged", &json!({ "squash_commit_sha": commit('2') })),
        request(8, 'd', "opened", &json!({ "sha": null })),
    ];
    world.lock().unwrap().events =
        vec![pushers::push(41, '9', '8'), pushers::push(40, '-', 'a'), json!({ "author": user(43) })];
    set(&world, "5", "commits", json!([{ "id": commit('a'), "author_email": "a@example.com" }]));
    let (server, gitlab) = gitlab(&world).await;
    let told = evidence(&gitlab, "12").await;
    let numbers: Vec<_> = told.pull_requests.iter().map(|pull| (pull.id.as_str(), pull.fork)).collect();
    assert_eq!(numbers, [("5", false), ("7", false)]);
    let pull = &told.pull_requests[0];
    assert_eq!((pull.state, pull.author.account), (PullRequestState::Merged, Some(10)));
    assert_eq!(
        (pull.labels.as_slice(), pull.url.as_deref()),
        (["urgent".to_owned()].as_slice(), Some("https://lab/5"))
    );
    let pushers: Vec<_> = pull.pushers.iter().map(|one| one.account.unwrap()).collect();
    assert_eq!(pushers, [40]);
    assert!(server.requests().iter().all(|one| one.header("authorization").unwrap().starts_with("Bearer ")));
    let listed = gitlab.open_pull_requests(&"forge/team/shop".parse().unwrap()).await.unwrap().unwrap();
    let listed: Vec<_> = listed.iter().map(|one| (one.id.as_str(), one.fork, one.version.as_str())).collect();
    let version = format!("2026-11-20T09:00:00.000Z {}", commit('b'));
    assert_eq!(listed, [("6", true, version.as_str())], "one without a head asks for nothing");
    let open = evidence(&gitlab, "3").await;
    assert_eq!((open.pull_requests[0].id.as_str(), open.pull_requests[0].fork), ("6", true));
}

#[tokio::test]
async fn an_approval_is_bound_to_the_head_of_its_time() {
    let world = Shared::default();
    world.lock().unwrap().requests = vec![request(5, 'b', "opened", &json!({}))];
    set(&world, "5", "versions", json!([version(2, 'b', "10:30:00.000"), version(1, 'a', "09:00:01.000")]));
    let approved = |id: u64, at: Value| json!({ "user": user(id), "approved_at": at });
    set(
        &world,
        "5",
        "approvals",
        json!({ "approved": true, "approved_by": [
            approved(20, json!("2026-11-20T10:29:59.999Z")),
            approved(21, json!("2026-11-20T10:30:00.000Z")),
            { "user": user(22) },
            { "user": user(23) },
        ] }),
    );
    set(
        &world,
        "5",
        "notes",
        json!([
            note(1, 22, "10:00:00.000", "approved this merge request", true),
            note(2, 22, "11:00:00.000", "approved this merge request", true),
            note(3, 23, "11:00:00.000", "approved this merge request", false),
            note(4, 24, "10:00:00.000", "approved this merge request", true),
            note(5, 24, "10:10:00.000", "unapproved this merge request", true),
        ]),
    );
    let (_server, gitlab) = gitlab(&world).await;
    let told = reviews(&evidence(&gitlab, "b").await);
    let approval =
        |user: &str, on, dismissed| (format!("approval-{user}"), ReviewVerdict::Approved, on, dismissed);
    assert_eq!(
        told,
        [
            approval("23", 'a', false),
            approval("24", 'a', true),
            approval("20", 'a', false),
            approval("21", 'b', false),
            approval("22", 'b', false),
        ],
        "a note that a person wrote is no approval, and one without a time is of the first version"
    );
}

#[tokio::test]
async fn who_requests_changes_says_so_last() {
    let world = Shared::default();
    world.lock().unwrap().requests = vec![request(5, 'b', "opened", &json!({}))];
    set(&world, "5", "versions", json!([version(1, 'b', "09:00:01.000")]));
    set(
        &world,
        "5",
        "approvals",
        json!({ "approved_by": [{ "user": user(20), "approved_at": "2026-11-20T10:00:00Z" }] }),
    );
    let reviewer = |id: u64, state: &str| json!({ "user": user(id), "state": state, "created_at": "2026-11-20T09:30:00Z" });
    set(&world, "5", "reviewers", json!([reviewer(20, "requested_changes"), reviewer(21, "reviewed")]));
    let (_server, gitlab) = gitlab(&world).await;
    let told = evidence(&gitlab, "b").await;
    assert_eq!(
        reviews(&told),
        [
            ("approval-20".to_owned(), ReviewVerdict::Approved, 'b', false),
            ("changes-20".to_owned(), ReviewVerdict::ChangesRequested, 'b', false)
        ]
    );
}

#[tokio::test]
async fn a_status_and_one_note_are_kept_up_to_date() {
    let world = Shared::default();
    world.lock().unwrap().requests = vec![request(5, 'a', "opened", &json!({}))];
    set(
        &world,
        "5",
        "notes",
        json!([note(
            9,
            66,
            "10:00:00.000",
            "<!-- countersign:section staging 999 a b -->\nall is well",
            false
        )]),
    );
    let (_server, gitlab) = gitlab(&world).await;
    for (index, verdict) in
        [(5, "pending"), (6, "pending"), (6, "pending"), (7, "denied"), (8, "allowed"), (9, "denied")]
    {
        gitlab.report(&report('a', "staging", index, verdict)).await.unwrap();
    }
    let world = world.lock().unwrap();
    let states: Vec<_> = world.statuses.iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["failed", "failed"]);
    assert_eq!(world.statuses[1]["name"], "countersign/staging");
    assert_eq!(world.statuses[1]["description"], "denied: because of 9");
    let notes = world.below[&("5".to_owned(), "notes".to_owned())].as_array().unwrap();
    assert_eq!(notes.len(), 2);
    assert!(notes[1]["body"].as_str().unwrap().contains("because of 9"));
}

#[tokio::test]
async fn no_line_of_a_note_is_a_command() {
    let world = Shared::default();
    world.lock().unwrap().requests = vec![request(5, 'a', "opened", &json!({}))];
    let (_server, gitlab) = gitlab(&world).await;
    let mut report = report('a', "staging", 5, "denied");
    let outcome = json!({
        "attempt": report.targets[0].state.attempt, "target": report.targets[0].target,
        "time": "2026-11-20T22:00:00Z", "result": { "is": "failed" }, "summary": "/merge", "objects": []
    });
    report.targets[0].outcome = Some(serde_json::from_value(outcome).unwrap());
    for _ in 0..2 {
        gitlab.report(&report).await.unwrap();
    }
    let world = world.lock().unwrap();
    let body = world.below[&("5".to_owned(), "notes".to_owned())][0]["body"].as_str().unwrap();
    assert!(body.contains("\n\\/merge"), "{body}");
    assert!(body.lines().all(|line| !line.trim_start().starts_with('/')), "{body}");
}
