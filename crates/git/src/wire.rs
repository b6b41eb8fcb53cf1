//! Git's own protocol, spoken to servers: over HTTP, and over the system's `ssh`. Version 2, and version 0 where
//! a server knows no other (gitprotocol-v2, gitprotocol-pack, gitprotocol-http).
//!
//! libgit2's transports are not used: nothing but unsafe code can tell them to stop waiting, they list every
//! reference of a repository for each look, and they would bring a second TLS stack.

pub(crate) mod deadline;
pub(crate) mod http;
pub(crate) mod packets;
pub(crate) mod request;
pub(crate) mod server;
pub(crate) mod ssh;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;

use git2::Oid;

use crate::error::GitError;

/// Why a server did not give what was asked. No text here holds a credential.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It refuses the credential, or asks for one.
    Credential(String),
    /// It has no such repository, or does not show it.
    Missing(String),
    /// It cannot prove who it is.
    Identity(String),
    /// It says that the repository is on another host.
    Elsewhere(String),
    /// It cannot be reached, or cannot answer now.
    Busy(String),
    /// It does not have an object that was asked for by its id.
    Unknown(String),
    /// What it says is not Git's protocol, or a part of it that is not spoken here.
    Garbage(String),
    /// It sends more than is taken.
    Excess(String),
    /// What it sent could not be kept here.
    Local(GitError),
}

impl Trouble {
    /// What this means for those who run the installation; `url` holds no secret.
    pub(crate) fn explain(self, url: &str, has_credential: bool) -> GitError {
        match self {
            Self::Credential(text) if has_credential => GitError::Denied(format!(
                "{url}: the server refuses the credential: check that it is valid and may read this repository ({text})"
            )),
            Self::Credential(text) => GitError::Denied(format!(
                "{url}: the server asks for a credential: give the host or the repository a `token` that may read it ({text})"
            )),
            Self::Missing(text) => GitError::Denied(format!(
                "{url}: no repository is there, or the credential may not see it: check the URL ({text})"
            )),
            Self::Identity(text) => GitError::Denied(format!(
                "{url}: the server cannot prove who it is: install its certificate's authority on this machine, or name its key in `ssh.knownHosts` ({text})"
            )),
            Self::Elsewhere(text) => GitError::Final(format!(
                "{url}: the server redirects to another host, which is not followed: give the final URL ({text})"
            )),
            // A reference may have moved between two requests: then the next look is right.
            Self::Busy(text) | Self::Unknown(text) => {
                GitError::Retry(format!("{url}: the server cannot be reached or is busy: {text}"))
            }
            Self::Garbage(text) => GitError::Denied(format!(
                "{url}: what the server sent is no Git repository: {text}: check the URL"
            )),
            Self::Excess(text) => {
                GitError::Final(format!("{url}: {text}: raise the limits, or make the repository smaller"))
            }
            Self::Local(error) => error,
        }
    }
}

/// An object's id: exactly 40 digits, where the library below takes fewer too.
pub(crate) fn object_id(text: &str) -> Option<Oid> {
    Oid::from_str(text).ok().filter(|_| text.len() == 40)
}
