//! A running `countersign serve`.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The server, and what kills it should this process die without a word.
#[derive(Debug)]
pub struct Server {
    child: Child,
    guard: Child,
}

impl Server {
    /// Starts it, and waits for the line that says that it takes requests.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(log)?;
        let mut child =
            command.stdout(Stdio::piped()).stderr(file).spawn().context("serve cannot be started")?;
        // The guard reads from a pipe that only this process writes to: its end is the end of this process.
        let script = "read _; kill -KILL \"$1\" 2>/dev/null";
        let guard = Command::new("sh")
            .args(["-c", script, "guard", &child.id().to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .context("no shell can be started")?;
        let output = child.stdout.take().context("serve has no stdout")?;
        let started = Self { child, guard };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        match serde_json::from_str::<Value>(&line) {
            Ok(document) if document["listening"].is_string() => Ok(started),
            _ => bail!(
                "serve printed {line:?}; its log:\n{}",
                std::fs::read_to_string(log).unwrap_or_default()
            ),
        }
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop, and waits until it did.
    pub fn stop(mut self, patience: Duration) -> Result<ExitStatus> {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        anyhow::ensure!(asked.success(), "the server cannot be told to stop");
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > patience {
                bail!("the server did not stop within {patience:?}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The guard goes first: it must not kill another process that was given the server's id.
        for child in [&mut self.guard, &mut self.child] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
