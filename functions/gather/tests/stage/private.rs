//! A private repository behind HTTP: opened by a credential that is read at the moment of use.

#[path = "../../../../crates/git/src/testing/server.rs"]
pub mod server;

use countersign_core::facts::Render;
use countersign_core::ports::forge::GitCredential;
use countersign_core::stage::StageError;

use crate::world::{World, pushed};

fn token(secret: &str) -> GitCredential {
    GitCredential::Token { user: "user".to_owned(), secret: secret.to_owned() }
}

#[tokio::test]
async fn a_private_repository_is_read_and_a_refused_credential_is_tried_again_when_it_was_changed() {
    let mut world = World::new().await;
    let first = world.push("main", None, "1", "1");
    let served = server::serve(&world.path());
    let url = format!("{}/auth", served.base);
    world.read_from(&url, token("hunter2")).await;
    let refused = world.take_while("e1", pushed(&first), &|| Ok(())).await.unwrap_err();
    let StageError::Retry(why) = &refused else { panic!("it is lost: {refused:?}") };
    assert!(why.contains("refuses the credential") && !why.contains("hunter2"), "{why}");
    world.credential = Some(token("secret"));
    let facts = world.take("e1", pushed(&first)).await;
    assert_eq!(facts.len(), 2);
    assert!(facts.iter().all(|facts| facts.render == Render::Rendered && facts.change.commit == first));
    let requests = served.requests.lock().unwrap();
    assert!(requests.iter().all(|request| request.ends_with("with a credential")), "{requests:?}");
}
