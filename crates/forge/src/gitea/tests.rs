//! The adapter on a small Gitea: what it keeps, it answers as the real one does.

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

/// What the server keeps.
#[derive(Default)]
struct World {
    pulls: Vec<Value>,
    reviews: BTreeMap<u64, Value>,
    timelines: BTreeMap<u64, Value>,
    /// What happened, newest first; none where the server does not tell.
    feed: Option<Vec<Value>>,
    /// The commits of every pull request, and those that its base has.
    commits: [&'static str; 2],
    statuses: Vec<Value>,
    comments: BTreeMap<u64, Vec<Value>>,
    /// How many pull requests a page has.
    page: usize,
}

type Shared = Arc<Mutex<World>>;

fn user(id: i64) -> Value {
    json!({ "id": id, "login": format!("user{id}") })
}

fn pull(number: u64, head: char, state: &str, became: Option<char>) -> Value {
    json!({
        "number": number, "title": format!("change {number}"), "html_url": format!("https://f/{number}"),
        "user": user(10), "state": state, "merged": became.is_some(),
        "merge_commit_sha": became.map(|digit| commit(digit).to_string()),
        "base": { "ref": "main", "sha": commit('0'), "repo_id": 5 },
        "head": { "ref": "topic", "sha": commit(head), "repo_id": 5 },
        "labels": [{ "id": 1, "name": "urgent" }]
    })
}

fn review(id: u64, by: i64, state: &str, on: char) -> Value {
    json!({
        "id": id, "user": user(by), "state": state, "commit_id": commit(on), "stale": false,
        "official": true, "dismissed": false, "submitted_at": format!("2026-11-20T10:00:0{id}+01:00")
    })
}

fn parameter<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let query = request.target.split_once('?')?.1;
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}

fn answer(world: &mut World, request: &Request) -> Reply {
    let path: Vec<_> = request.path().trim_start_matches("/api/v1/").split('/').collect();
    let body = || serde_json::from_str::<Value>(&request.body).unwrap();
    let reply = match (request.method.as_str(), path.as_slice()) {
        ("GET", ["user"]) => json!({ "id": 1, "login": "countersign" }),
        ("GET", ["repos", "team", "shop", "pulls"]) => return listed(world, request),
        ("GET", ["repos", "team", "shop", "pulls", number, "reviews"]) => {
            world.reviews.get(&number.parse().unwrap()).cloned().unwrap_or_else(|| json!([]))
        }
        ("GET", ["repos", "team", "shop", "issues", number, "timeline"]) => {
            world.timelines.get(&number.parse().unwrap()).cloned().unwrap_or(Value::Null)
        }
        ("GET", ["repos", "team", "shop", "pulls", _, "commits"]) => {
            world.commits[0].chars().map(|digit| json!({ "sha": commit(digit) })).collect()
        }
        ("GET", ["repos", "team", "shop", "activities", "feeds"]) if world.feed.is_some() => {
            return fed(world, request);
        }
        ("GET", ["repos", "team", "shop", "commits"]) => {
            let asked = parameter(request, "sha").unwrap();
            let base = world.commits[1].chars().any(|digit| asked == commit(digit).as_str());
            if base { json!([]) } else { json!([{ "sha": asked }]) }
        }
        ("GET", ["repos", "team", "shop", "commits", sha, "pull"]) => {
            match world.pulls.iter().find(|pull| pull["merge_commit_sha"] == *sha) {
                Some(found) => {
                    let mut moved = found.clone();
                    moved["head"]["sha"] = json!(commit('f'));
                    moved
                }
                None => return Reply::status(404, &[], "{\"message\":\"not found\"}"),
            }
        }
        ("GET", ["repos", "team", "shop", "git", "refs", "pull", number, "head"]) => {
            let number: u64 = number.parse().unwrap();
            let found = world.pulls.iter().find(|pull| pull["number"] == number).unwrap();
            json!({ "ref": format!("refs/pull/{number}/head"), "object": { "sha": found["head"]["sha"] } })
        }
        ("GET", ["repos", "team", "shop", "statuses", _]) => Value::from(world.statuses.clone()),
        ("POST", ["repos", "team", "shop", "statuses", _]) => {
            let mut status = body();
            status["status"] = status["state"].take();
            status["creator"] = user(1);
            status["id"] = json!(world.statuses.len() + 1);
            world.statuses.insert(0, status.clone());
            status
        }
        ("GET", ["repos", "team", "shop", "issues", number, "comments"]) => {
            Value::from(world.comments.get(&number.parse().unwrap()).cloned().unwrap_or_default())
        }
        ("POST", ["repos", "team", "shop", "issues", number, "comments"]) => {
            let id = 100 + world.comments.values().map(Vec::len).sum::<usize>();
            let comment = json!({ "id": id, "user": user(1), "body": body()["body"] });
            world.comments.entry(number.parse().unwrap()).or_default().push(comment.clone());
            comment
        }
        ("PATCH", ["repos", "team", "shop", "issues", "comments", id]) => {
            let id: u64 = id.parse().unwrap();
            let found = world.comments.values_mut().flatten().find(|comment| comment["id"] == id).unwrap();
            found["body"] = body()["body"].take();
            found.clone()
        }
        _ => return Reply::status(404, &[], "{}"),
    };
    Reply::json(&reply)
}

/// A page of what happened, of which Gitea only says how many there are.
fn fed(world: &World, request: &Request) -> Reply {
    let number = |name, default| parameter(request, name).map_or(default, |text| text.parse().unwrap());
    let (page, size): (usize, usize) = (number("page", 1), number("limit", 30));
    let all = world.feed.iter().flatten();
    let items: Vec<_> = all.clone().skip((page - 1) * size).take(size).collect();
    Reply::Whole(200, vec![("x-total-count", all.count().to_string())], json!(items).to_string())
}

/// A page of pull requests, with the links of a server that knows itself by another name.
fn listed(world: &World, request: &Request) -> Reply {
    let state = parameter(request, "state").unwrap();
    let page: usize = parameter(request, "page").unwrap_or("1").parse().unwrap();
    let all: Vec<_> = world.pulls.iter().filter(|pull| state == "all" || pull["state"] == state).collect();
    let size = if world.page == 0 { 50 } else { world.page };
    let items: Vec<_> = all.iter().skip((page - 1) * size).take(size).collect();
    let mut headers = vec![("x-total-count", all.len().to_string())];
    if page * size < all.len() {
        let next =
            format!("<https://public.example/pulls?page={}&limit=50&state={state}>; rel=\"next\"", page + 1);
        headers.push(("link", next));
    }
    Reply::Whole(200, headers, json!(items).to_string())
}

async fn gitea(world: &Shared) -> (Server, Gitea<Vault>) {
    let world = world.clone();
    let server = Server::start(move |request: &Request| answer(&mut world.lock().unwrap(), request)).await;
    let host = host(HostKind::Gitea, &server.base);
    let gitea = Gitea::new(&"forge".parse().unwrap(), &host, Vault::default(), clock()).unwrap();
    (server, gitea)
}

async fn evidence(gitea: &Gitea<Vault>, commits: &str) -> Evidence {
    let main: Reference = "refs/heads/main".parse().unwrap();
    let commits: Vec<_> = commits.chars().map(commit).collect();
    gitea.evidence(&"forge/team/shop".parse().unwrap(), &main, &commits).await.unwrap()
}

fn numbers(evidence: &Evidence) -> Vec<&str> {
    evidence.pull_requests.iter().map(|pull| pull.id.as_str()).collect()
}

#[tokio::test]
async fn a_pull_request_is_told_with_its_reviews_and_pushers() {
    let world = Shared::default();
    let mut fork = pull(8, 'a', "open", None);
    fork["head"]["repo_id"] = json!(-1);
    fork["user"] = Value::Null;
    let mut dismissed = review(2, 22, "REQUEST_CHANGES", 'a');
    dismissed["dismissed"] = json!(true);
    world.lock().unwrap().pulls = vec![pull(7, 'a', "closed", Some('1')), fork];
    world.lock().unwrap().reviews.insert(
        7,
        json!([
            review(3, 23, "APPROVED", 'b'),
            dismissed,
            review(1, -1, "COMMENT", 'a'),
            review(4, 24, "PENDING", 'a'),
            review(5, 25, "REQUEST_REVIEW", 'a'),
        ]),
    );
    world.lock().unwrap().timelines.insert(
        7,
        json!([
            { "type": "pull_push", "user": user(31) },
            { "type": "comment", "user": user(32) },
            { "type": "pull_push", "user": user(31) },
        ]),
    );
    world.lock().unwrap().feed =
        Some(vec![pushers::push(4, 31, 'b', 'a'), pushers::push(3, 30, '0', 'b'), pushers::created(2, 30)]);
    let (_server, gitea) = gitea(&world).await;
    let told = evidence(&gitea, "1").await;
    assert_eq!(numbers(&told), ["7", "8"]);
    let listed = gitea.open_pull_requests(&"forge/team/shop".parse().unwrap()).await.unwrap().unwrap();
    let listed: Vec<_> = listed.iter().map(|one| (one.id.as_str(), one.fork, one.head.clone())).collect();
    assert_eq!(listed, [("8", true, commit('a'))]);
    let merged = &told.pull_requests[0];
    assert_eq!(
        (merged.state, merged.head.clone(), merged.fork),
        (PullRequestState::Merged, commit('a'), false)
    );
    assert_eq!(
        (merged.author.account, merged.labels.as_slice()),
        (Some(10), ["urgent".to_owned()].as_slice())
    );
    let reviews: Vec<_> =
        merged.reviews.iter().map(|one| (one.id.as_str(), one.verdict, one.dismissed)).collect();
    assert_eq!(
        reviews,
        [
            ("1", ReviewVerdict::Commented, false),
            ("2", ReviewVerdict::ChangesRequested, true),
            ("3", ReviewVerdict::Approved, false)
        ]
    );
    assert_eq!(merged.reviews[0].reviewer.account, None, "a deleted account is nobody");
    assert_eq!(merged.reviews[2].commit, commit('b'));
    assert_eq!(merged.reviews[2].submitted.to_string(), "2026-11-20T09:00:03.000Z");
    let pushers: Vec<_> = merged.pushers.iter().map(|one| one.account).collect();
    assert_eq!(pushers, [Some(31), Some(30)]);
    let fork = &told.pull_requests[1];
    assert_eq!((fork.fork, fork.state, fork.author.account), (true, PullRequestState::Open, None));
}

#[tokio::test]
async fn where_there_are_many_only_what_can_matter_is_asked_for() {
    let world = Shared::default();
    {
        let mut world = world.lock().unwrap();
        world.page = 2;
        world.pulls = vec![
            pull(9, 'a', "open", None),
            pull(8, 'b', "closed", Some('1')),
            pull(7, 'c', "open", None),
            pull(6, 'd', "closed", Some('2')),
            pull(5, 'e', "closed", None),
        ];
    }
    let (server, gitea) = gitea(&world).await;
    assert_eq!(numbers(&evidence(&gitea, "1").await), ["8"], "it accounts for the commit");
    assert_eq!(server.requests().len(), 5);
    let found = evidence(&gitea, "21").await;
    assert_eq!(numbers(&found), ["8", "6"], "an older one is found by its commit");
    assert_eq!(found.pull_requests[1].head, commit('d'), "its branch moved on since");
    assert_eq!(numbers(&evidence(&gitea, "3").await), ["9", "7"], "any open one may explain it");
}

#[tokio::test]
async fn a_status_and_one_comment_are_kept_up_to_date() {
    let world = Shared::default();
    {
        let mut world = world.lock().unwrap();
        world.pulls = vec![pull(9, 'a', "open", None), pull(8, 'b', "closed", Some('c'))];
        let forged = json!({ "id": 1, "user": user(66), "body": "<!-- countersign:section staging 999 a b -->\nall is well" });
        world.comments.insert(8, vec![forged]);
    }
    let (_server, gitea) = gitea(&world).await;
    for _ in 0..2 {
        gitea.report(&report('c', "staging", 5, "denied")).await.unwrap();
    }
    {
        let world = world.lock().unwrap();
        assert_eq!(world.statuses.len(), 1, "{:?}", world.statuses);
        let status = &world.statuses[0];
        assert_eq!(
            (status["context"].as_str(), status["status"].as_str()),
            (Some("countersign/staging"), Some("failure"))
        );
        assert_eq!(status["description"], "denied: because of 5");
        assert_eq!(world.comments.keys().collect::<Vec<_>>(), [&8], "only the pull request that became it");
        assert_eq!(world.comments[&8].len(), 2);
        assert!(world.comments[&8][1]["body"].as_str().unwrap().contains("because of 5"));
    }
    gitea.report(&report('c', "staging", 6, "allowed")).await.unwrap();
    gitea.report(&report('c', "production", 7, "pending")).await.unwrap();
    let world = world.lock().unwrap();
    let states: Vec<_> = world.statuses.iter().map(|status| status["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["pending", "pending", "failure"]);
    let body = world.comments[&8][1]["body"].as_str().unwrap();
    assert_eq!(world.comments[&8].len(), 2);
    assert!(body.contains("because of 6") && body.contains("because of 7") && !body.contains("because of 5"));
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_comment() {
    let world = Shared::default();
    world.lock().unwrap().pulls = vec![pull(9, 'a', "open", None)];
    let (inner, lost) = (world.clone(), Arc::new(Mutex::new(0)));
    let losing = lost.clone();
    let server = Server::start(move |request: &Request| {
        let reply = answer(&mut inner.lock().unwrap(), request);
        let mut lost = losing.lock().unwrap();
        if request.method == "POST" && *lost < 2 {
            *lost += 1;
            return Reply::Nothing;
        }
        reply
    })
    .await;
    let host = host(HostKind::Gitea, &server.base);
    let gitea = Gitea::new(&"forge".parse().unwrap(), &host, Vault::default(), clock()).unwrap();
    let mut results = Vec::new();
    for _ in 0..3 {
        results.push(gitea.report(&report('a', "staging", 5, "denied")).await.is_ok());
    }
    assert_eq!((results.as_slice(), *lost.lock().unwrap()), ([false, false, true].as_slice(), 2));
    let world = world.lock().unwrap();
    assert_eq!((world.statuses.len(), world.comments[&9].len()), (1, 1));
}

#[tokio::test]
async fn a_repository_without_an_owner_is_refused() {
    let (_server, gitea) = gitea(&Shared::default()).await;
    let main: Reference = "refs/heads/main".parse().unwrap();
    let error = gitea.evidence(&"forge/shop".parse().unwrap(), &main, &[]).await.unwrap_err();
    assert!(matches!(&error, PortError::Refused(why) if why.contains("owner/name")), "{error}");
}
