//! Every kind of mistake, with the exact words that a person reads.

use super::{VALID, parse};
use crate::yaml::MAX_PROBLEMS;

/// The problems of the valid configuration after `from` is replaced by `to`, as `line: message | help`.
pub fn after(from: &str, to: &str) -> Vec<String> {
    assert_eq!(VALID.matches(from).count(), 1, "{from:?} must be found once");
    shown(&VALID.replace(from, to))
}

pub fn shown(text: &str) -> Vec<String> {
    let problems = parse("countersign.yaml", text).err().unwrap_or_default();
    let show = |problem: &countersign_core::facts::Problem| {
        assert_eq!(problem.at.file, "countersign.yaml");
        format!("{}: {} | {}", problem.at.line, problem.message, problem.help.as_deref().unwrap_or_default())
    };
    problems.iter().map(show).collect()
}

/// Asserts the one problem of each edit of the valid configuration.
pub fn assert_table(table: &[(&str, &str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(from, to, expected)| {
            let found = after(from, to);
            (found != [*expected])
                .then(|| format!("{from:?} -> {to:?}\n  expected {expected}\n  found    {found:#?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mistakes_of_shape() {
    assert_table(&[
        (
            "version: 1",
            "version: 2",
            "1: `version` is 2, but this release reads version 1 | write `version: 1`",
        ),
        ("version: 1\n", "version: one\n", "1: `version` must be a whole number from 0, but is text | "),
        (
            "kind: plain",
            "kind: plian",
            "7: `hosts.local.kind` must be one of `plain`, `github`, `gitea`, `gitlab`, but is \"plian\" | did you mean `plain`?",
        ),
        (
            "webhookSecret: \"env:HOOK\"",
            "webhookSecret: hunter2",
            "7: `hosts.local.webhookSecret`: a secret is given by reference, never itself | write `env:NAME`, `file:PATH` or `secret:NAME`; if this was a real secret, replace it: Git keeps it",
        ),
        (
            "\"env:TOKEN\"",
            "\"env:2TOKEN\"",
            "8: `hosts.github.token`: a secret is given by reference, never itself | write `env:NAME`, `file:PATH` or `secret:NAME`; if this was a real secret, replace it: Git keeps it",
        ),
        (
            "    baseline: 0123456789abcdef",
            "    baseline: ",
            "39: `applications.shop.environments.production.baseline`: \"0123456789abcdef01234567\" is not a full commit id | use the 40 or 64 lower-case digits of `git rev-parse`",
        ),
        (
            "exact: true",
            "exact: yes",
            "42: `environments.production.exact` must be true or false, but is text | ",
        ),
        (
            "accounts: { github: 1 }",
            "accounts: { github: ada }",
            "13: `people.ada.accounts.github` must be a whole number from 0, but is text | ",
        ),
        (
            "shop: { members: [alan] }",
            "shop: { members: alan }",
            "21: `teams.shop.members` must be a list, but is text | write `- ` before each item, or `[` and `]` around them",
        ),
        (
            "shop: { members: [alan] }",
            "shop: { members: [alan, alan] }",
            "21: `teams.shop.members` lists \"alan\" twice | remove one of the two",
        ),
        (
            "team: shop\n",
            "team: The Shop\n",
            "26: `applications.shop.team`: \"The Shop\" is not a valid name | use lower-case letters, digits and inner hyphens, at most 63",
        ),
        (
            "uid: local-1 }",
            "uid: local-1, kubeconfg: x }",
            "44: `clusters.local` has no field `kubeconfg` | did you mean `kubeconfig`?",
        ),
        (
            "uid: local-1 }",
            "uid: local-1, colour: x }",
            "44: `clusters.local` has no field `colour` | known here: `kind`, `kubeconfig`, `state`, `uid`",
        ),
        (
            "  github/team/shop: {}",
            "  github/team/shop: {}\n  github: {}",
            "24: `repositories`: \"github\" does not name a repository | write the host's name, a slash, and the repository's path on it, as `local/team/shop`",
        ),
        (
            "people:\n",
            "version: 1\npeople:\n",
            "9: duplicate key `version` | it is first written on line 1: remove one of the two",
        ),
        (
            "  shop: { members: [alan] }",
            "  shop: { members: [alan] }\n  shop: { members: [alan] }",
            "22: duplicate key `teams.shop` | it is first written on line 21: remove one of the two",
        ),
    ]);
}

#[test]
fn a_name_that_is_wrong_at_its_entry_is_missed_where_it_is_used() {
    assert_eq!(
        after("    branch: release/1\n", "    brnch: release/1\n"),
        [
            "34: `applications.shop.environments.production` lacks the field `branch` | add `branch:`. The branch that is followed, as `main`.",
            "36: `applications.shop.environments.production` has no field `brnch` | did you mean `branch`?",
        ]
    );
    assert_eq!(
        after("  alan:\n    keys:", "  Alan B:\n    keys:"),
        [
            "14: `people`: \"Alan B\" is not a valid name | use lower-case letters, digits and inner hyphens, at most 63",
            "21: `teams.shop.members.0`: there is no person `alan` | declare it under `people`, or correct the name",
        ]
    );
}

#[test]
fn one_run_shows_all_mistakes_in_the_order_of_lines() {
    let text = VALID
        .replace("version: 1", "version: 3")
        .replace("kind: plain", "kind: plian")
        .replace("emails: [alan@example.com]", "emails: [ada@example.com]")
        .replace("members: [alan]", "member: [alan]")
        .replace("path: deploy/production", "path: /deploy")
        .replace("uid: local-1", "uid: local-1, uid: local-2");
    let lines: Vec<String> =
        shown(&text).iter().map(|shown| shown.split(" |").next().unwrap().to_owned()).collect();
    assert_eq!(
        lines,
        [
            "1: `version` is 3, but this release reads version 1",
            "7: `hosts.local.kind` must be one of `plain`, `github`, `gitea`, `gitlab`, but is \"plian\"",
            "17: `people.alan` has the same e-mail address as `people.ada`",
            "21: `teams.shop` lacks the field `members`",
            "21: `teams.shop` has no field `member`",
            "35: `applications.shop.environments.production.path`: \"/deploy\" is absolute",
            "44: duplicate key `clusters.local.uid`",
        ]
    );
}

#[test]
fn a_file_made_to_cost_time_costs_little() {
    let many = |what: &str| (0..30_000).map(|index| format!("{what}{index}")).collect::<Vec<_>>().join(", ");
    let start = std::time::Instant::now();
    let text = VALID
        .replace("clusters: [east]", &format!("clusters: [{}]", many("c")))
        .replace("members: [alan]", &format!("members: [{}]", many("m")))
        .replace("namespaces: [shop]", &format!("namespaces: [{}]", many("n")));
    assert_eq!(shown(&text).len(), MAX_PROBLEMS);
    let duplicates = format!("{VALID}\n{}", "version: 1\n".repeat(50_000));
    assert_eq!(shown(&duplicates).len(), MAX_PROBLEMS + 1);
    let unknown: String = (0..50_000).map(|index| format!("x{index}: 1\n")).collect();
    assert_eq!(shown(&format!("{VALID}\n{unknown}")).len(), MAX_PROBLEMS);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn what_is_no_configuration_at_all_is_said_once() {
    assert_eq!(shown(""), ["1: the file is empty | write its content, or delete the file"]);
    assert_eq!(shown("- a"), ["1: the file must be fields, but is a list | "]);
    assert_eq!(shown(&" ".repeat(2_000_000)).len(), 1);
    assert!(shown("version: 1\n  control: [").first().unwrap().contains("this is not valid YAML"));
}
