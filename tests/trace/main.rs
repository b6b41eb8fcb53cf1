//! What each stage really puts out for one push, as files in `samples/trace`. `make trace` writes them again.
//!
//! Everything is fixed: keys, times, authors, names. So a file changes only when the program, or one of the
//! starter rules, does. The test is a program of its own since it works in a folder of its own: repositories
//! are named by relative paths, so that no path of a machine is part of what is hashed.

mod installation;
mod people;
mod push;
mod stages;

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Set it to write the files again.
const UPDATE: &str = "UPDATE_TRACE";

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[tokio::test]
async fn every_stage_puts_out_what_the_samples_show() {
    let folder = tempfile::tempdir().unwrap();
    let files = push::trace(&project().canonicalize().unwrap(), folder.path()).await;
    let committed = project().join("samples/trace");
    let mut others = Vec::new();
    for (name, text) in &files {
        let path = committed.join(name);
        if env::var_os(UPDATE).is_some() {
            fs::write(&path, text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        if found != *text {
            others.push(format!("{name}: {}", first_difference(&found, text)));
        }
    }
    let listed =
        fs::read_dir(&committed).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let unknown: Vec<_> = listed.filter(|name| name != "README.md" && !files.contains_key(name)).collect();
    assert!(unknown.is_empty(), "no stage puts out {unknown:?} of samples/trace: remove them");
    let readme = fs::read_to_string(committed.join("README.md")).unwrap();
    let unexplained: Vec<_> = files.keys().filter(|name| !readme.contains(name.as_str())).collect();
    assert!(unexplained.is_empty(), "samples/trace/README.md explains nothing of {unexplained:?}");
    assert!(
        others.is_empty(),
        "the stages put out something else than samples/trace shows; look at it, and write it with `make trace`:\n{}",
        others.join("\n")
    );
}

fn first_difference(old: &str, new: &str) -> String {
    let at = old.lines().zip(new.lines()).position(|(old, new)| old != new);
    let at = at.unwrap_or_else(|| old.lines().count().min(new.lines().count()));
    let line =
        |text: &str| text.lines().nth(at).unwrap_or("(ends)").trim().chars().take(120).collect::<String>();
    format!("line {}: was {:?}, is {:?}", at + 1, line(old), line(new))
}
