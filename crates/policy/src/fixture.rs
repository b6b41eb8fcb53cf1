//! What tests decide on: a small configuration, facts that pass, and the project's own policies.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_core::bundle::{BUNDLE_VERSION, BundleSource};
use countersign_core::configuration::Configuration;
use countersign_core::digest::Digest;
use countersign_core::facts::{
    Cause, Change, Explanation, FACTS_VERSION, Facts, History, ObjectFacts, ObjectKey, Operation, Position,
    Range, Relation, Render, TargetFacts,
};
use countersign_core::names::{AttemptId, CommitId};
use countersign_core::review::{
    CommitFacts, Identity, PullRequest, PullRequestState, Review, ReviewVerdict, Signature,
};
use countersign_core::signatures::{Signatory, VerifiedSignatures};
use countersign_core::statement::{Says, SignedStatement, Statement};
use countersign_core::time::Timestamp;
use serde_json::json;

use crate::bundle::Bundle;

/// A time of `seconds` after the start of a day.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_200_000_000 + seconds * 1_000)
}

/// A commit whose digits are all `digit`.
pub fn commit(digit: char) -> CommitId {
    digit.to_string().repeat(40).parse().unwrap()
}

/// Ada, Grace and Linus of team shop, Margaret of team sre and Edsger of no team.
pub fn configuration() -> Configuration {
    let person = |account: u64, email: &str| json!({"accounts": {"forge": account}, "emails": [email]});
    serde_json::from_value(json!({
        "version": 1,
        "control": {"repository": "forge/control", "branch": "main", "approvals": {"count": 1, "teams": ["sre"]}},
        "hosts": {
            "forge": {"kind": "gitea", "url": "https://forge.example", "webhookSecret": "env:A"},
            "local": {"kind": "plain", "url": "repositories", "webhookSecret": "env:B"},
        },
        "people": {
            "ada": person(1, "ada@example.com"),
            "grace": person(2, "grace@example.com"),
            "linus": person(3, "linus@example.com"),
            "margaret": person(4, "margaret@example.com"),
            "edsger": person(5, "edsger@example.com"),
        },
        "teams": {"shop": {"members": ["ada", "grace", "linus"]}, "sre": {"members": ["margaret"]}},
        "repositories": {"forge/shop": {}, "local/shop": {}},
        "applications": {"shop": {"team": "shop", "repository": "forge/shop", "environments": {
            "production": {"path": "deploy", "branch": "main", "namespaces": ["shop"]},
        }}},
        "environments": {"production": {"approvals": {"count": 1}, "clusters": ["east"]}},
        "clusters": {"east": {"kind": "simulated", "uid": "u"}},
    }))
    .unwrap()
}

/// The data that the project's own policies read.
pub fn data() -> serde_json::Value {
    json!({
        "configuration": configuration(),
        "registries": {"allowed": ["r.example/shop"]},
        "kinds": {"forbidden": [], "protected": ["Namespace"]},
        "contributors": {"applications": {}},
    })
}

/// The project's own policies, by path.
pub fn policies() -> BTreeMap<String, String> {
    fn collect(folder: &Path, path: &str, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{path}/{}", entry.file_name().to_str().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true => collect(&entry.path(), &name, found),
                false => drop(found.insert(name, std::fs::read_to_string(entry.path()).unwrap())),
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies"), "policies", &mut found);
    found
}

/// A control repository of [`configuration`], [`data`] and [`policies`], compiled.
pub fn bundle() -> Bundle {
    let mut files = policies();
    files.insert("countersign.yaml".into(), serde_json::to_string_pretty(&configuration()).unwrap());
    for (name, content) in data().as_object().unwrap().iter().filter(|(name, _)| *name != "configuration") {
        files.insert(format!("data/{name}.yaml"), content.to_string());
    }
    let source = BundleSource { v: BUNDLE_VERSION, files };
    Bundle::untested(&source).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// A rule at `policies/area/rule` with the given body, and a test beside it.
pub fn rule(body: &str) -> BTreeMap<String, String> {
    rule_with("error", "", body)
}

/// A rule of a severity, with more metadata.
pub fn rule_with(severity: &str, more: &str, body: &str) -> BTreeMap<String, String> {
    let text = format!(
        "# METADATA\n# title: A\n# description: B\n# custom:\n#   severity: {severity}\n#   remedy: C\n#   controls: []\n{more}package area.rule\nimport rego.v1\n{body}\n"
    );
    let test = "package area.rule\nimport rego.v1\ntest_it if true\n".to_owned();
    BTreeMap::from([
        ("policies/area/rule/rule.rego".to_owned(), text),
        ("policies/area/rule/rule_test.rego".to_owned(), test),
    ])
}

/// A commit by `email`.
pub fn commit_facts(digit: char, parent: char, email: &str) -> CommitFacts {
    let by = |email: &str| Signature { name: "n".into(), email: email.into(), time: at(0) };
    CommitFacts {
        id: commit(digit),
        tree: "0".repeat(40).parse().unwrap(),
        parents: vec![commit(parent)],
        author: by(email),
        committer: by("noreply@forge.example"),
        co_authors: Vec::new(),
        subject: format!("Change {digit}"),
        signature: None,
        signed_payload: None,
    }
}

/// An account on the forge.
pub fn account(id: u64) -> Identity {
    Identity { account: Some(id), login: Some(format!("login{id}")), key: None }
}

/// An approval by an account of a head.
pub fn approval(id: &str, by: u64, head: char, seconds: i64) -> Review {
    Review {
        id: id.into(),
        reviewer: account(by),
        verdict: ReviewVerdict::Approved,
        commit: commit(head),
        submitted: at(seconds),
        dismissed: false,
        official: None,
        signed: false,
    }
}

/// Pull request 7 by Ada, from head b, whose one commit is hers; Grace approved it.
pub fn pull_request() -> PullRequest {
    PullRequest {
        id: "7".into(),
        title: "Faster".into(),
        url: None,
        author: account(1),
        base: "refs/heads/main".parse().unwrap(),
        head: commit('b'),
        fork: false,
        state: PullRequestState::Merged,
        pushers: Vec::new(),
        contributors: Vec::new(),
        reviews: vec![approval("r1", 2, 'b', 10)],
        labels: Vec::new(),
    }
}

/// A deployment that every policy of the project allows: from commit a to c, the merge of head b.
pub fn facts(bundle: Digest) -> Facts {
    let target = "shop/production/east".parse().unwrap();
    let key = ObjectKey {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: Some("shop".into()),
        name: "web".into(),
    };
    Facts {
        v: FACTS_VERSION,
        attempt: AttemptId::new("e1", &target),
        cause: Cause { event: "e1".into(), kind: "pushed".into(), actor: None },
        time: at(100),
        target: TargetFacts {
            target,
            follows: serde_json::from_value(
                json!({"repository": "forge/shop", "reference": "refs/heads/main"}),
            )
            .unwrap(),
            path: "deploy".into(),
            namespaces: vec!["shop".into()],
            cluster_kinds: Vec::new(),
            adopt: false,
        },
        bundle,
        preview: false,
        change: Change {
            operation: Operation::Deploy,
            commit: commit('c'),
            tree: "0".repeat(40).parse().unwrap(),
            closure: Digest::of(b"closure"),
            new_bundle: None,
            command: None,
        },
        range: Range {
            from: Some(commit('a')),
            relation: Relation::Descends,
            commits: vec![commit_facts('c', 'a', "noreply@forge.example")],
            altering: vec![commit('c')],
            from_gone: false,
            explanations: vec![Explanation { after: commit('a'), to: commit('c'), head: commit('b') }],
        },
        files: Vec::new(),
        pull_requests: vec![pull_request()],
        statements: Vec::new(),
        statuses: Vec::new(),
        owners: Vec::new(),
        proposed: BTreeMap::from([(commit('b'), vec![commit_facts('b', 'a', "ada@example.com")])]),
        render: Render::Rendered,
        objects: vec![ObjectFacts {
            object: json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}),
            key,
            origin: Position { file: "deploy/web.yaml".into(), line: 3 },
            lines: BTreeMap::from([("/spec".into(), 8), ("/spec/replicas".into(), 9), ("/kind".into(), 4)]),
            files: BTreeMap::new(),
        }],
        images: Vec::new(),
        diff: Vec::new(),
        conflicts: Vec::new(),
        manifest: Some(Digest::of(b"manifest")),
        reviewed: BTreeMap::new(),
        history: History { authorized: Some(commit('a')), sequence: Some(4), ..History::default() },
    }
}

/// The same change in plain Git: nobody has said anything yet.
pub fn plain(bundle: Digest) -> Facts {
    let mut facts = facts(bundle);
    facts.target.follows.repository = "local/shop".parse().unwrap();
    facts.pull_requests.clear();
    facts
}

/// Adds a statement by `person`, as if its signature had been verified, and says its id.
pub fn say(
    facts: &mut Facts,
    signatures: &mut VerifiedSignatures,
    person: Option<&str>,
    seconds: i64,
    says: Says,
) -> Digest {
    let statement = Statement {
        v: 1,
        repository: facts.target.follows.repository.clone(),
        time: at(seconds),
        nonce: format!("n{}", facts.statements.len()),
        says,
    };
    let signed =
        SignedStatement { payload: serde_json::to_string(&statement).unwrap(), signature: String::new() };
    let id = signed.id();
    facts.statements.push(signed);
    signatures.statements.insert(id, signatory(person));
    id
}

/// A key of a person, or of a stranger.
pub fn signatory(person: Option<&str>) -> Signatory {
    let fingerprint = format!("SHA256:{}", person.unwrap_or("stranger"));
    Signatory { fingerprint, person: person.map(|name| name.parse().unwrap()) }
}
