//! Signing with a person's own key: here where that can be done, else by `ssh-keygen`, which asks for a
//! passphrase, uses the agent, and knows security keys.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, anyhow, bail};
use countersign_core::statement::NAMESPACE;
use countersign_provenance::sshsig::{self, SignError};

use super::clone::WorkingClone;

/// The most bytes of a key's file.
const MAX_KEY: u64 = 64 * 1024;

/// The key to sign with: the one that is named, or the one that Git is told to sign with.
///
/// # Errors
/// When there is none.
pub fn find(named: Option<&Path>, clone: Option<&WorkingClone>) -> anyhow::Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let own = clone.and_then(|clone| clone.path_setting("countersign.key"));
    let of_git = || {
        let clone = clone.filter(|clone| clone.setting("gpg.format").as_deref() == Some("ssh"))?;
        clone.path_setting("user.signingKey").filter(|path| path.is_file())
    };
    own.or_else(of_git).ok_or_else(|| {
        anyhow!(
            "no key to sign with: give --key ~/.ssh/id_ed25519, or set it once: \
             git config --global countersign.key ~/.ssh/id_ed25519"
        )
    })
}

/// Signs `payload`; gives the armored signature and the fingerprint of the key that made it.
///
/// # Errors
/// When the key cannot be read or does not sign.
pub fn sign(key: &Path, payload: &str) -> anyhow::Result<(String, String)> {
    let place = key.display();
    let failed = || format!("{place}: the key cannot be read");
    let size = fs::metadata(key).with_context(failed)?.len();
    anyhow::ensure!(
        size <= MAX_KEY,
        "{place}: {size} bytes are no SSH key: give the file that ssh-keygen wrote"
    );
    let text = fs::read_to_string(key).with_context(failed)?;
    let armored = if text.contains("PRIVATE KEY-----") {
        match sshsig::sign(&text, NAMESPACE, payload.as_bytes()) {
            Ok(armored) => armored,
            Err(SignError::Encrypted | SignError::Unsupported(_)) => by_ssh_keygen(key, payload)?,
            // Older forms of private keys are read by ssh-keygen alone.
            Err(SignError::NotAKey(_)) if !text.contains("OPENSSH PRIVATE KEY") => {
                by_ssh_keygen(key, payload)?
            }
            Err(error) => return Err(anyhow!(error).context(format!("{place}"))),
        }
    } else if sshsig::fingerprint(&text).is_ok() {
        by_ssh_keygen(key, payload)?
    } else {
        bail!("{place}: not an SSH key: give the file that ssh-keygen wrote, as ~/.ssh/id_ed25519");
    };
    let signer =
        sshsig::verify(NAMESPACE, payload.as_bytes(), &armored).with_context(|| format!("{place}"))?;
    Ok((armored, signer))
}

fn by_ssh_keygen(key: &Path, payload: &str) -> anyhow::Result<String> {
    let place = key.display();
    let mut child = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| {
            format!("{place}: ssh-keygen, which this key needs, cannot be run: install OpenSSH")
        })?;
    if let Some(mut input) = child.stdin.take() {
        // If it ended early, its own message says why, and its exit status is looked at below.
        let _ = input.write_all(payload.as_bytes());
    }
    let output = child.wait_with_output().context("ssh-keygen")?;
    if !output.status.success() {
        bail!(
            "{place}: ssh-keygen did not sign ({}): is the key in the agent, or the passphrase right?",
            output.status
        );
    }
    String::from_utf8(output.stdout).context("ssh-keygen printed no text")
}
