//! Names that lead nowhere, and keys that lead to two people.

use super::mistakes::assert_table;

#[test]
fn references_that_lead_nowhere() {
    assert_table(&[
        (
            "members: [ada]",
            "members: [ad]",
            "20: `teams.platform.members.0`: there is no person `ad` | did you mean `ada`?",
        ),
        (
            "team: shop\n",
            "team: warehouse\n",
            "26: `applications.shop.team`: there is no team `warehouse` | declare it under `teams`, or correct the name",
        ),
        (
            "repository: github/team/shop",
            "repository: github/team/shopp",
            "27: `applications.shop.repository`: there is no repository `github/team/shopp` | did you mean `github/team/shop`?",
        ),
        (
            "      production:\n",
            "      prod:\n",
            "34: `applications.shop.environments.prod`: there is no environment `prod` | declare it under `environments`, or correct the name",
        ),
        (
            "clusters: [east]",
            "clusters: [west]",
            "38: `applications.shop.environments.production.clusters.0`: there is no cluster `west` | declare it under `clusters`, or correct the name",
        ),
        (
            "clusters: [local]",
            "clusters: [locl]",
            "41: `environments.staging.clusters.0`: there is no cluster `locl` | did you mean `local`?",
        ),
        (
            "teams: [platform], signed",
            "teams: [plattform], signed",
            "42: `environments.production.approvals.teams.0`: there is no team `plattform` | did you mean `platform`?",
        ),
        (
            "count: 1, teams: [platform] }",
            "count: 1, teams: [plat] }",
            "5: `control.approvals.teams.0`: there is no team `plat` | declare it under `teams`, or correct the name",
        ),
        (
            "accounts: { github: 1 }",
            "accounts: { gitea: 1 }",
            "13: `people.ada.accounts.gitea`: there is no host `gitea` | declare it under `hosts`, or correct the name",
        ),
        (
            "repository: local/control",
            "repository: locale/control",
            "3: `control.repository`: there is no host `locale` | did you mean `local`?",
        ),
        (
            "repositories:\n",
            "repositories:\n  other/x: {}\n",
            "23: `repositories.other/x`: there is no host `other` | declare it under `hosts`, or correct the name",
        ),
    ]);
}

#[test]
fn what_belongs_to_two_people_says_nothing() {
    assert_table(&[
        (
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKK1YKTd5543OJeKREaJQWRoN9HbHXHMBCrHwsDw1Lr+",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHXcG69j3h44/+MQEWAQ13R6ryoA/u/BjSkg5Ubd+q5O other",
            "16: `people.alan` has the same key as `people.ada` | it must say who someone is: leave it with one of the two",
        ),
        (
            "accounts: { github: 2 }",
            "accounts: { github: 1 }",
            "18: `people.alan` has the same account as `people.ada` | it must say who someone is: leave it with one of the two",
        ),
        (
            "emails: [alan@example.com]",
            "emails: [Ada@Example.com]",
            "17: `people.alan` has the same e-mail address as `people.ada` | it must say who someone is: leave it with one of the two",
        ),
        (
            "emails: [alan@example.com]",
            "emails: [a@b, A@b]",
            "17: `people.alan` has this e-mail address twice | remove one of the two",
        ),
        (
            "emails: [alan@example.com]",
            "emails: [Alan]",
            "17: `people.alan.emails`: \"Alan\" is not an e-mail address | write it as in Git's `user.email`",
        ),
        (
            "- ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKK1YKTd5543OJeKREaJQWRoN9HbHXHMBCrHwsDw1Lr+",
            "- ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
            "16: `people.alan.keys`: the key's content is damaged, or not of the algorithm `ssh-ed25519` | copy the whole line of the `.pub` file again",
        ),
        (
            "- ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKK1YKTd5543OJeKREaJQWRoN9HbHXHMBCrHwsDw1Lr+",
            "- |\n        -----BEGIN OPENSSH PRIVATE KEY-----\n        b3Bl",
            "17: `people.alan.keys`: this is a private key | remove it at once, make a new pair (Git keeps this one), and give the `.pub` file's line",
        ),
    ]);
}
