use countersign_core::names::CommitId;

use super::*;
use crate::explain::tests::lines;
use crate::testing::Place;

/// A small generator of numbers below `limit`: the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Changes some files: a line, a new file, a deletion, a move.
fn changed(files: &BTreeMap<String, String>, dice: &mut Dice) -> BTreeMap<String, String> {
    let mut files = files.clone();
    for _ in 0..=dice.roll(3) {
        let names: Vec<_> = files.keys().cloned().collect();
        let Some(name) = names.get(dice.roll(names.len().max(1))) else { break };
        let new = format!("{}/{}", ["deploy", "deploy/a", "x"][dice.roll(3)], dice.roll(4));
        match dice.roll(6) {
            0 => drop(files.remove(name)),
            1 => drop(files.insert(new, lines(Some((dice.roll(30), "new"))))),
            2 => {
                let text = files.remove(name).unwrap();
                files.insert(new, text);
            }
            _ => {
                let line = format!("line {}\n", dice.roll(30));
                let text = files[name].replace(&line, &format!("{line}and {}\n", dice.roll(2)));
                files.insert(name.clone(), text);
            }
        }
    }
    files
}

#[test]
fn a_merge_is_the_one_that_git_makes() {
    if !crate::testing::has_git() {
        return;
    }
    let place = Place::new();
    let commit = |parents: &[&CommitId], files: &BTreeMap<String, String>| {
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        place.commit(parents, &files)
    };
    let start: BTreeMap<_, _> =
        ["deploy/0", "deploy/a/0", "x/0", "x/1"].map(|name| (name.to_owned(), lines(None) + name)).into();
    let base = commit(&[], &start);
    let mut dice = Dice(7);
    let (mut clean, mut conflicts, mut unmerged) = (0, 0, 0);
    for round in 0..200 {
        let (ours, theirs) = (changed(&start, &mut dice), changed(&start, &mut dice));
        let (ours, theirs) = (commit(&[&base], &ours), commit(&[&base], &theirs));
        let git = std::process::Command::new("git")
            .args(["-c", "merge.directoryRenames=false", "merge-tree", "--write-tree", "--no-messages"])
            .args([ours.as_str(), theirs.as_str()])
            .current_dir(place.folder.path())
            .output()
            .unwrap();
        let wanted = String::from_utf8(git.stdout).unwrap().trim().to_owned();
        let repository = place.open();
        let merger = Merger::new(&repository);
        let id = |commit: &CommitId| repository.find(commit).unwrap();
        let (base, ours, theirs) = (id(&base), id(&ours), id(&theirs));
        let merged = merger.merge(&[base], ours, theirs).unwrap();
        let merged = merged.filter(|clean| merger.confirms(clean, &[base], ours, theirs).unwrap());
        match (git.status.success(), merged) {
            (true, Some(clean_merge)) => {
                assert_eq!(clean_merge.tree.to_string(), wanted, "round {round}");
                clean += 1;
            }
            (true, None) => unmerged += 1,
            (false, None) => conflicts += 1,
            (false, Some(other)) => {
                panic!("round {round}: Git finds a conflict, and here it is {}", other.tree)
            }
        }
    }
    println!("{clean} clean, {conflicts} conflicts, {unmerged} that only Git merges");
    assert!(clean > 60 && conflicts > 20 && unmerged < 10, "{clean} {conflicts} {unmerged}");
}
