//! Places: hosts, repositories, clusters.

use std::collections::BTreeMap;

use countersign_core::configuration::{ClusterKind, Configuration, Host, HostKind, Ssh};
use countersign_core::git_access::GitAccess;

use super::Checker;
use crate::yaml::shorten;

/// Looks for missed pushes are so many seconds apart.
const POLL_SECONDS: std::ops::RangeInclusive<u32> = 5..=86_400;

/// A UID may have this many bytes.
const MAX_UID: usize = 64;

pub fn hosts(checker: &mut Checker<'_>, configuration: &Configuration) {
    for (name, host) in &configuration.hosts {
        let path = ["hosts", name.as_str(), "url"];
        let web = |url: &str| url.starts_with("https://") || url.starts_with("http://");
        refuse_credentials(checker, &path, &host.url);
        if host.url.trim().is_empty() {
            checker.report(
                &path,
                format!("`{}` is empty", path.join(".")),
                "write the base of the Git URLs there",
            );
        } else if host.kind != HostKind::Plain && !web(&host.url) {
            let message =
                format!("`{}` must begin with `https://`: a forge is reached over HTTP", path.join("."));
            checker.report(&path, message, "write the forge's address, as `https://git.example.com`");
        }
        if let Some(ssh) = &host.ssh {
            known_hosts(checker, &["hosts", name.as_str(), "ssh", "knownHosts"], ssh);
        }
        if let Some(seconds) = host.poll_seconds.filter(|seconds| !POLL_SECONDS.contains(seconds)) {
            let path = ["hosts", name.as_str(), "pollSeconds"];
            let (least, most) = (POLL_SECONDS.start(), POLL_SECONDS.end());
            let message = format!("`{}` is {seconds}, but must be from {least} to {most}", path.join("."));
            checker.report(&path, message, "remove the line to look every 60 seconds");
        }
        if let Some(api) = &host.api {
            let path = ["hosts", name.as_str(), "api"];
            refuse_credentials(checker, &path, api);
            if !web(api) {
                let message = format!("`{}` must begin with `https://`", path.join("."));
                checker.report(&path, message, "write the address of the REST interface, or remove the line");
            }
        }
        if host.app.is_some() {
            app(checker, name.as_str(), host);
        }
    }
}

/// A GitHub App speaks for itself, and only on GitHub.
fn app(checker: &mut Checker<'_>, name: &str, host: &Host) {
    let path = ["hosts", name, "app"];
    if host.kind != HostKind::Github {
        let message = format!("`{}` has no meaning for this kind of host", path.join("."));
        checker.report(&path, message, "remove it, or write `kind: github`");
    } else if host.token.is_some() {
        let message = format!("`hosts.{name}` has both `token` and `app`");
        checker.report(
            &path,
            message,
            "remove `token`: what is done is done as the App, whose checks can be told from others",
        );
    }
}

pub fn repositories(checker: &mut Checker<'_>, configuration: &Configuration) {
    for (id, repository) in &configuration.repositories {
        let name = id.to_string();
        checker.resolve(&["repositories", &name], "hosts", "host", id.host.as_str());
        if let Some(url) = &repository.url {
            refuse_credentials(checker, &["repositories", &name, "url"], url);
        }
        if let Some(ssh) = &repository.ssh {
            known_hosts(checker, &["repositories", &name, "ssh", "knownHosts"], ssh);
        }
        let over_ssh = configuration.git_url(id).is_some_and(|url| url.starts_with("ssh://"));
        if over_ssh && GitAccess::of(configuration, id).is_none() {
            let message = format!("`repositories.{name}` is read over SSH, and no key is named for that");
            let help = "add `ssh` with `key` and `knownHosts` to it, or to its host";
            checker.report(&["repositories", &name], message, help);
        }
    }
}

/// Whoever answers in a server's place could show any commits, so that a key is always asked for.
fn known_hosts(checker: &mut Checker<'_>, path: &[&str], ssh: &Ssh) {
    let is_line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let key = words
            .iter()
            .any(|word| word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-"));
        !line.contains(['\n', '\r']) && words.len() >= 3 && key
    };
    if ssh.known_hosts.is_empty() || !ssh.known_hosts.iter().all(|line| is_line(line)) {
        let message = format!("`{}` must list the server's keys", path.join("."));
        let help = "write each line that `ssh-keyscan HOST` prints, compared with what the host publishes";
        checker.report(path, message, help);
    }
}

/// A password in a URL would be a secret in Git, and be shown in every log that names the URL.
fn refuse_credentials(checker: &mut Checker<'_>, path: &[&str], url: &str) {
    let authority = url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
    let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    let over_http = url.starts_with("http");
    if user.is_some_and(|user| over_http || user.contains(':')) {
        let message = format!("`{}` holds a user name or password", path.join("."));
        checker.report(
            path,
            message,
            "remove it, replace it (Git keeps it), and name it by `token: env:NAME`",
        );
    }
}

pub fn clusters(checker: &mut Checker<'_>, configuration: &Configuration) {
    let mut uids: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, cluster) in &configuration.clusters {
        let name = name.as_str();
        checker.refuse_reserved("clusters", "cluster", name);
        let uid = cluster.uid.as_str();
        let is_uid = !uid.is_empty()
            && uid.len() <= MAX_UID
            && uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_uid {
            let message = format!("`clusters.{name}.uid`: {:?} is not a UID", shorten(uid));
            let help = "write what `kubectl get namespace kube-system -o jsonpath={.metadata.uid}` prints";
            checker.report(&["clusters", name, "uid"], message, help);
        } else if let Some(other) = uids.insert(uid, name) {
            let message = format!("`clusters.{name}.uid` is also that of `{other}`");
            let help = "an authorization for one would be good for the other: give each its own";
            checker.report(&["clusters", name, "uid"], message, help);
        }
        // In the cloud a cluster's functions are told where it is by its stack, and no kubeconfig exists.
        if cluster.kind == ClusterKind::Simulated && cluster.kubeconfig.is_some() {
            let message = format!("`clusters.{name}.kubeconfig` has no meaning for kind `simulated`");
            let help = "remove it, or write `kind: kubernetes`";
            checker.report(&["clusters", name, "kubeconfig"], message, help);
        }
    }
}
