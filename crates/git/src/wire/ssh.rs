//! Git's protocol over SSH, by the system's `ssh`: its host key checks, algorithms and security updates are those
//! that the machine's owner already trusts, and it can be ended at any time, which libssh2 inside libgit2 cannot.
//!
//! Nothing of the machine takes part: no configuration file, agent, forwarding, or other known hosts. Only the
//! key that is given is offered, and only to a server whose key is among the known hosts that are given.

use std::fs;
use std::io::{BufReader, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::Trouble;
use crate::error::GitError;

/// The most bytes of what `ssh` complains about that are kept.
const MAX_COMPLAINT: u64 = 16 * 1024;

/// Where a repository is.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    user: &'a str,
    host: &'a str,
    port: u16,
    path: &'a str,
}

/// A session with `git-upload-pack` on a server.
pub(crate) struct Ssh {
    child: Arc<Mutex<Child>>,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    complaint: Option<JoinHandle<String>>,
    files: PathBuf,
}

/// Ends a session from another thread.
pub(crate) struct Ender(Arc<Mutex<Child>>);

impl Ender {
    /// Ends it now.
    pub(crate) fn end(&self) {
        // It may have ended by itself.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }
}

impl Ssh {
    /// Starts a session. `files` is a folder for the key, which is removed with the session; what a killed
    /// process left there is removed first. Nobody else may use it meanwhile.
    pub(crate) fn start(url: &str, key: &str, known_hosts: &str, files: PathBuf) -> Result<Self, Trouble> {
        let place = place(url)?;
        let kept = write_files(&files, key, known_hosts);
        kept.map_err(|error| {
            let _ = fs::remove_dir_all(&files);
            Trouble::Local(GitError::Retry(format!("{}: cannot be written: {error}", files.display())))
        })?;
        let spawned = command(&place, &files).spawn();
        let mut child = spawned.map_err(|error| {
            let _ = fs::remove_dir_all(&files);
            Trouble::Local(GitError::Retry(format!(
                "ssh cannot be started: {error}: install OpenSSH's client on this machine"
            )))
        })?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(output), Some(mut errors)) = (output, errors) else {
            return Err(Trouble::Busy("ssh has no output".to_owned()));
        };
        let complaint = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = errors.by_ref().take(MAX_COMPLAINT).read_to_end(&mut text);
            let _ = std::io::copy(&mut errors, &mut std::io::sink());
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Self {
            child: Arc::new(Mutex::new(child)),
            input,
            output: BufReader::new(output),
            complaint: Some(complaint),
            files,
        })
    }

    /// What ends this session from another thread.
    pub(crate) fn ender(&self) -> Ender {
        Ender(Arc::clone(&self.child))
    }

    /// What the server says.
    pub(crate) fn output(&mut self) -> &mut impl Read {
        &mut self.output
    }

    /// Tells the server something.
    pub(crate) fn say(&mut self, request: &[u8]) -> Result<(), Trouble> {
        let said = self.input.as_mut().map(|input| input.write_all(request).and_then(|()| input.flush()));
        match said {
            Some(Err(error)) => Err(Trouble::Busy(error.to_string())),
            _ => Ok(()),
        }
    }

    /// Why a session broke off, by what `ssh` complained about.
    pub(crate) fn blame(&mut self, trouble: Trouble) -> Trouble {
        if !matches!(trouble, Trouble::Busy(_)) {
            return trouble;
        }
        self.end();
        let complaint = self.complaint.take().and_then(|thread| thread.join().ok());
        match complaint.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) {
            Some(text) => blamed(&text),
            None => trouble,
        }
    }

    fn end(&mut self) {
        self.input = None;
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        self.end();
        let _ = fs::remove_dir_all(&self.files);
    }
}

fn write_files(files: &Path, key: &str, known_hosts: &str) -> std::io::Result<()> {
    let _ = fs::remove_dir_all(files);
    fs::DirBuilder::new().mode(0o700).recursive(true).create(files)?;
    for (name, content) in [("key", key), ("known_hosts", known_hosts)] {
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(files.join(name))?;
        // A key without its last newline is none to ssh.
        file.write_all(content.trim_end().as_bytes())?;
        file.write_all(b"\n")?;
    }
    Ok(())
}

fn command(place: &Place<'_>, files: &Path) -> Command {
    let option = |name: &str, value: &dyn std::fmt::Display| format!("-o{name}={value}");
    let mut command = Command::new("ssh");
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("LC_ALL", "C")
        .env("GIT_PROTOCOL", "version=2")
        .args(["-F", "none", "-T", "-a", "-x"])
        .arg(option("BatchMode", &"yes"))
        .arg(option("StrictHostKeyChecking", &"yes"))
        .arg(option("UserKnownHostsFile", &format!("\"{}\"", files.join("known_hosts").display())))
        .arg(option("GlobalKnownHostsFile", &"/dev/null"))
        .arg(option("UpdateHostKeys", &"no"))
        .arg(option("IdentityFile", &format!("\"{}\"", files.join("key").display())))
        .arg(option("IdentitiesOnly", &"yes"))
        .arg(option("IdentityAgent", &"none"))
        .arg(option("PreferredAuthentications", &"publickey"))
        .arg(option("ClearAllForwardings", &"yes"))
        .arg(option("ControlPath", &"none"))
        .arg(option("ConnectTimeout", &10))
        .arg(option("ServerAliveInterval", &10))
        .arg(option("ServerAliveCountMax", &3))
        .arg(option("SendEnv", &"GIT_PROTOCOL"))
        .args(["-p", &place.port.to_string(), "-l", place.user, "--", place.host])
        .arg(format!("git-upload-pack '{}'", place.path.replace('\'', "'\\''")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The parts of `ssh://user@host:port/path`. A path that begins with `~` is a home on the server.
fn place(url: &str) -> Result<Place<'_>, Trouble> {
    let parts = || {
        let (authority, path) = url.strip_prefix("ssh://")?.split_once('/')?;
        let (user, server) = authority.rsplit_once('@').unwrap_or(("git", authority));
        let (host, port) = match server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, 22),
            Some((host, port)) => (host, port.strip_prefix(':')?.parse().ok()?),
            None => match server.split_once(':') {
                Some((host, port)) => (host, port.parse().ok()?),
                None => (server, 22),
            },
        };
        let path = url.get(url.len() - path.len() - 1..).filter(|_| !path.starts_with('~')).unwrap_or(path);
        let word = |text: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-:%".contains(c))
        };
        let plain = !path.chars().any(char::is_control) && path.len() > 1;
        (word(user) && !user.contains(':') && word(host) && plain).then_some(Place { user, host, port, path })
    };
    parts().ok_or_else(|| Trouble::Missing("not of the form ssh://git@host/path".to_owned()))
}

fn blamed(complaint: &str) -> Trouble {
    let text: String =
        complaint.lines().rev().take(3).collect::<Vec<_>>().join("; ").chars().take(300).collect();
    let says = |words: &[&str]| words.iter().any(|words| complaint.contains(words));
    if says(&["Host key verification failed", "HOST IDENTIFICATION", "host key is known"]) {
        Trouble::Identity(text)
    } else if says(&["Permission denied", "invalid format", "error in libcrypto"]) {
        Trouble::Credential(text)
    } else if says(&["not found", "not appear to be a git", "does not exist"]) {
        Trouble::Missing(text)
    } else {
        Trouble::Busy(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_address_are_found() {
        let parts = |url| place(url).ok().map(|place| (place.user, place.host, place.port, place.path));
        assert_eq!(parts("ssh://host/team/shop.git"), Some(("git", "host", 22, "/team/shop.git")));
        assert_eq!(parts("ssh://me@host:2222/~/shop"), Some(("me", "host", 2222, "~/shop")));
        assert_eq!(parts("ssh://me@[::1]:23/shop"), Some(("me", "::1", 23, "/shop")));
        for wrong in
            ["ssh://host", "ssh://-oProxyCommand=x/a", "ssh://-l@host/a", "ssh://a b/c", "ssh://host:x/a"]
        {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn complaints_say_whose_fault_it_is() {
        assert!(matches!(blamed("Host key verification failed."), Trouble::Identity(_)));
        assert!(matches!(blamed("git@host: Permission denied (publickey)."), Trouble::Credential(_)));
        assert!(matches!(blamed("fatal: '/x' does not appear to be a git repository"), Trouble::Missing(_)));
        assert!(matches!(blamed("ssh: connect to host x port 22: Connection refused"), Trouble::Busy(_)));
    }

    #[test]
    fn files_of_a_session_are_private_and_go_with_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("ssh");
        write_files(&files, "left by a killed process", "x").unwrap();
        let session = Ssh::start("ssh://127.0.0.1:1/x", "key", "hosts", files.clone()).unwrap();
        assert_eq!(fs::read_to_string(files.join("key")).unwrap(), "key\n");
        assert_eq!(fs::metadata(&files).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(files.join("key")).unwrap().permissions().mode() & 0o777, 0o600);
        drop(session);
        assert!(!files.exists());
    }
}
