use super::*;
use crate::testing::{Files, Place};

const PATHS: [&str; 1] = ["deploy"];

/// A file of some lines, with one of them changed.
pub(super) fn lines(changed: Option<(usize, &str)>) -> String {
    (0..30)
        .map(|at| match changed {
            Some((line, text)) if line == at => format!("{text}\n"),
            _ => format!("line {at}\n"),
        })
        .collect()
}

/// A place whose first commit has a file of thirty lines, and that commit.
fn place() -> (Place, CommitId) {
    let place = Place::new();
    let start = place.commit(&[], &[("deploy/web.yaml", &lines(None)), ("other/a", "a")]);
    (place, start)
}

/// What explains the way from `from` to `to`, as (after, to, head).
fn explain(
    place: &Place,
    from: &CommitId,
    to: &CommitId,
    heads: &[&CommitId],
) -> Vec<(CommitId, CommitId, CommitId)> {
    let repository = place.open();
    let range = repository.range(Some(from), to, &PATHS.map(str::to_owned), 100).unwrap();
    let heads: Vec<_> = heads.iter().map(|head| (*head).clone()).collect();
    let before = place.snapshot();
    let found = repository.explain(&range, &heads).unwrap();
    assert!(place.snapshot() == before, "explaining wrote to the repository");
    found.into_iter().map(|found| (found.after, found.to, found.head)).collect()
}

fn run(after: &CommitId, to: &CommitId, head: &CommitId) -> (CommitId, CommitId, CommitId) {
    (after.clone(), to.clone(), head.clone())
}

fn web(text: &str) -> [(&str, &str); 2] {
    [("deploy/web.yaml", text), ("other/a", "a")]
}

#[test]
fn a_merge_commit_is_explained_by_what_it_merges() {
    let (place, start) = place();
    let head = place.commit(&[&start], &web(&lines(Some((3, "three")))));
    let main = place.commit(&[&start], &[("deploy/web.yaml", &lines(None)), ("other/a", "b")]);
    let merge =
        place.commit(&[&main, &head], &[("deploy/web.yaml", &lines(Some((3, "three")))), ("other/a", "b")]);
    let found = explain(&place, &start, &merge, &[&head]);
    assert_eq!(found, [run(&main, &merge, &head)]);
}

#[test]
fn lines_of_one_file_that_both_sides_changed_are_merged() {
    let (place, start) = place();
    let head = place.commit(&[&start], &web(&lines(Some((3, "three")))));
    let main = place.commit(&[&start], &web(&lines(Some((20, "twenty")))));
    let both = lines(Some((3, "three"))).replace("line 20\n", "twenty\n");
    let merge = place.commit(&[&main, &head], &web(&both));
    let squash = place.commit(&[&main], &web(&both));
    let evil = place.commit(&[&main, &head], &web(&both.replace("line 9\n", "nine\n")));
    assert_eq!(explain(&place, &main, &merge, &[&head]), [run(&main, &merge, &head)]);
    assert_eq!(explain(&place, &main, &squash, &[&head]), [run(&main, &squash, &head)]);
    assert_eq!(explain(&place, &main, &evil, &[&head]), [], "edited by hand on the way");
}

#[test]
fn a_conflict_explains_nothing_however_it_was_resolved() {
    let (place, start) = place();
    let head = place.commit(&[&start], &web(&lines(Some((3, "three")))));
    let main = place.commit(&[&start], &web(&lines(Some((3, "drei")))));
    for resolved in ["three", "drei", "both"] {
        let merge = place.commit(&[&main, &head], &web(&lines(Some((3, resolved)))));
        assert_eq!(explain(&place, &main, &merge, &[&head]), [], "{resolved}");
    }
}

#[test]
fn a_squash_and_a_rebase_are_explained() {
    let (place, start) = place();
    let one = place.commit(&[&start], &web(&lines(Some((3, "three")))));
    let final_text = lines(Some((3, "three"))).replace("line 9\n", "nine\n");
    let head = place.commit(&[&one], &web(&final_text));
    let with = |text: &str| -> Vec<(String, String)> {
        vec![("deploy/web.yaml".to_owned(), text.to_owned()), ("other/a".to_owned(), "b".to_owned())]
    };
    let commit = |parents: &[&CommitId], files: &[(String, String)]| {
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        place.commit(parents, &files)
    };
    let main = commit(&[&start], &with(&lines(None)));
    let squash = commit(&[&main], &with(&final_text));
    assert_eq!(explain(&place, &start, &squash, &[&head]), [run(&main, &squash, &head)]);
    let first = commit(&[&main], &with(&lines(Some((3, "three")))));
    let second = commit(&[&first], &with(&final_text));
    let found = explain(&place, &start, &second, &[&head]);
    assert_eq!(found, [run(&main, &second, &head), run(&first, &second, &head)]);
}

#[test]
fn a_fast_forward_is_explained_from_every_commit_on_the_way() {
    let (place, start) = place();
    let one = place.commit(&[&start], &web("1"));
    let two = place.commit(&[&one], &web("2"));
    let found = explain(&place, &start, &two, &[&two]);
    assert_eq!(found, [run(&start, &two, &two), run(&one, &two, &two)]);
    assert_eq!(explain(&place, &start, &two, &[&one]), [run(&start, &one, &one)]);
}

#[test]
fn a_head_explains_no_commit_that_it_was_built_upon() {
    let (place, start) = place();
    let pushed = place.commit(&[&start], &web(&lines(Some((3, "three")))));
    let nothing_more = place.commit(&[&pushed], &web(&lines(Some((3, "three")))));
    assert_eq!(explain(&place, &start, &pushed, &[&nothing_more]), []);
    let all = explain(&place, &start, &nothing_more, &[&nothing_more]);
    assert_eq!(all, [run(&start, &nothing_more, &nothing_more)], "but itself, with all that it stands on");
}

#[test]
fn an_unreviewed_commit_does_not_ride_along() {
    let (place, start) = place();
    let head = place.commit(&[&start], &web(&lines(Some((3, "three")))));
    let denied = place.commit(&[&start], &web(&lines(Some((20, "evil")))));
    let both = lines(Some((3, "three"))).replace("line 20\n", "evil\n");
    let merge = place.commit(&[&denied, &head], &web(&both));
    let found = explain(&place, &start, &merge, &[&head]);
    assert_eq!(found, [run(&denied, &merge, &head)], "the run does not reach back over the denied commit");
    let after = place.commit(&[&merge], &web(&both.replace("line 9\n", "nine\n")));
    assert_eq!(explain(&place, &start, &after, &[&head]), [run(&denied, &merge, &head)]);
}

#[test]
fn a_head_that_is_contained_already_explains_nothing() {
    let (place, start) = place();
    let head = place.commit(&[&start], &web("1"));
    let merge = place.commit(&[&start, &head], &web("1"));
    let bad = place.commit(&[&merge], &web("bad"));
    let revert = place.commit(&[&bad], &web("1"));
    assert_eq!(explain(&place, &merge, &revert, &[&head]), []);
    assert_eq!(
        explain(&place, &start, &revert, &[&head, &head]).len(),
        2,
        "the merge, and back to the same tree"
    );
    let gone = "1".repeat(40).parse().unwrap();
    assert_eq!(explain(&place, &merge, &revert, &[&gone]), []);
    assert_eq!(explain(&place, &merge, &revert, &[&revert]).len(), 2, "approved as it stands");
}

#[test]
fn renames_on_one_side_are_followed() {
    let (place, start) = place();
    let head = place.commit(&[&start], &web(&lines(Some((3, "three")))));
    let main = place.commit(&[&start], &[("deploy/site.yaml", &lines(None)), ("other/a", "a")]);
    let moved = lines(Some((3, "three")));
    let merge = place.commit(&[&main, &head], &[("deploy/site.yaml", &moved), ("other/a", "a")]);
    assert_eq!(explain(&place, &main, &merge, &[&head]), [run(&main, &merge, &head)]);
    let back = place.commit(&[&main, &head], &[("deploy/web.yaml", &moved), ("other/a", "a")]);
    assert_eq!(explain(&place, &main, &back, &[&head]), []);
}

#[test]
fn crossed_histories_are_merged_as_git_does() {
    let (place, start) = place();
    let a = place.commit(&[&start], &web(&lines(Some((3, "three")))));
    let b = place.commit(&[&start], &web(&lines(Some((20, "twenty")))));
    let both = lines(Some((3, "three"))).replace("line 20\n", "twenty\n");
    let main = place.commit(&[&a, &b], &web(&both));
    let side = place.commit(&[&b, &a], &web(&both));
    let head = place.commit(&[&side], &web(&both.replace("line 9\n", "nine\n")));
    let merge = place.commit(&[&main, &head], &web(&both.replace("line 9\n", "nine\n")));
    assert_eq!(explain(&place, &main, &merge, &[&head]), [run(&main, &merge, &head)]);
}

#[test]
fn histories_without_a_common_commit_explain_nothing() {
    let (place, start) = place();
    let head = place.commit(&[], &web("stranger"));
    let merge = place.commit(&[&start, &head], &web("stranger"));
    assert_eq!(explain(&place, &start, &merge, &[&head]), []);
}

#[test]
fn modes_links_and_deletions_are_merged_and_binaries_are_not() {
    let merged = |base: Files<'_>, ours: Files<'_>, theirs: Files<'_>, result: Files<'_>| {
        let place = Place::new();
        let start = place.commit(&[], base);
        let main = place.commit(&[&start], ours);
        let head = place.commit(&[&start], theirs);
        let merge = place.commit(&[&main, &head], result);
        !explain(&place, &main, &merge, &[&head]).is_empty()
    };
    let (x, y) = (("deploy/x", "x"), ("deploy/y", "y"));
    assert!(
        merged(&[x], &[("deploy/x*", "x")], &[("deploy/x", "z")], &[("deploy/x*", "z")]),
        "mode and content"
    );
    assert!(merged(&[x, y], &[x, y, ("n", "n")], &[x], &[x, ("n", "n")]), "a deletion");
    assert!(
        merged(&[x, y], &[x], &[("deploy/x", "z"), y], &[("deploy/x", "z")]),
        "a deletion beside a change"
    );
    assert!(!merged(&[x, y], &[x], &[x, ("deploy/y", "z")], &[x, ("deploy/y", "z")]), "deleted and changed");
    assert!(!merged(&[x], &[x, y], &[x, ("deploy/y", "z")], &[x, ("deploy/y", "z")]), "added twice");
    assert!(
        merged(&[x], &[x, ("n", "n")], &[("deploy/x@", "y")], &[("deploy/x@", "y"), ("n", "n")]),
        "a link"
    );
    let links = [("deploy/x@", "1"), ("deploy/x@", "2"), ("deploy/x@", "3")];
    assert!(!merged(&links[..1], &links[1..2], &links[2..], &links[2..]), "a link that both changed");
    let binary = |text: &str| format!("\0\n1\n2\n3\n4\n5\n6\n{text}\n");
    let (base, theirs, ours) = (binary("a"), binary("b"), binary("a").replace('1', "x"));
    let result = theirs.replace('1', "x");
    assert!(!merged(
        &[("deploy/x", &base)],
        &[("deploy/x", &ours)],
        &[("deploy/x", &theirs)],
        &[("deploy/x", &result)]
    ));
}

#[test]
fn a_merged_folder_sorts_as_git_sorts() {
    let place = Place::new();
    let names = [("deploy/a.b", "1"), ("deploy/a/c", "1"), ("deploy/a0", "1"), ("deploy/z", "1")];
    let start = place.commit(&[], &names);
    let main = place.commit(&[&start], &[names[0], names[1], ("deploy/a0", "2"), names[3]]);
    let head = place.commit(&[&start], &[names[0], ("deploy/a/c", "2"), names[2], ("deploy/a/d", "1")]);
    let result = [names[0], ("deploy/a/c", "2"), ("deploy/a0", "2"), ("deploy/a/d", "1")];
    let merge = place.commit(&[&main, &head], &result);
    assert_eq!(explain(&place, &main, &merge, &[&head]).len(), 1);
}

#[test]
fn where_the_range_is_one_commit_only_that_commit_explains_itself() {
    let (place, start) = place();
    let tip = place.commit(&[&start], &web("1"));
    let other = place.commit(&[&start], &web("2"));
    let repository = place.open();
    let paths = PATHS.map(str::to_owned);
    for range in [
        repository.range(None, &tip, &paths, 10).unwrap(),
        repository.range(Some(&other), &tip, &paths, 10).unwrap(),
    ] {
        assert_eq!(repository.explain(&range, &[start.clone(), other.clone()]).unwrap(), []);
        let found = repository.explain(&range, &[other.clone(), tip.clone()]).unwrap();
        assert_eq!(found, [Explanation { after: tip.clone(), to: tip.clone(), head: tip.clone() }]);
    }
}

#[test]
fn large_files_that_both_sides_changed_are_not_merged() {
    let place = Place::new();
    let text = |first: &str, last: &str| format!("{first}\n{}{last}\n", "x\n".repeat(3 * 1024 * 1024));
    let start = place.commit(&[], &[("deploy/x", &text("a", "a"))]);
    let main = place.commit(&[&start], &[("deploy/x", &text("b", "a"))]);
    let head = place.commit(&[&start], &[("deploy/x", &text("a", "b"))]);
    let merge = place.commit(&[&main, &head], &[("deploy/x", &text("b", "b"))]);
    assert_eq!(explain(&place, &main, &merge, &[&head]), []);
}

#[test]
fn many_heads_over_a_long_way_are_affordable() {
    let (place, start) = place();
    let mut main = start.clone();
    let mut heads = Vec::new();
    for at in 0..60 {
        let own = (format!("deploy/{at}"), at.to_string());
        let mut files =
            vec![("deploy/web.yaml".to_owned(), lines(None)), ("other/a".to_owned(), "a".to_owned())];
        files.push(own.clone());
        let owned: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        heads.push(place.commit(&[&start], &owned));
        let mut all: Vec<_> = (0..=at).map(|at| (format!("deploy/{at}"), at.to_string())).collect();
        all.extend(files.drain(..2));
        let owned: Vec<_> = all.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        main = place.commit(&[&main], &owned);
    }
    let found = explain(&place, &start, &main, &heads.iter().collect::<Vec<_>>());
    assert_eq!(found.len(), heads.len(), "each squash by its own head, and nothing else");
}
