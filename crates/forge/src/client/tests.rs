use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::testing::{Reply, Request, Server, TOKEN, clock};

const DIALECT: Dialect =
    Dialect { accept: "application/json", headers: &[("x-version", "1")], permissions: "the scope read" };

fn token() -> Token {
    Token::new(TOKEN.to_owned(), "the token env:FORGE_TOKEN".to_owned())
}

fn client(server: &Server) -> Client {
    Client::new(&format!("{}/api", server.base), DIALECT, clock()).unwrap()
}

/// What a call comes to when the server answers it so.
async fn fate(reply: Reply) -> Failure {
    let server = Server::start(move |_| reply.clone()).await;
    let failure = client(&server).read::<Value>(&token(), &Call::get(&["thing"])).await.unwrap_err();
    assert!(!failure.to_string().contains(TOKEN), "{failure}");
    failure
}

#[track_caller]
fn is_final(failure: &Failure, words: &[&str]) {
    assert!(matches!(failure, Failure::Final(_) | Failure::Refused { .. }), "{failure:?}");
    words.iter().for_each(|word| assert!(failure.to_string().contains(word), "{word}: {failure}"));
}

#[track_caller]
fn is_later(failure: &Failure, words: &[&str]) {
    assert!(matches!(failure, Failure::Later { .. }), "{failure:?}");
    words.iter().for_each(|word| assert!(failure.to_string().contains(word), "{word}: {failure}"));
}

#[tokio::test]
async fn a_request_has_its_credential_and_its_encoded_path() {
    let server = Server::start(|_| Reply::json(&json!([1]))).await;
    let call = Call::get(&["projects", "group/shop", "x y"]).with("ref", "a&b").with("page", 2);
    assert_eq!(client(&server).read::<Value>(&token(), &call).await.unwrap(), json!([1]));
    let request = server.requests().remove(0);
    assert_eq!(request.target, "/api/projects/group%2Fshop/x%20y?ref=a%26b&page=2");
    assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(
        (request.header("accept"), request.header("x-version")),
        (Some("application/json"), Some("1"))
    );
}

#[tokio::test]
async fn what_can_never_succeed_says_which_credential_lacks_what() {
    let said = json!({ "message": format!("bad {TOKEN}\nx") }).to_string();
    let reply = |status| Reply::status(status, &[("content-type", "application/json")], &said);
    is_final(
        &fate(reply(401)).await,
        &["/api/thing: 401", "env:FORGE_TOKEN", "the scope read", "it says: bad … x"],
    );
    is_final(&fate(reply(403)).await, &["403", "env:FORGE_TOKEN may not do this", "the scope read"]);
    is_final(&fate(reply(404)).await, &["404", "countersign.yaml"]);
    is_final(&fate(reply(422)).await, &["422", "does not take this"]);
    assert!(fate(reply(404)).await.is(404));
}

#[tokio::test]
async fn another_servers_answer_names_what_is_configured_wrongly() {
    let server = Server::start(|_| Reply::json(&json!({ "ok": true }))).await;
    let failure = client(&server).read::<Vec<u32>>(&token(), &Call::get(&["thing"])).await.unwrap_err();
    is_final(&failure, &["is not what this kind of forge sends", "`kind`"]);
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    for status in [500, 502, 503, 504, 408] {
        is_later(&fate(Reply::status(status, &[], "<html>")).await, &[&status.to_string()]);
    }
    is_later(
        &fate(Reply::status(200, &[("content-type", "text/html")], "<html>")).await,
        &["text/html", "no whole JSON"],
    );
    is_later(&fate(Reply::Truncated("[1".to_owned())).await, &["broken off"]);
    is_later(&fate(Reply::status(200, &[], "[1")).await, &["no whole JSON"]);
    is_later(&fate(Reply::Nothing).await, &["broken off"]);
    let nobody = Client::new("http://127.0.0.1:1", DIALECT, clock()).unwrap();
    is_later(&nobody.read::<Value>(&token(), &Call::get(&[])).await.unwrap_err(), &["not reachable"]);
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read_to_its_end() {
    is_final(&fate(Reply::Endless).await, &["more than 16777216 bytes"]);
}

#[tokio::test]
async fn a_credential_goes_to_no_other_host() {
    let thief = Server::start(|_| Reply::json(&json!(1))).await;
    let location = format!("{}/api/thing", thief.base);
    let failure = fate(Reply::status(302, &[("location", &location)], "")).await;
    is_final(&failure, &["redirected to http://127.0.0.1:", "no credential is sent"]);
    is_final(
        &fate(Reply::status(301, &[("location", "http://169.254.169.254/")], "")).await,
        &["169.254.169.254"],
    );
    assert_eq!(thief.requests().len(), 0);
}

#[tokio::test]
async fn a_redirect_on_the_same_host_is_followed_but_not_for_ever() {
    let handler = |request: &Request| match request.path() {
        "/api/old" => Reply::status(301, &[("location", "/api/new")], ""),
        "/api/round" => Reply::status(302, &[("location", "/api/round")], ""),
        _ => Reply::json(&json!("here")),
    };
    let server = Server::start(handler).await;
    let client = client(&server);
    assert_eq!(client.read::<Value>(&token(), &Call::get(&["old"])).await.unwrap(), json!("here"));
    is_final(
        &client.read::<Value>(&token(), &Call::get(&["round"])).await.unwrap_err(),
        &["more than 3 times"],
    );
    let post = Call::send(Method::POST, &["old"], json!({}));
    is_final(&client.read::<Value>(&token(), &post).await.unwrap_err(), &["cannot be sent", "new path"]);
}

#[tokio::test]
async fn a_limit_holds_until_it_ends_and_nobody_is_asked_meanwhile() {
    let server = Server::start(|request: &Request| match request.path() {
        "/api/busy" => Reply::status(429, &[("retry-after", "30")], "{}"),
        _ => Reply::json(&json!(1)),
    })
    .await;
    let time = Arc::new(AtomicI64::new(1_000_000));
    let ticking = time.clone();
    let clock: Clock = Arc::new(move || Timestamp::from_millis(ticking.load(Ordering::SeqCst)));
    let client = Client::new(&format!("{}/api", server.base), DIALECT, clock).unwrap();
    let read = async |path: &'static str| client.read::<Value>(&token(), &Call::get(&[path])).await;
    is_later(&read("busy").await.unwrap_err(), &["429", "not before 1970-01-01T00:17:10.000Z"]);
    is_later(&read("calm").await.unwrap_err(), &["not before 1970-01-01T00:17:10.000Z"]);
    time.fetch_add(29_999, Ordering::SeqCst);
    is_later(&read("calm").await.unwrap_err(), &["not before"]);
    time.fetch_add(1, Ordering::SeqCst);
    assert_eq!(read("calm").await.unwrap(), json!(1));
    assert_eq!(server.log(), ["GET /api/busy", "GET /api/calm"]);
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let server = Server::start(|request: &Request| match request.header("if-none-match") {
        Some("\"one\"") => Reply::status(304, &[], ""),
        Some(other) => panic!("{other}"),
        None => Reply::status(200, &[("etag", "\"one\"")], "[1]"),
    })
    .await;
    let client = client(&server);
    for _ in 0..3 {
        assert_eq!(client.read::<Value>(&token(), &Call::get(&["thing"])).await.unwrap(), json!([1]));
    }
    assert_eq!(
        client.read::<Value>(&token(), &Call::get(&["thing"]).with("page", 2)).await.unwrap(),
        json!([1])
    );
    let asked: Vec<_> = server.requests().iter().map(|one| one.header("if-none-match").is_some()).collect();
    assert_eq!(asked, [false, true, true, false]);
}

#[tokio::test]
async fn pages_are_followed_on_the_configured_host() {
    let server = Server::start(|request: &Request| {
        let link = |page| format!("<http://elsewhere.example/x?page={page}&a=1>; rel=\"next\", <http://e.example/?page=1>; rel=\"first\"");
        match request.target.as_str() {
            "/api/list?a=1" => Reply::Whole(200, vec![("link", link(2))], "[1,2]".to_owned()),
            "/api/list?page=2&a=1" => Reply::Whole(200, vec![("link", link(3))], "[3]".to_owned()),
            "/api/list?page=3&a=1" => Reply::status(200, &[], "[4]"),
            other => panic!("{other}"),
        }
    })
    .await;
    let (client, call) = (client(&server), Call::get(&["list"]).with("a", 1));
    assert_eq!(client.all::<u32>(&token(), &call, 3).await.unwrap(), [1, 2, 3, 4]);
    let part = client.list::<u32>(&token(), &call, 2).await.unwrap();
    assert_eq!((part.items, part.complete), (vec![1, 2, 3], false));
    is_final(&client.all::<u32>(&token(), &call, 2).await.unwrap_err(), &["more than 2 pages"]);
}

#[tokio::test]
async fn pages_that_are_only_counted_are_asked_for_by_number() {
    let server = Server::start(|request: &Request| match request.target.as_str() {
        "/api/list" => Reply::status(200, &[("x-total-count", "3")], "[1,2]"),
        "/api/list?page=2" => Reply::status(200, &[("x-total-count", "3")], "[3]"),
        "/api/none" => Reply::status(200, &[("x-total-count", "0")], "null"),
        // One is counted that this credential may not see.
        "/api/hidden" => Reply::status(200, &[("x-total-count", "2")], "[1]"),
        "/api/hidden?page=2" => Reply::status(200, &[("x-total-count", "2")], "[]"),
        other => panic!("{other}"),
    })
    .await;
    let client = client(&server);
    let all = async |path: &'static str| client.all::<u32>(&token(), &Call::get(&[path]), 9).await.unwrap();
    assert_eq!(all("list").await, [1, 2, 3]);
    assert_eq!(all("none").await, [0; 0]);
    assert_eq!(all("hidden").await, [1]);
}

#[tokio::test]
async fn pages_that_never_end_are_left() {
    let count = Arc::new(Mutex::new(0));
    let counted = count.clone();
    let endless = Server::start(move |_| {
        let mut page = counted.lock().unwrap();
        *page += 1;
        Reply::Whole(200, vec![("link", format!("</x?page={page}>; rel=\"next\""))], "[1]".to_owned())
    })
    .await;
    let failure = client(&endless).all::<u32>(&token(), &Call::get(&["x"]), 10).await.unwrap_err();
    is_final(&failure, &["more than 10 pages"]);
    assert_eq!(*count.lock().unwrap(), 10);
    let round = Server::start(|_| Reply::status(200, &[("link", "</x?page=2>; rel=\"next\"")], "[1]")).await;
    let failure = client(&round).all::<u32>(&token(), &Call::get(&["x"]), 10).await.unwrap_err();
    is_final(&failure, &["lead back to each other"]);
    assert_eq!(round.requests().len(), 2);
}
