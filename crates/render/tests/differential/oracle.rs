//! kustomize's own library, in a process that stays.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::files;

/// What a kustomization comes to: its objects in order, or why there are none.
pub type Built = Result<Vec<Value>, String>;

/// The process. It ends when its input does.
pub struct Oracle {
    program: String,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    process: Child,
}

impl Oracle {
    /// Starts the program that `tests/tools/build.sh` builds.
    pub fn start() -> Self {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/build.sh");
        let built =
            Command::new(&tools).args(["--print", "kustomize"]).stderr(Stdio::inherit()).output().unwrap();
        let listing = String::from_utf8(built.stdout).unwrap();
        let program = listing.lines().find_map(|line| line.strip_prefix("kustomize-loop "));
        let program =
            program.unwrap_or_else(|| panic!("{}: no kustomize-loop: it says why above", tools.display()));
        Self::of(program)
    }

    fn of(program: &str) -> Self {
        let mut process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { program: program.to_owned(), input, output, process }
    }

    /// Builds a folder of `files`.
    pub fn build(&mut self, files: &BTreeMap<String, String>, folder: &str) -> Built {
        if files.keys().any(|path| files::is_latin1(path)) {
            return self.build_on_disk(files, folder);
        }
        let files: BTreeMap<String, &String> =
            files.iter().map(|(path, text)| (format!("/{path}"), text)).collect();
        self.ask(&json!({ "files": files, "run": format!("/{folder}") }))
    }

    /// As [`Self::build`], of files that JSON does not hold.
    fn build_on_disk(&self, files: &BTreeMap<String, String>, folder: &str) -> Built {
        let place = tempfile::tempdir().unwrap();
        for (path, bytes) in files::tree(files) {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        self.build_at(&place.path().join(folder))
    }

    /// Builds a folder of the disk. In a process of its own, since a schema that one sets stays set.
    pub fn build_at(&self, folder: &Path) -> Built {
        Self::of(&self.program).ask(&json!({ "run": folder }))
    }

    fn ask(&mut self, request: &Value) -> Built {
        writeln!(self.input, "{request}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let Ok(mut answer) = serde_json::from_str::<Value>(&line) else {
            return Err("kustomize ended, or what it made is too deep to be read".to_owned());
        };
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(serde_json::from_value(answer["objects"].take()).unwrap()),
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}
