//! What opens the host's repositories to Git.

use countersign_core::names::RepositoryId;
use countersign_core::ports::forge::GitCredential;

use super::*;

fn repository() -> RepositoryId {
    "hub/team/shop".parse().unwrap()
}

async fn credential(github: &Github<Vault>) -> (String, String) {
    match github.git_credential(&repository()).await.unwrap() {
        Some(GitCredential::Token { user, secret }) => (user, secret),
        other => panic!("{other:?}"),
    }
}

/// Gives a session of an hour from now each time that it is asked for one, whose token is its number.
async fn granting(description: &'static Value, time: &Arc<AtomicI64>) -> openapi::Github {
    let (time, count) = (time.clone(), AtomicUsize::new(0));
    openapi::Github::start(description, move |asked| {
        (asked.operation == "POST /app/installations/{installation_id}/access_tokens").then(|| {
            let token = format!("granted-{}", count.fetch_add(1, Ordering::SeqCst) + 1);
            let end = Timestamp::from_millis(time.load(Ordering::SeqCst) + 60 * 60_000);
            let granted = json!({ "token": token, "expires_at": end.to_string() });
            Reply::status(201, &[], &openapi::merged(&asked.example, &granted).to_string())
        })
    })
    .await
}

#[tokio::test]
async fn git_gets_the_apps_token_and_a_new_one_before_its_end_and_when_it_is_denied() {
    let Some(description) = description() else { return };
    let time = Arc::new(AtomicI64::new(1_795_212_000_000));
    let hub = granting(description, &time).await;
    let ticking = time.clone();
    let github =
        as_app(&hub.server.base, Arc::new(move || Timestamp::from_millis(ticking.load(Ordering::SeqCst))));
    let mut given = Vec::new();
    for minutes in [0, 54, 1, 54] {
        time.fetch_add(minutes * 60_000, Ordering::SeqCst);
        let (user, secret) = credential(&github).await;
        assert_eq!(user, "x-access-token");
        given.push(secret);
    }
    assert_eq!(given, ["granted-1", "granted-1", "granted-2", "granted-2"], "it lasts five minutes at least");
    github.git_denied(&repository());
    assert_eq!(credential(&github).await.1, "granted-3", "the session may have ended early");
    assert_eq!(credential(&github).await.1, "granted-3");
    hub.nothing_was_wrong();
}

#[tokio::test]
async fn git_gets_the_configured_token_where_there_is_no_app() {
    let github = by_token("http://127.0.0.1:1");
    let expected = ("x-access-token".to_owned(), TOKEN.to_owned());
    assert_eq!(credential(&github).await, expected);
    github.git_denied(&repository());
    assert_eq!(credential(&github).await, expected);
}
