//! kustomize's own library, in a process that stays.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// What a kustomization comes to: its objects in order, or why there are none.
pub type Built = Result<Vec<Value>, String>;

/// The process. It ends when its input does.
pub struct Oracle {
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
        let mut process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { input, output, process }
    }

    /// Builds a folder of `files`.
    pub fn build(&mut self, files: &BTreeMap<String, String>, folder: &str) -> Built {
        let files: BTreeMap<String, &String> =
            files.iter().map(|(path, text)| (format!("/{path}"), text)).collect();
        let request = json!({ "files": files, "run": format!("/{folder}") });
        writeln!(self.input, "{request}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).unwrap();
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
