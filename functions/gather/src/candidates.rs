//! Which targets a change can touch: cost follows the change, not the number of targets. Pure.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::configuration::index::Followers;
use countersign_core::names::Target;

/// The paths that targets were rendered from when they were last looked at, for those that read more than what is
/// at their own path.
pub type Inputs = BTreeMap<String, BTreeSet<String>>;

/// The targets one of whose inputs is one of the changed `paths`, or a folder above one. A target that is not in
/// `inputs` is rendered from its own path.
pub fn touched<'a>(
    followers: &Followers,
    inputs: &Inputs,
    paths: impl Iterator<Item = &'a str>,
) -> BTreeSet<Target> {
    let folders: BTreeSet<&str> = paths.flat_map(|path| std::iter::once("").chain(ancestors(path))).collect();
    let own = folders.iter().flat_map(|folder| followers.at_path(folder));
    let mut touched: BTreeSet<_> =
        own.filter(|target| !inputs.contains_key(&target.to_string())).cloned().collect();
    let reads = |read: &BTreeSet<String>| read.iter().any(|path| folders.contains(path.as_str()));
    let names = inputs.iter().filter(|(_, read)| reads(read)).map(|(name, _)| name);
    touched.extend(names.filter_map(|name| name.parse().ok()));
    touched
}

/// `a`, `a/b` and `a/b/c` for `a/b/c`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain(std::iter::once(path.len()));
    ends.filter_map(|end| path.get(..end))
}

#[cfg(test)]
mod tests {
    use countersign_core::configuration::Configuration;
    use countersign_core::configuration::index::Index;
    use countersign_core::names::FollowedRef;
    use serde_json::json;

    use super::*;

    /// Targets `a`, `b` and so on, one for each path.
    fn configuration(paths: &[&str]) -> Configuration {
        let applications = paths.iter().zip('a'..).map(|(path, name)| {
            let placement = json!({"path": path, "branch": "main", "namespaces": ["n"]});
            let application =
                json!({"team": "t", "repository": "local/shop", "environments": {"production": placement}});
            (name.to_string(), application)
        });
        serde_json::from_value(json!({
            "version": 1,
            "control": {"repository": "local/control", "branch": "main", "approvals": {"count": 1}},
            "hosts": {},
            "applications": applications.collect::<serde_json::Map<_, _>>(),
            "environments": {"production": {"approvals": {"count": 1}, "clusters": ["east"]}},
            "clusters": {"east": {"kind": "simulated", "uid": "u"}},
        }))
        .unwrap()
    }

    fn touched_of(targets: &[&str], changed: &[&str]) -> String {
        touched_with(&Inputs::new(), targets, changed)
    }

    fn touched_with(inputs: &Inputs, targets: &[&str], changed: &[&str]) -> String {
        let configuration = configuration(targets);
        let index = Index::new(&configuration);
        let repository = "local/shop".parse().unwrap();
        let follows = FollowedRef { repository, reference: "refs/heads/main".parse().unwrap() };
        let followers = index.following(&follows).unwrap();
        let touched = touched(followers, inputs, changed.iter().copied());
        touched.iter().map(|target| target.application.as_str()).collect()
    }

    #[test]
    fn a_change_touches_the_targets_that_read_it_wherever_it_is() {
        let targets = ["overlays/east", "overlays/west"];
        let configuration = configuration(&targets);
        let east = configuration.targets().next().unwrap().target.to_string();
        let read = ["base/kustomization.yaml", "base/web.yaml", "overlays/east/kustomization.yaml"];
        let inputs = Inputs::from([(east, read.map(str::to_owned).into())]);
        assert_eq!(touched_with(&inputs, &targets, &["base/web.yaml"]), "a");
        assert_eq!(touched_with(&inputs, &targets, &["base/README.md"]), "");
        assert_eq!(touched_with(&inputs, &targets, &["overlays/east/kustomization.yaml"]), "a");
        assert_eq!(touched_with(&inputs, &targets, &["overlays/west/x.yaml"]), "b");
    }

    #[test]
    fn a_change_touches_the_targets_at_and_above_it() {
        let targets = ["deploy", "deploy/web", "deploy/web.yaml", "other", "deploy/we"];
        assert_eq!(touched_of(&targets, &["deploy/web/a.yaml"]), "ab");
        assert_eq!(touched_of(&targets, &["deploy/web.yaml"]), "ac");
        assert_eq!(touched_of(&targets, &["README.md"]), "");
        assert_eq!(touched_of(&["/deploy/", ""], &["deploy/a", "deploy/b"]), "ab");
    }

    #[test]
    fn every_folder_above_a_path_is_an_ancestor() {
        assert_eq!(ancestors("a/b/c").collect::<Vec<_>>(), ["a", "a/b", "a/b/c"]);
        assert_eq!(ancestors("a").collect::<Vec<_>>(), ["a"]);
    }
}
