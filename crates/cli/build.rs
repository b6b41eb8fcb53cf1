//! Writes the list of the files that `countersign init` embeds: the starter rules and the samples.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Each constant, and the folder whose files it lists, from the project's root.
const LISTS: [(&str, &str); 3] =
    [("POLICIES", "policies"), ("CONTROL", "samples/control"), ("APPLICATION", "samples/application")];

/// The kinds of file that are embedded.
const KINDS: [&str; 4] = ["rego", "yaml", "json", "md"];

fn main() -> io::Result<()> {
    let root = variable("CARGO_MANIFEST_DIR")?.join("../..").canonicalize()?;
    let mut source = String::new();
    for (name, folder) in LISTS {
        let base = root.join(folder);
        println!("cargo:rerun-if-changed={}", base.display());
        let mut files = Vec::new();
        if base.is_dir() {
            collect(&base, &mut files)?;
        }
        files.sort();
        source += &format!(
            "/// The files of `{folder}`, by their path in it.\npub const {name}: &[(&str, &str)] = &[\n"
        );
        for file in files {
            let path = file.strip_prefix(&base).map_err(io::Error::other)?;
            source += &format!("    ({:?}, include_str!({file:?})),\n", path.to_string_lossy());
        }
        source += "];\n";
    }
    fs::write(variable("OUT_DIR")?.join("embedded.rs"), source)
}

fn variable(name: &str) -> io::Result<PathBuf> {
    env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(format!("Cargo sets no {name}")))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|kind| KINDS.iter().any(|known| kind == *known)) {
            files.push(path);
        }
    }
    Ok(())
}
