//! What could never pass, or would open a hole.

use super::VALID;
use super::mistakes::{assert_table, shown};

#[test]
fn approvals_that_could_never_pass_or_ask_for_nothing() {
    assert_table(&[
        (
            "count: 1, teams: [platform] }",
            "count: 0, teams: [platform] }",
            "5: `control.approvals.count` is 0: no one may change the rules alone | write 1 or more",
        ),
        (
            "count: 1, teams: [platform] }",
            "count: 1 }",
            "5: `control.approvals` names no team: the control repository has no team of its own | add `teams:` with the team that looks after the rules, as `[platform]`",
        ),
        (
            "count: 1, teams: [platform], signed",
            "count: 0, teams: [platform], signed",
            "42: `environments.production.approvals.count` is 0, but teams or signatures are asked for | write 1 or more, or remove `teams` and `signed`",
        ),
        (
            "teams: [platform], signed",
            "teams: [platform, platform], signed",
            "42: `environments.production.approvals.teams` lists `platform` twice | remove one of the two",
        ),
        (
            "shop: { members: [alan] }",
            "shop: { members: [] }",
            "21: team `shop` has no members: what it must approve could never pass | name its members, or remove the team",
        ),
    ]);
}

#[test]
fn branches_and_paths_that_lead_elsewhere() {
    assert_table(&[
        (
            "  branch: main\n  approvals",
            "  branch: refs/heads/main\n  approvals",
            "4: `control.branch` takes a branch's short name, not \"refs/heads/main\" | write `main`",
        ),
        (
            "branch: release/1",
            "branch: release..1",
            "36: `applications.shop.environments.production.branch`: \"release..1\" is not a valid name of a branch | write it as `git branch` shows it, as `main`",
        ),
        (
            "path: deploy/staging",
            "path: ../deploy",
            "31: `applications.shop.environments.staging.path`: \"../deploy\" leaves its folder | write it from the repository's root, without `..`",
        ),
        (
            "path: deploy/staging",
            "path: deploy/../../x",
            "31: `applications.shop.environments.staging.path`: \"deploy/../../x\" leaves its folder | write it from the repository's root, without `..`",
        ),
        (
            "path: deploy/staging",
            "path: /deploy",
            "31: `applications.shop.environments.staging.path`: \"/deploy\" is absolute | write it from the repository's root, as `deploy/staging`",
        ),
        (
            "path: deploy/staging",
            "path: deploy/",
            "31: `applications.shop.environments.staging.path`: \"deploy/\" is not a path | write it as `deploy/staging`, without `./`, `//`, `\\` or a `/` at its end",
        ),
        (
            "path: deploy/staging",
            "path: .",
            "31: `applications.shop.environments.staging.path`: \".\" is not how the root is written | write `\"\"` to mean the whole repository",
        ),
    ]);
}

#[test]
fn namespaces_and_kinds_that_cannot_be() {
    assert_table(&[
        (
            "namespaces: [shop, shop-jobs]",
            "namespaces: []",
            "33: `applications.shop.environments.staging.namespaces` is empty: no object could be applied | name at least one; an object without a namespace takes the first",
        ),
        (
            "namespaces: [shop, shop-jobs]",
            "namespaces: [shop, Shop_Jobs]",
            "33: `applications.shop.environments.staging.namespaces`: \"Shop_Jobs\" is not a valid name of a namespace | use lower-case letters, digits and inner hyphens, at most 63",
        ),
        (
            "namespaces: [shop, shop-jobs]",
            "namespaces: [shop, shop]",
            "33: `applications.shop.environments.staging.namespaces` lists `shop` twice | remove one of the two",
        ),
        (
            "namespaces: [shop, shop-jobs]",
            "namespaces: [countersign-system]",
            "33: `applications.shop.environments.staging.namespaces`: `countersign-system` holds what the application is checked by | choose another namespace",
        ),
        (
            "clusterKinds: [Namespace, ",
            "clusterKinds: [v1/Namespace, ",
            "28: `applications.shop.clusterKinds`: \"v1/Namespace\" is not a group and a kind | write `GROUP/Kind` without a version, or `Kind` for the core group",
        ),
    ]);
}

#[test]
fn clusters_and_hosts_that_cannot_be_reached() {
    assert_table(&[
        (
            "        clusters: [east]\n",
            "",
            "34: `applications.shop.environments.production` runs nowhere: neither it nor its environment names a cluster | add `clusters:` to `environments.production`, or here",
        ),
        (
            "kind: kubernetes, ",
            "kind: simulated, ",
            "45: `clusters.east.kubeconfig` has no meaning for kind `simulated` | remove it, or write `kind: kubernetes`",
        ),
        (
            "uid: local-1",
            "uid: 6f1d3a52-0c7e-4b8e-9a41-2d5c8e7b90f3",
            "44: `clusters.local.uid` is also that of `east` | an authorization for one would be good for the other: give each its own",
        ),
        (
            "uid: local-1",
            "uid: \"\"",
            "44: `clusters.local.uid`: \"\" is not a UID | write what `kubectl get namespace kube-system -o jsonpath={.metadata.uid}` prints",
        ),
        (
            "url: /srv/git",
            "url: \"\"",
            "7: `hosts.local.url` is empty | write the base of the Git URLs there",
        ),
        (
            "url: \"https://github.com\"",
            "url: github.com",
            "8: `hosts.github.url` must begin with `https://`: a forge is reached over HTTP | write the forge's address, as `https://git.example.com`",
        ),
        (
            "url: \"https://github.com\"",
            "url: \"https://bot:hunter2@github.com\"",
            "8: `hosts.github.url` holds a user name or password | remove it, replace it (Git keeps it), and name it by `token: env:NAME`",
        ),
        (
            "github/team/shop: {}",
            "github/team/shop: { url: \"ssh://git@host/x\" }",
            "23: `repositories.github/team/shop` is read over SSH, and no key is named for that | add `ssh` with `key` and `knownHosts` to it, or to its host",
        ),
        (
            "github/team/shop: {}",
            "github/team/shop: { ssh: { key: \"env:KEY\", knownHosts: [\"host\"] } }",
            "23: `repositories.github/team/shop.ssh.knownHosts` must list the server's keys | write each line that `ssh-keyscan HOST` prints, compared with what the host publishes",
        ),
        (
            "webhookSecret: \"env:HOOK\"",
            "webhookSecret: \"env:HOOK\", pollSeconds: 1",
            "7: `hosts.local.pollSeconds` is 1, but must be from 5 to 86400 | remove the line to look every 60 seconds",
        ),
        (
            "github/team/shop: {}",
            "github/team/shop: { url: \"ssh://git:hunter2@host/x\", ssh: { key: \"env:KEY\", knownHosts: [\"host ssh-ed25519 AAAA\"] } }",
            "23: `repositories.github/team/shop.url` holds a user name or password | remove it, replace it (Git keeps it), and name it by `token: env:NAME`",
        ),
        (
            "token: \"env:TOKEN\"",
            "api: ftp://x",
            "8: `hosts.github.api` must begin with `https://` | write the address of the REST interface, or remove the line",
        ),
        (
            "token: \"env:TOKEN\"",
            "token: \"env:TOKEN\", app: { id: 1, installation: 2, privateKey: \"env:KEY\" }",
            "8: `hosts.github` has both `token` and `app` | remove `token`: what is done is done as the App, whose checks can be told from others",
        ),
        (
            "webhookSecret: \"env:HOOK\"",
            "webhookSecret: \"env:HOOK\", app: { id: 1, installation: 2, privateKey: \"env:KEY\" }",
            "7: `hosts.local.app` has no meaning for this kind of host | remove it, or write `kind: github`",
        ),
    ]);
}

#[test]
fn the_name_of_the_control_target_is_reserved() {
    let text = VALID
        .replace("applications:\n  shop:", "applications:\n  control:")
        .replace("  staging: { app", "  control: { app")
        .replace("      staging:", "      control:")
        .replace("  local: { kind: sim", "  control: { kind: sim")
        .replace("clusters: [local]", "clusters: [control]");
    let what = |line, what| {
        format!(
            "{line}: no {what} may be named `control`: the control repository's own target is | choose another name"
        )
    };
    assert_eq!(shown(&text), [what(25, "application"), what(41, "environment"), what(44, "cluster")]);
}
