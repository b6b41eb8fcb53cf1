use std::fs;
use std::path::Path;

use super::*;

const CONFIGURATION: &str = "version: 1
control: { repository: local/control, branch: main, approvals: { count: 1, teams: [platform] } }
hosts: { local: { kind: plain, url: /srv/git, webhookSecret: env:SECRET } }
people: { ada: { emails: [ada@example.com] } }
teams: { platform: { members: [ada] } }
repositories: { local/shop: {}, local/other: {} }
applications:
  shop:
    team: platform
    repository: local/shop
    environments:
      staging: { path: deploy/staging, branch: main, namespaces: [shop] }
      production: { path: deploy/production, branch: main, namespaces: [shop] }
environments:
  staging: { approvals: { count: 1 }, clusters: [east] }
  production: { approvals: { count: 1 }, clusters: [east] }
clusters: { east: { kind: simulated, uid: 6f1d3a52-0c7e-4b8e-9a41-2d5c8e7b90f3 } }
";

const FEW: &str = "# METADATA
# title: Few replicas
# description: More cost more.
# custom:
#   severity: error
#   remedy: Take fewer.
#   controls: []
package cost.few

import rego.v1

deny contains {\"message\": message, \"object\": key, \"field\": \"/data/replicas\"} if {
	some object in input.objects
	object.object.data.replicas == \"9\"
	key := {\"apiVersion\": object.apiVersion, \"kind\": object.kind, \"namespace\": object.namespace, \"name\": object.name}
	message := \"9 replicas\"
}
";

const REVIEWED: &str = "# METADATA
# title: Reviewed
# description: Two see more.
# custom:
#   severity: error
#   remedy: Ask for a review.
#   controls: []
#   needs: review
package people.reviewed

import rego.v1

deny contains {\"message\": \"nothing explains it\"} if count(input.range.unexplained) > 0
";

struct World {
    folder: tempfile::TempDir,
    git: git2::Repository,
}

fn write(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn map(replicas: u32) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  replicas: \"{replicas}\"\n")
}

/// A control repository, and a source repository whose `main` holds two environments.
fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control");
    write(&control, "countersign.yaml", CONFIGURATION);
    write(&control, "policies/cost/few/few.rego", FEW);
    write(&control, "policies/people/reviewed/reviewed.rego", REVIEWED);
    for (name, package) in [("cost/few/few", "cost.few"), ("people/reviewed/reviewed", "people.reviewed")] {
        let test = format!("package {package}\n\nimport rego.v1\n\ntest_nothing if true\n");
        write(&control, &format!("policies/{name}_test.rego"), &test);
    }
    let shop = folder.path().join("shop");
    write(&shop, "deploy/staging/web.yaml", &map(1));
    write(&shop, "deploy/production/web.yaml", &map(1));
    let git =
        git2::Repository::init_opts(&shop, git2::RepositoryInitOptions::new().initial_head("main")).unwrap();
    let world = World { folder, git };
    world.commit();
    world
}

impl World {
    fn commit(&self) {
        let mut index = self.git.index().unwrap();
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
        index.write().unwrap();
        let tree = self.git.find_tree(index.write_tree().unwrap()).unwrap();
        let me = git2::Signature::new("ada", "ada@example.com", &git2::Time::new(1_795_212_000, 0)).unwrap();
        let parent = self.git.head().ok().and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<_> = parent.iter().collect();
        self.git.commit(Some("HEAD"), &me, &me, "A change", &tree, &parents).unwrap();
    }

    fn edit(&self, path: &str, text: &str) {
        write(&self.folder.path().join("shop"), path, text);
    }

    fn check(&self, change: impl FnOnce(&mut CheckArguments)) -> anyhow::Result<Printed> {
        let mut arguments = CheckArguments {
            path: self.folder.path().join("shop"),
            control: Some(self.folder.path().join("control")),
            control_rev: None,
            repository: Some("local/shop".parse().unwrap()),
            application: None,
            environment: None,
            all: false,
            from: None,
            to: None,
            bases: Vec::new(),
            strict: false,
        };
        change(&mut arguments);
        run(&arguments)
    }
}

fn targets_of(printed: &Printed) -> Vec<String> {
    let targets = printed.document["targets"].as_array().unwrap();
    targets.iter().map(|target| target["target"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_not_committed_is_denied_at_its_line() {
    let world = world();
    world.edit("deploy/staging/web.yaml", &map(9));
    let printed = world.check(|_| {}).unwrap();
    assert_eq!(printed.conclusion, Conclusion::Denied);
    assert_eq!(targets_of(&printed), ["shop/staging/east"], "only what is touched");
    assert!(printed.text.contains("deploy/staging/web.yaml:6: 9 replicas"), "{}", printed.text);
    assert!(
        printed.text.contains("    6 |   replicas: \"9\"") && printed.text.contains("Take fewer."),
        "{}",
        printed.text
    );
    assert!(printed.text.contains("/data/replicas: \"1\" → \"9\""), "{}", printed.text);
    assert!(printed.document["commit"].is_null());
}

#[test]
fn only_reviews_are_pending_and_strictness_lets_them_deny() {
    let world = world();
    world.edit("deploy/staging/web.yaml", &map(2));
    let printed = world.check(|_| {}).unwrap();
    assert_eq!((printed.conclusion, &printed.document["verdict"]), (Conclusion::Done, &json!("pending")));
    let printed = world.check(|arguments| arguments.strict = true).unwrap();
    assert_eq!((printed.conclusion, &printed.document["verdict"]), (Conclusion::Denied, &json!("denied")));
}

#[test]
fn a_commit_is_measured_from_another() {
    let world = world();
    world.edit("deploy/production/web.yaml", &map(9));
    world.commit();
    world.edit("deploy/production/web.yaml", &map(1));
    let printed = world
        .check(|arguments| (arguments.from, arguments.to) = (Some("HEAD~1".into()), Some("HEAD".into())))
        .unwrap();
    assert_eq!(targets_of(&printed), ["shop/production/east"]);
    assert_eq!(printed.conclusion, Conclusion::Denied, "the working folder does not matter");
}

#[test]
fn where_nothing_is_touched_all_targets_are_checked() {
    let world = world();
    assert_eq!(targets_of(&world.check(|_| {}).unwrap()).len(), 2);
    let named = world.check(|arguments| arguments.environment = Some("staging".parse().unwrap())).unwrap();
    assert_eq!(targets_of(&named), ["shop/staging/east"]);
}

#[test]
fn a_repository_without_git_and_one_that_is_unknown() {
    let world = world();
    fs::remove_dir_all(world.folder.path().join("shop/.git")).unwrap();
    assert_eq!(targets_of(&world.check(|_| {}).unwrap()).len(), 2);
    let error = world.check(|arguments| arguments.repository = Some("local/other".parse().unwrap()));
    assert!(error.err().unwrap().to_string().contains("countersign.yaml has local/shop"));
}

#[test]
fn what_does_not_render_is_a_denial() {
    let world = world();
    world.edit("deploy/staging/web.yaml", "kind: [\n");
    let printed = world.check(|_| {}).unwrap();
    assert_eq!(printed.conclusion, Conclusion::Denied);
    assert!(
        printed.text.contains("countersign.render") && printed.text.contains("deploy/staging/web.yaml:"),
        "{}",
        printed.text
    );
}
