//! One fetch into one mirror.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use git2::{
    AutotagOption, Cred, ErrorClass, ErrorCode, FetchOptions, FetchPrune, Progress, RemoteCallbacks,
    RemoteRedirect,
};

use super::{Limits, Source, packs, without_secret};
use crate::error::GitError;

/// What is mirrored of every repository. What the source no longer has goes here too.
const MIRRORED: [&str; 3] = [
    "+refs/heads/*:refs/heads/*",
    "+refs/tags/*:refs/tags/*",
    "+refs/countersign/statements/*:refs/countersign/statements/*",
];

/// Brings the mirror to where its source is.
pub(super) fn fetch(
    mirror: &Path,
    source: &Source,
    limits: Limits,
    stop: &AtomicBool,
) -> Result<(), GitError> {
    let repository = open(mirror)?;
    packs::tidy(&repository, mirror)?;
    transfer(&repository, source, &MIRRORED.map(str::to_owned), FetchPrune::On, limits, stop)?;
    for reference in &source.also {
        // Each on its own: one that the server no longer has must not keep the others away.
        let spec = [format!("+{reference}:{reference}")];
        let fetched = transfer(&repository, source, &spec, FetchPrune::Off, limits, stop);
        if let Err(GitError::Retry(text)) = fetched {
            return Err(GitError::Retry(text));
        }
    }
    Ok(())
}

/// The mirror's repository. One that is broken is made anew: it holds nothing that its source has not.
fn open(mirror: &Path) -> Result<git2::Repository, GitError> {
    let failed = |error: &git2::Error| GitError::while_doing(mirror.display(), error);
    match git2::Repository::open_bare(mirror) {
        Ok(repository) => Ok(repository),
        Err(error) if error.class() == ErrorClass::Os && mirror.exists() => Err(failed(&error)),
        Err(_) => {
            let _ = fs::remove_dir_all(mirror);
            git2::Repository::init_bare(mirror).map_err(|error| failed(&error))
        }
    }
}

fn transfer(
    repository: &git2::Repository,
    source: &Source,
    specs: &[String],
    prune: FetchPrune,
    limits: Limits,
    stop: &AtomicBool,
) -> Result<(), GitError> {
    let url = without_secret(&source.url);
    let stopped = RefCell::new(None);
    let asked = RefCell::new(false);
    let mut callbacks = RemoteCallbacks::new();
    callbacks.transfer_progress(|progress| {
        let reason = excess(&progress, limits, &url, stop);
        let go_on = reason.is_none();
        *stopped.borrow_mut() = reason;
        go_on
    });
    callbacks.sideband_progress(|_| !stop.load(Ordering::Relaxed));
    callbacks.credentials(|_, _, _| match &source.credential {
        Some(credential) if !asked.replace(true) => {
            Cred::userpass_plaintext(&credential.user, &credential.secret)
        }
        _ => Err(git2::Error::new(ErrorCode::Auth, ErrorClass::Http, "the server refuses the credential")),
    });
    let mut options = FetchOptions::new();
    options
        .remote_callbacks(callbacks)
        .prune(prune)
        .download_tags(AutotagOption::None)
        .update_fetchhead(false)
        .follow_redirects(RemoteRedirect::None);
    let fetched = repository
        .remote_anonymous(&source.url)
        .and_then(|mut remote| remote.fetch(specs, Some(&mut options), None));
    drop(options);
    match (fetched, stopped.into_inner()) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(reason)) => Err(reason),
        (Err(_), None) if stop.load(Ordering::Relaxed) => {
            Err(GitError::Retry(format!("{url}: the fetch took too long: it is tried again later")))
        }
        (Err(error), None) => Err(explain(&url, source, &error)),
    }
}

/// Why a fetch must not go on, if it must not.
fn excess(progress: &Progress<'_>, limits: Limits, url: &str, stop: &AtomicBool) -> Option<GitError> {
    let (bytes, objects) = (progress.received_bytes() as u64, progress.total_objects());
    if stop.load(Ordering::Relaxed) {
        return Some(GitError::Retry(format!("{url}: the fetch took too long: it is tried again later")));
    }
    (bytes > limits.bytes || objects > limits.objects).then(|| {
        GitError::Final(format!(
            "{url}: the fetch brings {objects} objects and more than {bytes} bytes, at most {} and {} are taken: raise the limits, or make the repository smaller",
            limits.objects, limits.bytes
        ))
    })
}

/// What a failed fetch means for those who run this.
fn explain(url: &str, source: &Source, error: &git2::Error) -> GitError {
    let text = error.message();
    let status = |code: &str| text.contains(&format!("status code: {code}"));
    if error.code() == ErrorCode::Auth || status("401") || status("403") {
        let what = if source.credential.is_some() {
            "refuses the credential: check the host's `token`, and that it may read this repository"
        } else {
            "asks for a credential: give the host a `token` that may read this repository"
        };
        return GitError::Final(format!("{url}: the server {what} ({text})"));
    }
    if status("404") || status("410") || text.contains("remote repository not found") {
        return GitError::Final(format!(
            "{url}: no repository is there, or the host's `token` may not see it: check the URL ({text})"
        ));
    }
    if error.code() == ErrorCode::Certificate || error.class() == ErrorClass::Ssl {
        return GitError::Final(format!(
            "{url}: the server's certificate is not trusted: install its authority on this machine ({text})"
        ));
    }
    if text.contains("redirect") {
        return GitError::Final(format!(
            "{url}: the server redirects to another host, which is not followed: give the final URL ({text})"
        ));
    }
    let garbage = text.contains("packet") || text.contains("content-type");
    let passing = matches!(error.class(), ErrorClass::Net | ErrorClass::Os | ErrorClass::NoMemory)
        || matches!(error.code(), ErrorCode::Eof | ErrorCode::Timeout | ErrorCode::Locked)
        || text.contains("status code: 5")
        || status("429");
    if passing && !garbage {
        return GitError::Retry(format!("{url}: the server cannot be reached or is busy: {text}"));
    }
    GitError::Final(format!("{url}: what the server sent is no Git repository: {text}: check the URL"))
}
