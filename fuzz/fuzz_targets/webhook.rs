//! Webhooks of every kind of host: the first byte chooses the host, the second the event.
#![no_main]

use countersign_core::configuration::HostKind;
use countersign_core::time::Timestamp;
use countersign_forge::headers::Headers;
use countersign_forge::webhook;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [host, event, body @ ..] = bytes else { return };
    let kinds = [HostKind::Plain, HostKind::Github, HostKind::Gitea, HostKind::Gitlab];
    let names = ["push", "pull_request", "pull_request_review", "create", "delete", "ping"];
    let hooks = ["Push Hook", "Tag Push Hook", "Merge Request Hook", "Note Hook", "Push Hook", "Push Hook"];
    let name = names[usize::from(*event) % names.len()];
    let hook = hooks[usize::from(*event) % hooks.len()];
    let headers: Headers =
        [("X-GitHub-Event", name), ("X-Gitea-Event", name), ("X-Gitlab-Event", hook)].into_iter().collect();
    let name = "host".parse().expect("a valid name");
    let kind = kinds[usize::from(*host) % kinds.len()];
    let _ = webhook::parse(kind, &name, &headers, body, Timestamp::default());
});
