//! The invariants of `docs/ARCHITECTURE.md` that are absences: what a crate or function may not link, and what
//! its source may not hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the project")
}

/// Every crate that `package`, built singly with these features, links.
fn links(package: &str, features: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "--offline", "-p", package, "-e", "normal", "--prefix", "none"])
        .args(["--format", "{lib}", "--features", &features.join(",")])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
    text.lines().map(|line| line.trim().trim_end_matches(" (*)").to_owned()).collect()
}

#[track_caller]
fn never_links(package: &str, forbidden: &[&str]) {
    links_none_of(package, &[], forbidden);
}

#[track_caller]
fn links_none_of(package: &str, features: &[&str], forbidden: &[&str]) {
    let linked = links(package, features);
    assert!(
        linked.contains("countersign_core") || package == "countersign-core",
        "{package}: nothing was listed"
    );
    let found: Vec<_> = forbidden.iter().filter(|name| linked.contains(**name)).collect();
    assert!(found.is_empty(), "{package} may not link {found:?}");
}

/// What reads source.
const SOURCE: [&str; 3] = ["countersign_git", "git2", "countersign_render"];
/// What speaks to forges.
const FORGE: [&str; 2] = ["countersign_forge", "octocrab"];
/// What reaches a cluster.
const CLUSTER: [&str; 3] = ["countersign_cluster", "kube", "k8s_openapi"];
/// What evaluates policy.
const POLICY: [&str; 2] = ["countersign_policy", "regorus"];
/// What signs, or holds what a signature is made over.
const SIGNING: [&str; 3] = ["countersign_ledger", "p256", "ed25519_dalek"];
/// What only the edges of a program may link: adapters meet functions in `main.rs`, in the CLI and in tests.
const ADAPTERS: [&str; 4] = ["countersign_local", "rusqlite", "reqwest", "hyper"];

fn all(groups: &[&[&'static str]]) -> Vec<&'static str> {
    groups.concat()
}

#[test]
fn receive_never_reads_git_a_cluster_or_policy() {
    never_links(
        "countersign-receive",
        &all(&[&SOURCE, &CLUSTER, &POLICY, &["countersign_ledger"], &ADAPTERS]),
    );
}

#[test]
fn gather_never_signs_decides_or_reaches_a_cluster() {
    never_links("countersign-gather", &all(&[&CLUSTER, &POLICY, &SIGNING, &ADAPTERS]));
}

#[test]
fn evaluate_fetches_nothing_signs_nothing_and_calls_nothing() {
    never_links(
        "countersign-evaluate",
        &all(&[&SOURCE, &FORGE, &CLUSTER, &["countersign_ledger"], &ADAPTERS]),
    );
}

#[test]
fn record_never_reads_git_or_a_forge_evaluates_or_reaches_a_cluster() {
    never_links("countersign-record", &all(&[&SOURCE, &FORGE, &CLUSTER, &POLICY, &ADAPTERS]));
}

#[test]
fn apply_never_reads_git_or_a_forge_or_evaluates() {
    never_links(
        "countersign-apply",
        &all(&[&SOURCE, &FORGE, &POLICY, &ADAPTERS, &["countersign_provenance"]]),
    );
}

#[test]
fn observe_never_reads_git_or_a_forge_evaluates_or_signs() {
    never_links("countersign-observe", &all(&[&SOURCE, &FORGE, &POLICY, &SIGNING, &ADAPTERS]));
}

#[test]
fn drift_never_reads_git_or_a_forge_or_evaluates() {
    never_links(
        "countersign-drift",
        &all(&[&SOURCE, &FORGE, &POLICY, &ADAPTERS, &["countersign_provenance"]]),
    );
}

#[test]
fn witness_reads_the_log_and_nothing_else() {
    never_links("countersign-witness", &all(&[&SOURCE, &FORGE, &CLUSTER, &POLICY, &ADAPTERS]));
}

#[test]
fn report_never_reads_source_evaluates_signs_or_reaches_a_cluster() {
    never_links("countersign-report", &all(&[&SOURCE, &CLUSTER, &POLICY, &SIGNING, &ADAPTERS]));
}

#[test]
fn poll_never_renders_evaluates_signs_or_reaches_a_cluster() {
    never_links("countersign-poll", &all(&[&["countersign_render"], &CLUSTER, &POLICY, &SIGNING, &ADAPTERS]));
}

/// What a function on Lambda has no right to call.
const KMS: &str = "aws_sdk_kms";
const EKS: &str = "aws_sdk_eks";
const SECRETS: &str = "aws_sdk_secretsmanager";

/// The binaries that Lambda runs have adapters, and still link nothing of another zone.
#[track_caller]
fn on_lambda(function: &str, groups: &[&[&'static str]]) {
    let package = format!("countersign-{function}");
    let linked = links(&package, &["lambda"]);
    assert!(
        linked.contains("countersign_aws") && linked.contains("lambda_runtime"),
        "{package}: not for Lambda"
    );
    links_none_of(&package, &["lambda"], &all(&[&all(groups), &["countersign_local", "rusqlite"]]));
}

#[test]
fn the_forge_zone_on_lambda_neither_signs_nor_deploys() {
    on_lambda("receive", &[&SOURCE, &CLUSTER, &POLICY, &["countersign_ledger", KMS, EKS]]);
    on_lambda("gather", &[&CLUSTER, &POLICY, &SIGNING, &[KMS, EKS]]);
    on_lambda("report", &[&SOURCE, &CLUSTER, &POLICY, &SIGNING, &[KMS, EKS]]);
    on_lambda("poll", &[&["countersign_render"], &CLUSTER, &POLICY, &SIGNING, &[KMS, EKS]]);
}

#[test]
fn the_countersign_zone_on_lambda_neither_reads_source_nor_deploys() {
    on_lambda("evaluate", &[&SOURCE, &FORGE, &CLUSTER, &["countersign_ledger", KMS, EKS, SECRETS]]);
    on_lambda("record", &[&SOURCE, &FORGE, &CLUSTER, &POLICY, &[EKS]]);
    on_lambda("witness", &[&SOURCE, &FORGE, &CLUSTER, &POLICY, &[EKS, SECRETS, "aws_sdk_sqs"]]);
}

#[test]
fn the_cluster_zone_on_lambda_neither_reads_source_nor_signs() {
    let others = ["countersign_provenance", KMS, SECRETS];
    on_lambda("apply", &[&SOURCE, &FORGE, &POLICY, &others]);
    on_lambda("drift", &[&SOURCE, &FORGE, &POLICY, &others]);
    on_lambda("observe", &[&SOURCE, &FORGE, &POLICY, &SIGNING, &others]);
}

#[test]
fn core_does_no_io_and_knows_no_runtime() {
    never_links(
        "countersign-core",
        &["tokio", "hyper", "reqwest", "rusqlite", "git2", "kube", "regorus", "rand_core"],
    );
}

#[test]
fn crates_depend_on_core_and_not_on_each_other() {
    let crates = ["aws", "ledger", "policy", "render", "provenance", "git", "forge", "cluster", "local"];
    for one in crates {
        let linked = links(&format!("countersign-{one}"), &[]);
        let ours: Vec<_> = linked.iter().filter(|name| name.starts_with("countersign_")).collect();
        let expected = ["countersign_core".to_owned(), format!("countersign_{one}")];
        assert!(ours.iter().all(|name| expected.contains(name)), "{one} links {ours:?}");
    }
}

/// Every Rust file below the given folders, with its text.
fn sources(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open: Vec<_> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("the file can be read");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no sources below {folders:?}");
    found
}

#[test]
fn no_stage_reads_a_clock_or_makes_randomness() {
    let inner = ["core", "ledger", "policy", "render", "provenance", "git", "forge", "cluster"];
    let mut folders: Vec<_> = inner.iter().map(|name| format!("crates/{name}/src")).collect();
    folders.push("functions".to_owned());
    let folders: Vec<_> = folders.iter().map(String::as_str).collect();
    let forbidden = ["SystemTime::now", "Instant::now", "Timestamp::now", "OsRng", "thread_rng", "getrandom"];
    for (path, text) in sources(&folders) {
        let beside = |part: std::path::Component<'_>| {
            ["tests", "benches"].iter().any(|name| part.as_os_str() == *name)
        };
        if path.components().any(beside) || path.ends_with("tests.rs") {
            continue;
        }
        let logic = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in forbidden {
            assert!(!logic.contains(word), "{}: {word}: time and randomness are arguments", path.display());
        }
    }
}

#[test]
fn no_giants() {
    for (path, text) in sources(&["crates", "functions"]) {
        let lines = text.lines().count();
        let limit = if path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs")
        {
            1_000
        } else {
            400
        };
        assert!(lines <= limit, "{}: {lines} lines, at most {limit}", path.display());
    }
    for entry in std::fs::read_dir(root().join("functions")).expect("the folder is there") {
        let main = entry.expect("the folder can be read").path().join("src/main.rs");
        if let Ok(text) = std::fs::read_to_string(&main) {
            assert!(text.lines().count() < 60, "{}: main.rs is wiring", main.display());
        }
    }
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    assert!(readme.lines().count() <= 120, "README.md: at most 120 lines");
}

#[test]
fn exceptions_to_lints_have_reasons() {
    for (path, text) in sources(&["crates", "functions", "tests"]) {
        for (number, line) in text.lines().enumerate() {
            let allows =
                line.trim_start().starts_with("#[allow(") || line.trim_start().starts_with("#![allow(");
            assert!(!allows, "{}:{}: use #[expect] with a reason", path.display(), number + 1);
        }
    }
}
