//! Reading over SSH from a real server: Gitea's own, which is another implementation than the client's.

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail, ensure};
use countersign_core::ports::forge::GitCredential;
use countersign_git::error::GitError;
use countersign_git::mirror::{GiveUp, Limits, Repositories, Source};
use countersign_tests::installation::STAGING;
use countersign_tests::world::gitea::pull_request::Style;
use countersign_tests::world::gitea::{Gitea, ssh_key};

use super::forge::{Forge, SHOP};

/// A repository with one commit that a key may read.
struct Reader {
    gitea: Gitea,
    folder: tempfile::TempDir,
    key: String,
    commit: String,
}

impl Reader {
    fn new() -> Result<Self> {
        let gitea = Gitea::start()?;
        gitea.organization("acme")?;
        gitea.repository("acme", "shop")?;
        let folder = tempfile::tempdir()?;
        let (key, public) = ssh_key(folder.path(), "reader")?;
        gitea.deploy_key(SHOP, &public)?;
        let file = serde_json::json!({ "content": "aGVsbG8=", "message": "Say hello", "branch": "main" });
        let made = gitea.administrator().post(&format!("/repos/{SHOP}/contents/hello.txt"), &file)?;
        let commit = made["commit"]["sha"].as_str().unwrap_or_default().to_owned();
        Ok(Self { gitea, folder, key, commit })
    }

    /// Where the repository is, for whoever has `key` and knows the server by `known_hosts`.
    fn source(&self, key: &str, known_hosts: String) -> Source {
        let credential = GitCredential::Ssh { key: key.to_owned(), known_hosts };
        Source { url: self.gitea.ssh_url(SHOP), credential: Some(credential), also: Vec::new() }
    }

    /// Asks where `main` leads, and fetches; the tip, or why not.
    fn read(&self, source: &Source, patience: u32) -> Result<String, GitError> {
        let asked = AtomicU32::new(0);
        let give_up: GiveUp = Arc::new(move || asked.fetch_add(1, Ordering::Relaxed) >= patience);
        let repositories = Repositories::new(self.folder.path().join("mirrors"));
        let id = "gitea/acme/shop".parse().map_err(|_| GitError::Final("a name".to_owned()))?;
        let tips = repositories.tips(&id, source, &["refs/heads/".to_owned()], &give_up)?;
        let fetched = repositories.fetch(&id, source, &Limits::default(), &give_up)?;
        let main = "refs/heads/main".parse().map_err(|_| GitError::Final("a name".to_owned()))?;
        let tip = fetched.tip(&main)?.map(|tip| tip.to_string()).unwrap_or_default();
        if tips.get("refs/heads/main") == Some(&tip) {
            Ok(tip)
        } else {
            Err(GitError::Final(format!("{tips:?}")))
        }
    }
}

#[test]
fn a_known_server_is_read_and_any_other_is_refused() -> Result<()> {
    let reader = Reader::new()?;
    let known = reader.gitea.known_host(None);
    let tip = reader.read(&reader.source(&reader.key, known.clone()), u32::MAX)?;
    ensure!(tip == reader.commit, "{tip}");

    let (stranger, other) = ssh_key(reader.folder.path(), "stranger")?;
    let why = |source: &Source| match reader.read(source, u32::MAX) {
        Ok(tip) => format!("it is read: {tip}"),
        Err(error) => format!("{error:?}"),
    };
    // Another key than the known one, and no key at all: whoever answers there cannot prove who it is.
    for known_hosts in [reader.gitea.known_host(Some(&other)), format!("elsewhere {other}")] {
        let refused = why(&reader.source(&reader.key, known_hosts));
        ensure!(refused.contains("Denied") && refused.contains("cannot prove who it is"), "{refused}");
    }
    let refused = why(&reader.source(&stranger, known.clone()));
    ensure!(refused.contains("Denied") && refused.contains("refuses the credential"), "{refused}");
    let garbage = why(&reader.source("no key", known));
    ensure!(garbage.contains("Denied") && garbage.contains("refuses the credential"), "{garbage}");
    let left = std::fs::read_dir(reader.folder.path().join("mirrors"))?.flatten().map(|entry| entry.path());
    ensure!(left.into_iter().all(|path| path.extension().is_none_or(|one| one != "ssh")), "a key stays");
    Ok(())
}

#[test]
fn a_server_that_says_nothing_is_given_up() -> Result<()> {
    let reader = Reader::new()?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let port = silent.local_addr()?.port();
    // It takes connections, and never greets; each ends with its client.
    std::thread::spawn(move || {
        for mut connection in silent.incoming().flatten() {
            std::thread::spawn(move || connection.read_to_end(&mut Vec::new()));
        }
    });
    let mut source = reader.source(&reader.key, reader.gitea.known_host(None));
    source.url = format!("ssh://git@127.0.0.1:{port}/acme/shop.git");
    match reader.read(&source, 5) {
        Err(GitError::Retry(why)) => ensure!(why.contains("stopped answering"), "{why}"),
        other => bail!("{other:?}"),
    }
    Ok(())
}

#[test]
fn an_application_is_deployed_from_what_is_read_over_ssh() -> Result<()> {
    let forge = Forge::start()?;
    let folder = forge.installation.folder();
    let (_, public) = ssh_key(folder, "deploy-key")?;
    forge.gitea.deploy_key(SHOP, &public)?;
    let over_ssh = format!(
        "  gitea/{SHOP}:\n    url: {}\n    ssh:\n      key: \"file:{}\"\n      knownHosts: [\"{}\"]\n",
        forge.gitea.ssh_url(SHOP),
        folder.join("deploy-key").display(),
        forge.gitea.known_host(None)
    );
    let changed = forge.installation.change_control("Read the shop over SSH", |control| {
        control.replace("countersign.yaml", &format!("  gitea/{SHOP}: {{}}\n"), &over_ssh)
    })?;
    forge.installation.until_active(&changed)?;
    let (request, head) = forge.greeting("Shell")?;
    request.seen_by(forge.person("grace")?).approve(&head)?;
    forge.until_status(&head, "staging", "success")?;
    let merged = request.merge(Style::Merge)?;
    forge.installation.until_runs(STAGING, &merged)?;
    forge.until_status(&merged, "staging", "success").map(drop)
}
