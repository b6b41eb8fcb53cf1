use super::*;
use crate::testing::Place;

fn paths() -> [String; 1] {
    ["deploy".to_owned()]
}

fn ids(range: &Range) -> Vec<CommitId> {
    range.commits.iter().map(|commit| commit.id.clone()).collect()
}

#[test]
fn what_was_never_authorized_is_its_tip() {
    let place = Place::new();
    let tip = place.commit(&[&place.commit(&[], &[("deploy/a", "1")])], &[("deploy/a", "2")]);
    let range = place.open().range(None, &tip, &paths(), 10).unwrap();
    assert_eq!(
        (range.relation, ids(&range), range.altering),
        (Relation::Initial, vec![tip.clone()], vec![tip])
    );
}

#[test]
fn commits_that_alter_the_inputs_are_told_from_the_rest() {
    let place = Place::new();
    let start = place.commit(&[], &[("deploy/a", "1"), ("x", "1")]);
    let two = place.commit(&[&start], &[("deploy/a", "1"), ("x", "2")]);
    let three = place.commit(&[&two], &[("deploy/a", "2"), ("x", "2")]);
    let four = place.commit(&[&three], &[("deploy/a", "1"), ("x", "2")]);
    let repository = place.open();
    let range = repository.range(Some(&start), &four, &paths(), 10).unwrap();
    assert_eq!(range.relation, Relation::Descends);
    assert_eq!(ids(&range), [two.clone(), three.clone(), four.clone()]);
    assert_eq!(range.altering, [three, four.clone()], "there and back is two changes");
    for to in [&start, &two] {
        let range = repository.range(Some(&start), to, &paths(), 10).unwrap();
        assert_eq!((range.relation, range.altering), (Relation::Same, vec![]));
    }
    let both = ["deploy".to_owned(), "x".to_owned()];
    assert_eq!(repository.range(Some(&start), &two, &both, 10).unwrap().altering, [two]);
}

#[test]
fn without_a_path_everything_is_an_input() {
    let place = Place::new();
    let start = place.commit(&[], &[("a", "1")]);
    let next = place.commit(&[&start], &[("a", "1"), ("b/c", "1")]);
    let range = place.open().range(Some(&start), &next, &[], 10).unwrap();
    assert_eq!((range.relation, range.altering), (Relation::Descends, vec![next]));
}

#[test]
fn a_file_that_becomes_a_link_or_executable_alters() {
    let place = Place::new();
    let start = place.commit(&[], &[("deploy/a", "b")]);
    for changed in ["deploy/a@", "deploy/a*"] {
        let next = place.commit(&[&start], &[(changed, "b")]);
        for path in ["deploy", "deploy/a", ""] {
            let range = place.open().range(Some(&start), &next, &[path.to_owned()], 10).unwrap();
            assert_eq!(range.altering, std::slice::from_ref(&next), "{changed} at {path:?}");
        }
    }
}

#[test]
fn a_rewind_a_force_push_and_a_lost_start_diverge() {
    let place = Place::new();
    let start = place.commit(&[], &[("deploy/a", "1")]);
    let next = place.commit(&[&start], &[("deploy/a", "2")]);
    let forced = place.commit(&[&start], &[("deploy/a", "3")]);
    let same = place.commit(&[&start], &[("deploy/a", "2"), ("x", "x")]);
    let repository = place.open();
    let relation = |from, to| {
        let range = repository.range(Some(from), to, &paths(), 10).unwrap();
        (range.relation, ids(&range), range.altering)
    };
    assert_eq!(relation(&next, &start), (Relation::Diverges, vec![start.clone()], vec![start.clone()]));
    assert_eq!(relation(&next, &forced), (Relation::Diverges, vec![forced.clone()], vec![forced.clone()]));
    assert_eq!(relation(&next, &same), (Relation::Diverges, vec![same.clone()], vec![]));
    let lost = "1".repeat(40).parse().unwrap();
    assert_eq!(relation(&lost, &next), (Relation::Diverges, vec![next.clone()], vec![next.clone()]));
    assert_eq!(repository.range(Some(&start), &lost, &paths(), 10), Err(GitError::Gone(lost)));
}

#[test]
fn a_start_that_was_merged_from_the_side_counts_if_its_inputs_are_those_of_the_path() {
    let place = Place::new();
    let root = place.commit(&[], &[("deploy/a", "1")]);
    let quiet = place.commit(&[&root], &[("deploy/a", "1"), ("x", "x")]);
    let loud = place.commit(&[&root], &[("deploy/a", "2")]);
    let main = place.commit(&[&root], &[("deploy/a", "1"), ("y", "y")]);
    let after_quiet = place.commit(&[&main, &quiet], &[("deploy/a", "3")]);
    let after_loud = place.commit(&[&main, &loud], &[("deploy/a", "2"), ("y", "y")]);
    let repository = place.open();
    let range = repository.range(Some(&quiet), &after_quiet, &paths(), 10).unwrap();
    assert_eq!((range.relation, ids(&range)), (Relation::Descends, vec![main.clone(), after_quiet.clone()]));
    assert_eq!(range.altering, [after_quiet]);
    let range = repository.range(Some(&loud), &after_loud, &paths(), 10).unwrap();
    assert_eq!((range.relation, range.altering), (Relation::Diverges, vec![]));
}

#[test]
fn a_start_from_unrelated_history_diverges() {
    let place = Place::new();
    let stranger = place.commit(&[], &[("deploy/a", "1")]);
    let root = place.commit(&[], &[("deploy/a", "1")]);
    let merge = place.commit(&[&root, &stranger], &[("deploy/a", "1")]);
    let range = place.open().range(Some(&stranger), &merge, &paths(), 10).unwrap();
    assert_eq!((range.relation, range.altering), (Relation::Diverges, vec![]));
}

#[test]
fn a_long_way_that_alters_nothing_leads_to_a_short_range() {
    let place = Place::new();
    let start = place.commit(&[], &[("deploy/a", "1"), ("x", "start")]);
    let mut tip = start.clone();
    for at in 0..60 {
        tip = place.commit(&[&tip], &[("deploy/a", "1"), ("x", &at.to_string())]);
    }
    let change = place.commit(&[&tip], &[("deploy/a", "2")]);
    let repository = place.open();
    let range = repository.range(Some(&start), &change, &paths(), 25).unwrap();
    assert_eq!((range.commits.len(), range.altering), (LEAD + 1, vec![change.clone()]));
    let mut far = change.clone();
    for at in 0..30 {
        far = place.commit(&[&far], &[("deploy/a", "2"), ("x", &at.to_string())]);
    }
    let error = repository.range(Some(&start), &far, &paths(), 25).unwrap_err().to_string();
    assert!(error.contains("at most 25") && error.contains("baseline"), "{error}");
}
