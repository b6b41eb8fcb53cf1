//! What established tools say of the same objects.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::*;

/// The cases of one corpus; none, with a line that says so, where the corpora are not installed.
fn cases(name: &str) -> Vec<Value> {
    let folder = std::env::var_os("COUNTERSIGN_CORPORA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora"),
        PathBuf::from,
    );
    match fs::read_to_string(folder.join(name)) {
        Ok(lines) => lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        Err(error) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{name}: {error}");
            println!("not run, no corpus {name}: set COUNTERSIGN_CORPORA");
            Vec::new()
        }
    }
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap()
}

/// The health of a case's object; `None` where its YAML is wrong.
fn health(case: &Value) -> Option<Health> {
    // Some cases name a field twice with one value, as older parsers let them.
    let options =
        serde_saphyr::options! { duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins };
    serde_saphyr::from_str_with_options(text(case, "object"), options).ok().map(|object| of(&object))
}

#[test]
fn every_case_of_kstatus_is_met() {
    let different: Vec<String> = cases("kstatus/cases.jsonl")
        .iter()
        .filter_map(|case| {
            let (found, expected) = (health(case).unwrap(), text(case, "expected"));
            let same = format!("{:?}Status", found.status) == expected;
            (!same).then(|| format!("{}: {found}, not {expected}", text(case, "name")))
        })
        .collect();
    assert_eq!(different, [] as [&str; 0]);
}

/// The other corpus judges custom kinds by scripts made for each. These rules know none of them, and meet
/// what can be met by what all kinds share.
#[test]
fn other_tools_agree_on_built_in_kinds_and_on_some_custom_ones() {
    let cases = cases("health/cases.jsonl");
    if cases.is_empty() {
        return;
    }
    let mut missed: BTreeMap<String, u32> = BTreeMap::new();
    let (mut built_in, mut too_well) = (Vec::new(), 0);
    for case in &cases {
        let found = health(case).map(|health| health.status);
        if found == Some(expected(case)) {
            continue;
        }
        too_well += u32::from(found == Some(Status::Current));
        let kind = format!("{}/{}", text(case, "group"), text(case, "kind"));
        if kind.starts_with("batch/") || kind.starts_with("policy/") {
            built_in.push(format!("{kind} {}: {found:?}", text(case, "case")));
        }
        *missed.entry(kind).or_default() += 1;
    }
    let met = cases.len() - missed.values().sum::<u32>() as usize;
    println!("met {met} of {}, {too_well} taken too well; missed by kind: {missed:?}", cases.len());
    // Whether a cron job's last run succeeded is not a matter of a change: it stays as wanted.
    assert_eq!(built_in, ["batch/CronJob testdata/degraded.yaml: Some(Current)"]);
    assert!(met >= 161, "only {met} are met, 161 were before");
}

fn expected(case: &Value) -> Status {
    match text(case, "status") {
        "Healthy" => Status::Current,
        "Degraded" => Status::Failed,
        "Progressing" => Status::InProgress,
        _ => Status::Unknown,
    }
}
