//! Bases in other repositories: from those that the configuration allows, at commits that are on their branches.

use countersign_core::facts::{Facts, Render};
use countersign_core::ports::forge::GitCredential;
use countersign_core::stage::StageError;
use git2::{Oid, Repository};
use serde_json::json;

use crate::private::server;
use crate::world::{World, pushed, shop};

/// A repository that others build on.
struct Base {
    git: Repository,
    folder: tempfile::TempDir,
}

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-base\n";

impl Base {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { git: Repository::init_bare(folder.path().join("base.git")).unwrap(), folder }
    }

    /// Commits an object to a reference, as the folder `web`.
    fn commit(&self, reference: &str, value: &str) -> String {
        let blob = |text: &str| self.git.blob(text.as_bytes()).unwrap();
        let mut web = self.git.treebuilder(None).unwrap();
        web.insert("kustomization.yaml", blob("resources:\n- all.yaml\n"), 0o100_644).unwrap();
        web.insert("all.yaml", blob(&format!("{OBJECT}data: {{value: \"{value}\"}}\n")), 0o100_644).unwrap();
        let mut root = self.git.treebuilder(None).unwrap();
        root.insert("web", web.write().unwrap(), 0o040_000).unwrap();
        let tree = self.git.find_tree(root.write().unwrap()).unwrap();
        let who = git2::Signature::new("Ann", "ann@example.com", &git2::Time::new(1_700_000_000, 0)).unwrap();
        self.git.commit(Some(reference), &who, &who, "a base", &tree, &[]).unwrap().to_string()
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("base.git")
    }

    fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }
}

/// The folder of an application that is a kustomization with one base.
fn built_on(git: &Repository, base: &str) -> Oid {
    let mut folder = git.treebuilder(None).unwrap();
    let text = format!("namePrefix: p-\nresources:\n- {base}\n");
    folder.insert("kustomization.yaml", git.blob(text.as_bytes()).unwrap(), 0o100_644).unwrap();
    folder.write().unwrap()
}

/// What is said of the shop once it is built on `written`, where the configuration has the base like this.
async fn take(world: &World, event: &str, written: &str) -> Result<Facts, StageError> {
    let commit = world.push_tree(|git| built_on(git, written));
    let facts = world.take_while(event, pushed(&commit), &|| Ok(())).await?;
    Ok(facts.into_iter().find(|facts| facts.target.target == shop()).expect("the shop is looked at"))
}

async fn world_with(base: serde_json::Value) -> World {
    let world = World::new().await;
    world.push("main", None, "1", "1");
    world.configure(|configuration| configuration["repositories"]["local/base"] = base).await;
    world
}

fn refusal(facts: &Facts) -> String {
    match &facts.render {
        Render::Failed { problems } => format!("{}: {}", problems[0].at, problems[0].message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_base_is_read_where_the_configuration_allows_it() {
    let base = Base::new();
    let commit = base.commit("refs/heads/main", "1");
    let world = world_with(json!({"url": base.path(), "bases": true})).await;
    let facts = take(&world, "e1", &format!("{}//web?ref={commit}", base.url())).await.unwrap();
    assert_eq!(facts.render, Render::Rendered);
    assert_eq!(facts.objects[0].key.name, "p-from-base");
    assert_eq!(facts.objects[0].origin.file, format!("local/base@{commit}:web/all.yaml"));
    // Another commit of the base is another closure, though nothing else of the application has changed.
    let next = base.commit("refs/heads/next", "2");
    let again = take(&world, "e2", &format!("{}//web?ref={next}", base.url())).await.unwrap();
    assert_ne!(again.change.closure, facts.change.closure);
    assert_ne!(again.manifest, facts.manifest);
}

#[tokio::test]
async fn a_base_is_fetched_from_its_server() {
    let base = Base::new();
    let commit = base.commit("refs/heads/main", "1");
    let served = server::serve(&base.path());
    let url = format!("{}/auth", served.base);
    let mut world = world_with(json!({"url": url, "bases": true})).await;
    world.credential = Some(GitCredential::Token { user: "user".to_owned(), secret: "secret".to_owned() });
    let facts = take(&world, "e1", &format!("{url}//web?ref={commit}")).await.unwrap();
    assert_eq!(facts.render, Render::Rendered);
    let requests = served.requests.lock().unwrap().len();
    // What is pinned and here is not asked for again.
    let again = take(&world, "e2", &format!("{url}//web/.?ref={commit}")).await.unwrap();
    assert_eq!(again.manifest, facts.manifest);
    assert_eq!(served.requests.lock().unwrap().len(), requests);
}

#[tokio::test]
async fn anything_else_is_refused_at_its_line() {
    let base = Base::new();
    let commit = base.commit("refs/heads/main", "1");
    let closed = world_with(json!({"url": base.path()})).await;
    let written = format!("{}//web?ref={commit}", base.url());
    let said = refusal(&take(&closed, "e1", &written).await.unwrap());
    assert_eq!(said, "deploy/shop/kustomization.yaml:3: the repository local/base gives no bases to others");
    let world = world_with(json!({"url": base.path(), "bases": true})).await;
    let sent = base.commit("refs/pull/1/head", "evil");
    for (number, (written, reason)) in [
        (format!("https://example.com/x//web?ref={commit}"), "is in no repository of countersign.yaml"),
        (format!("{}//web?ref=main", base.url()), "must be pinned to a full commit id"),
        (format!("{}//web?ref={}", base.url(), "0".repeat(40)), "is on no branch and under no tag"),
        (format!("{}//web?ref={sent}", base.url()), "is on no branch and under no tag"),
        (format!("{}//nothing?ref={commit}", base.url()), "has no kustomization.yaml"),
    ]
    .into_iter()
    .enumerate()
    {
        let said = refusal(&take(&world, &format!("e{number}"), &written).await.unwrap());
        assert!(said.starts_with("deploy/shop/kustomization.yaml:3: ") && said.contains(reason), "{said}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_asked_again() {
    let world = world_with(json!({"url": "http://127.0.0.1:9/base", "bases": true})).await;
    let written = format!("http://127.0.0.1:9/base//web?ref={}", "1".repeat(40));
    let error = take(&world, "e1", &written).await.unwrap_err();
    assert!(matches!(error, StageError::Retry(_)), "{error:?}");
}
