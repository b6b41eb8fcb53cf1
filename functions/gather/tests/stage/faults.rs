//! Bad input: each ends in facts that say what is wrong, so that the denial does, and in no dead letter.

use countersign_core::facts::{Facts, Relation, Render};
use git2::{Oid, Repository};

use crate::world::{World, pushed, shop};

fn problems(facts: &Facts) -> String {
    match &facts.render {
        Render::Failed { problems } => {
            problems.iter().map(|problem| format!("{}; ", problem.message)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// The facts about the shop after `make` made its folder.
async fn facts_of(make: impl FnOnce(&Repository) -> Oid) -> Facts {
    let world = World::new().await;
    let first = world.push("main", None, "1", "1");
    for facts in world.take("e1", pushed(&first)).await {
        world.authorize(&facts, true).await;
    }
    let second = world.push_tree(make);
    let facts = world.take("e2", pushed(&second)).await;
    facts.into_iter().find(|facts| facts.target.target == shop()).expect("the shop is looked at")
}

/// A folder with one entry beside a good file.
fn beside(git: &Repository, name: &[u8], id: Oid, mode: i32) -> Oid {
    let good = git.blob(b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n").unwrap();
    let odb = git.odb().unwrap();
    let mut entries = vec![(b"all.yaml".to_vec(), good, 0o100_644), (name.to_vec(), id, mode)];
    entries.sort();
    let mut tree = Vec::new();
    for (name, id, mode) in entries {
        tree.extend(format!("{mode:o} ").bytes());
        tree.extend(name);
        tree.push(0);
        tree.extend(id.as_bytes());
    }
    odb.write(git2::ObjectType::Tree, &tree).unwrap()
}

#[tokio::test]
async fn a_link_out_of_the_root_a_submodule_and_a_strange_name_are_denials() {
    let link =
        facts_of(|git| beside(git, b"b.yaml", git.blob(b"../../../etc/passwd").unwrap(), 0o120_000)).await;
    let submodule =
        facts_of(|git| beside(git, b"b.yaml", Oid::from_str(&"1".repeat(40)).unwrap(), 0o160_000)).await;
    let name = facts_of(|git| beside(git, b"b\xff.yaml", git.blob(b"x: 1").unwrap(), 0o100_644)).await;
    for (facts, wanted) in [(link, "link"), (submodule, "submodule"), (name, "UTF-8")] {
        let said = problems(&facts);
        assert!(said.contains(wanted), "{wanted}: {said}");
        assert_eq!(facts.manifest, None);
    }
}

#[tokio::test]
async fn a_hundred_thousand_files_are_a_denial() {
    let facts = facts_of(|git| {
        let mut folder = git.treebuilder(None).unwrap();
        let blob = git.blob(b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n").unwrap();
        for at in 0..100_000 {
            folder.insert(format!("{at}.yaml"), blob, 0o100_644).unwrap();
        }
        folder.write().unwrap()
    })
    .await;
    let said = problems(&facts);
    assert!(said.contains("files differ") || said.contains("at most"), "{said}");
    assert_eq!((facts.manifest, facts.files), (None, vec![]));
}

#[tokio::test]
async fn a_file_that_is_too_large_is_a_denial() {
    let facts = facts_of(|git| {
        let blob = git.blob(&vec![b'#'; 64 * 1024 * 1024]).unwrap();
        beside(git, b"b.yaml", blob, 0o100_644)
    })
    .await;
    let said = problems(&facts);
    assert!(said.contains("bytes"), "{said}");
}

#[tokio::test]
async fn what_was_authorized_and_is_gone_is_named_and_looked_at_only_once() {
    let world = World::new().await;
    let first = world.push("main", None, "1", "1");
    for facts in world.take("e1", pushed(&first)).await {
        world.authorize(&facts, true).await;
    }
    // A forced push to a commit without parents, after which the server forgets what was there.
    world.delete_branch("main");
    let second = world.push("main", None, "2", "1");
    world.forget(&first);
    let facts = world.take("e2", pushed(&second)).await;
    let shop = facts.iter().find(|facts| facts.target.target == shop()).unwrap();
    assert_eq!((shop.range.relation, shop.range.from_gone), (Relation::Diverges, true));
    assert_eq!(shop.range.from.as_ref(), Some(&first), "which commit it was");
    assert_eq!(shop.range.altering, [second]);
}
