//! Random histories, and the same questions to a part of them and to all.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use countersign_core::facts::Relation;
use countersign_core::names::CommitId;
use proptest::prelude::*;

use super::{World, cut};
use crate::error::GitError;
use crate::merged::Merge;
use crate::repository::Repository;

/// One commit: its parents, counted from the newest, and the file that it changes.
#[derive(Clone, Debug)]
struct Step {
    parent: usize,
    merged: Option<usize>,
    file: u8,
}

fn step() -> impl Strategy<Value = Step> {
    // Mostly the newest, so that lines are long; sometimes older ones, so that they part and cross.
    let parent = || prop_oneof![6 => 0..2_usize, 2 => 0..12_usize];
    (parent(), proptest::option::weighted(0.3, 0..16_usize), 0..5_u8)
        .prop_map(|(parent, merged, file)| Step { parent, merged, file })
}

/// Makes the commits of a history, and references to the newest and some others. Those that references lead to.
fn build(world: &World, steps: &[Step], named: &[usize]) -> Vec<CommitId> {
    let mut made: Vec<(CommitId, [u32; 5])> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let back = |count: usize| made.get(made.len().checked_sub(count + 1)?);
        let parent = back(step.parent).or(made.first());
        let merged = step.merged.and_then(back).filter(|merged| parent.map(|(id, _)| id) != Some(&merged.0));
        let mut files = parent.map_or([0; 5], |(_, files)| *files);
        for (file, theirs) in files.iter_mut().zip(merged.map_or([0; 5], |(_, files)| *files)) {
            *file = theirs.max(*file);
        }
        if merged.is_none() || step.file == 0 {
            files[usize::from(step.file)] = u32::try_from(at + 1).unwrap();
        }
        let contents = files.map(|file| format!("{file}\n"));
        let names = ["deploy/a", "deploy/b", "c", "d/e", "d/f"];
        let all: Vec<_> = names.into_iter().zip(contents.iter().map(String::as_str)).collect();
        let parents: Vec<_> = parent.into_iter().chain(merged).map(|(id, _)| id).collect();
        made.push((world.origin.commit(&parents, &all), files));
    }
    let made: Vec<_> = made.into_iter().map(|(id, _)| id).collect();
    world.origin.point("refs/heads/main", made.last().unwrap());
    for (at, back) in named.iter().enumerate() {
        let commit = made.len().checked_sub(back + 1).map_or(&made[0], |at| &made[at]);
        world.origin.point(&format!("refs/{}/{at}", if at % 2 == 0 { "heads" } else { "tags" }), commit);
    }
    let all = world.origin.open();
    made.into_iter().filter(|commit| all.is_on_reference(commit).unwrap()).collect()
}

fn told<T: std::fmt::Debug>(answer: Result<T, GitError>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(GitError::Gone(commit)) => format!("gone: {commit}"),
        Err(GitError::Final(_)) => "refused".to_owned(),
        Err(error) => panic!("{error}"),
    }
}

fn merge(repository: &Repository, ours: &CommitId, theirs: &CommitId) -> Result<String, GitError> {
    Ok(match repository.merged(ours, theirs)? {
        Merge::Clean(merged) => {
            format!("{} {:?}", merged.tree_id()?, merged.changed_files(ours, &[])?)
        }
        Merge::Conflict(paths) => format!("{paths:?}"),
    })
}

/// The answer of a repository to one of all questions.
fn answer(repository: &Repository, question: usize, (one, other): (&CommitId, &CommitId)) -> String {
    let deploy = ["deploy".to_owned()];
    match question % 9 {
        0 => told(repository.range(Some(one), other, &deploy, 1000)),
        1 => told(repository.descends(other, one)),
        2 => told(repository.proposed(other, std::slice::from_ref(one), 1000)),
        3 => told(merge(repository, one, other)),
        4 => told(repository.is_on_reference(one)),
        5 => told(repository.changed_files(Some(one), other, &deploy)),
        6 => told(repository.commit(one)),
        7 => told(repository.range(Some(one), other, &[], 3)),
        _ => {
            let range = repository.range(Some(one), other, &deploy, 1000).unwrap();
            let parents = range.commits.iter().flat_map(|commit| &commit.parents);
            let heads: Vec<_> = parents.chain([one, other]).cloned().collect();
            told(repository.explain(&range, &heads))
        }
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Makes these the only files below a folder.
fn restore(folder: &Path, kept: &BTreeMap<PathBuf, Vec<u8>>) {
    for path in files(folder).keys().filter(|path| !kept.contains_key(*path)) {
        fs::remove_file(path).unwrap();
    }
    for (path, bytes) in kept {
        let _ = fs::remove_file(path);
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_part_of_a_random_history_gives_the_answers_of_all_of_it() {
    let [cut_off, descended, explained] = [(); 3].map(|()| Cell::new(0));
    let count = |counter: &Cell<usize>, counts: bool| counter.set(counter.get() + usize::from(counts));
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let strategy = (
        proptest::collection::vec(step(), 20..90),
        proptest::collection::vec(0..60_usize, 0..6),
        proptest::collection::vec(
            (1..9_usize, prop_oneof![3 => 1..12_usize, 1 => 1..60_usize], 0..6_usize),
            5,
        ),
        prop_oneof![3 => Just("good"), 1 => Just("old")],
    );
    let ran = runner.run(&strategy, |(steps, named, questions, mode)| {
        let Some(world) = super::world() else { return Ok(()) };
        let made = build(&world, &steps, &named);
        let whole = world.origin.open();
        drop(world.fetch(mode).unwrap());
        let cold = files(world.kept.path());
        let back = |count: usize| &made[made.len().saturating_sub(count + 1)];
        for (at, (question, older, newer)) in questions.into_iter().enumerate() {
            let (one, other) = (back(newer + older), back(newer));
            // These two are asked about every history.
            let question = [0, 8].get(at).copied().unwrap_or(question);
            // Each question to a mirror that has little, so that none is helped by what another brought.
            restore(world.kept.path(), &cold);
            let found = world.fetch(mode).unwrap();
            let wanted = answer(&whole, question, (one, other));
            prop_assert_eq!(answer(&found, question, (one, other)), wanted.clone(), "question {}", question);
            count(&cut_off, !cut(&found).is_empty());
            count(&descended, wanted.contains(&format!("{:?}", Relation::Descends)));
            count(&explained, wanted.contains("Explanation"));
        }
        Ok(())
    });
    if let Err(failed) = ran {
        panic!("{failed}");
    }
    if crate::testing::has_git() {
        let counted = [cut_off, descended, explained].map(Cell::into_inner);
        println!("{counted:?} from a part, of a way, explained");
        assert!(
            counted[0] > 8 && counted[1] > 3 && counted[2] > 0,
            "{counted:?}: the questions ask too little"
        );
    }
}
