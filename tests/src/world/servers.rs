//! Groups of servers that cannot outlive the process that started them.
//!
//! A shell supervises each group and reads from a pipe that only this process writes to. When the
//! pipe ends (on drop, on exit with undropped statics, on SIGKILL), the shell kills the servers
//! with all their children, and removes their folder.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

#[cfg(test)]
mod tests;

/// How many lines of a server's log an error shows.
const TAIL: usize = 25;

/// Servers that share a temporary folder and an end.
#[derive(Debug)]
pub struct ServerGroup {
    supervisor: Child,
    folder: PathBuf,
    names: Vec<String>,
}

impl ServerGroup {
    /// An empty group, in a new temporary folder whose name holds `label`.
    ///
    /// # Errors
    /// When no shell can be started or no temporary folder be made.
    pub fn new(label: &str) -> Result<Self> {
        let mut supervisor = Command::new("sh")
            .args(["-c", include_str!("servers/supervise.sh"), "countersign-supervisor", label])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A Ctrl-C goes to a terminal's foreground group: the supervisor must survive it.
            .process_group(0)
            .spawn()
            .context("cannot start \"sh\" to supervise servers: is it on PATH?")?;
        let output = supervisor.stdout.take().context("the supervisor has no stdout")?;
        let mut folder = String::new();
        BufReader::new(output).read_line(&mut folder).context("cannot read from the supervisor")?;
        let folder = PathBuf::from(folder.trim_end_matches('\n'));
        if !folder.is_absolute() {
            bail!(
                "the supervisor made no temporary folder: is TMPDIR (or /tmp) an absolute path that is writable?"
            );
        }
        Ok(Self { supervisor, folder, names: Vec::new() })
    }

    /// The group's temporary folder, the working directory of its servers.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a server. Its output goes to `NAME.log` in the folder, which is also its `HOME`.
    ///
    /// # Errors
    /// When an argument holds a line break, or the supervisor is gone.
    pub fn start(&mut self, name: &str, program: &Path, arguments: &[&str]) -> Result<()> {
        let program = program
            .to_str()
            .with_context(|| format!("the path of {name} is not UTF-8: {}", program.display()))?;
        let words = [name, program].into_iter().chain(arguments.iter().copied());
        let line = words.fold(String::from("start"), |line, word| line + " " + &quoted(word));
        if line.contains('\n') {
            bail!("an argument of {name} holds a line break, which the supervisor cannot read: {line}");
        }
        let stdin = self.supervisor.stdin.as_mut().context("the supervisor has no stdin")?;
        writeln!(stdin, "{line}")
            .with_context(|| format!("cannot start {name}: its supervisor has ended"))?;
        self.names.push(name.to_owned());
        Ok(())
    }

    /// Fails when a server of the group has ended, and shows the end of its log.
    ///
    /// # Errors
    /// Names the first server that has ended.
    pub fn check(&self) -> Result<()> {
        for name in &self.names {
            if let Ok(status) = fs::read_to_string(self.folder.join(format!("{name}.exit"))) {
                bail!(
                    "{name} ended with status {}; the end of its log:\n{}",
                    status.trim(),
                    self.log_tail(name)
                );
            }
        }
        Ok(())
    }

    /// The last lines of a server's log.
    #[must_use]
    pub fn log_tail(&self, name: &str) -> String {
        let log = fs::read(self.folder.join(format!("{name}.log"))).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// The last lines of every server's log, each under the server's name.
    #[must_use]
    pub fn log_tails(&self) -> String {
        let tails = self.names.iter().map(|name| format!("--- {name}\n{}", self.log_tail(name)));
        tails.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for ServerGroup {
    fn drop(&mut self) {
        // The end of the pipe is the order to kill everything; waiting makes the ports free again.
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// `word` as the shell reads it back unchanged.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
