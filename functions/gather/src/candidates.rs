//! Which targets a change can touch: cost follows the change, not the number of targets. Pure.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::configuration::{Configuration, TargetConfiguration};
use countersign_core::names::{FollowedRef, Target};

/// The targets that follow a ref.
pub fn following<'a>(configuration: &'a Configuration, follows: &FollowedRef) -> Vec<TargetConfiguration<'a>> {
    let branch = follows.reference.branch();
    configuration
        .targets()
        .filter(|target| {
            target.application.repository == follows.repository
                && branch == Some(target.placement.branch.as_str())
        })
        .collect()
}

/// The targets whose path is, is above, or is below one of the changed `paths`.
pub fn touched<'a>(
    targets: &[TargetConfiguration<'_>],
    paths: impl Iterator<Item = &'a str>,
) -> BTreeSet<Target> {
    let mut by_path: BTreeMap<&str, Vec<&Target>> = BTreeMap::new();
    for target in targets {
        by_path.entry(target.placement.path.trim_matches('/')).or_default().push(&target.target);
    }
    let mut touched = BTreeSet::new();
    for path in paths {
        for above in std::iter::once("").chain(ancestors(path)) {
            for target in by_path.get(above).into_iter().flatten() {
                touched.insert((*target).clone());
            }
        }
    }
    touched
}

/// `a`, `a/b` and `a/b/c` for `a/b/c`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain(std::iter::once(path.len()));
    ends.filter_map(|end| path.get(..end))
}

#[cfg(test)]
mod tests {
    use super::ancestors;

    #[test]
    fn every_folder_above_a_path_is_an_ancestor() {
        assert_eq!(ancestors("a/b/c").collect::<Vec<_>>(), ["a", "a/b", "a/b/c"]);
        assert_eq!(ancestors("a").collect::<Vec<_>>(), ["a"]);
    }
}
