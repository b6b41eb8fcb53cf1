//! What `init` is going to make, checked before anything is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use countersign_core::digest::to_hex;
use countersign_core::names::PersonName;
use countersign_policy::configuration::key;
use rand_core::RngCore;

use super::InitArguments;
use super::cluster::SampleCluster;
use crate::installation::DataFolder;

/// The most bytes of a public key's file.
const MAX_KEY: u64 = 16 * 1024;

/// The most characters of an origin.
const MAX_ORIGIN: usize = 200;

/// What is going to be made. Every path is absolute.
pub struct Plan {
    /// The control repository's working folder.
    pub folder: PathBuf,
    /// The data folder.
    pub data: DataFolder,
    /// Where bare repositories are kept.
    pub repositories: PathBuf,
    /// The root key.
    pub root_key: PathBuf,
    /// The log's name.
    pub origin: String,
    /// People, each with the line of their public key.
    pub people: BTreeMap<PersonName, String>,
    /// What the hooks call.
    pub server: String,
    /// Whether the sample application is made.
    pub sample: bool,
    /// The cluster that the sample is deployed to.
    pub cluster: SampleCluster,
}

impl Plan {
    /// Checks the arguments, and that nothing is in the way.
    ///
    /// # Errors
    /// What is in the way, missing or malformed, and what to do.
    pub fn check(arguments: &InitArguments, rng: &mut impl RngCore) -> anyhow::Result<Self> {
        let folder = absolute(&arguments.folder)?;
        let beside = || folder.parent().unwrap_or(&folder).join("repositories");
        let mut id = [0; 24];
        rng.fill_bytes(&mut id);
        let (uid, own) = id.split_at(16);
        let plan = Self {
            data: DataFolder::new(&absolute(&arguments.data)?),
            repositories: arguments.repositories.as_deref().map_or_else(|| Ok(beside()), absolute)?,
            root_key: absolute(&arguments.root_key)?,
            origin: arguments
                .origin
                .clone()
                .unwrap_or_else(|| format!("localhost/countersign-{}", to_hex(own))),
            people: people(arguments)?,
            server: arguments.listen_url.trim_end_matches('/').to_owned(),
            sample: arguments.sample,
            cluster: SampleCluster::find(arguments.kubeconfig.as_deref(), || uuid(uid))?,
            folder,
        };
        plan.check_places()?;
        plan.check_names()?;
        Ok(plan)
    }

    /// The bare control repository.
    #[must_use]
    pub fn control_repository(&self) -> PathBuf {
        self.repositories.join("control.git")
    }

    /// The bare repository of the sample application.
    #[must_use]
    pub fn application_repository(&self) -> PathBuf {
        self.repositories.join("shop.git")
    }

    /// Every bare repository that is made.
    #[must_use]
    pub fn made_repositories(&self) -> Vec<PathBuf> {
        let application = self.sample.then(|| self.application_repository());
        std::iter::once(self.control_repository()).chain(application).collect()
    }

    /// The secret that the hooks sign with.
    #[must_use]
    pub fn webhook_secret(&self) -> PathBuf {
        self.data.path().join("keys/webhook-local")
    }

    fn check_places(&self) -> anyhow::Result<()> {
        for folder in [self.folder.as_path(), self.data.path()] {
            refuse_nonempty(folder)?;
        }
        for path in self.made_repositories().iter().chain([&self.root_key]) {
            let place = path.display();
            ensure!(
                fs::symlink_metadata(path).is_err(),
                "{place} exists already and was left as it is: move it away, or name another place"
            );
        }
        for inside in [self.folder.as_path(), self.data.path(), &self.repositories] {
            let (key, place) = (self.root_key.display(), inside.display());
            ensure!(
                !self.root_key.starts_with(inside),
                "the root key {key} would lie inside of {place}: it is kept offline, name another place with --root-key"
            );
        }
        let (control, data) = (self.folder.display(), self.data.path().display());
        ensure!(
            !self.data.path().starts_with(&self.folder),
            "the data folder {data} would lie inside of the control repository {control}, which is shared: name another"
        );
        ensure!(
            !self.folder.starts_with(self.data.path()) && !self.repositories.starts_with(&self.folder),
            "{control}: the control repository must lie outside of the data folder, and repositories outside of it"
        );
        Ok(())
    }

    fn check_names(&self) -> anyhow::Result<()> {
        check_origin(&self.origin)?;
        let server = &self.server;
        ensure!(
            server.starts_with("http://") || server.starts_with("https://"),
            "--listen-url {server:?} is not a URL: write it as http://127.0.0.1:7466"
        );
        for path in [&self.repositories, &self.data.path().to_owned()] {
            ensure!(path.to_str().is_some(), "{}: the path is not UTF-8: name another", path.display());
        }
        Ok(())
    }
}

/// Whether this can name a log.
///
/// # Errors
/// When it cannot.
pub fn check_origin(origin: &str) -> anyhow::Result<()> {
    let plain = |letter: char| letter.is_ascii_graphic() && letter != '+';
    ensure!(
        !origin.is_empty() && origin.len() <= MAX_ORIGIN && origin.chars().all(plain),
        "{origin:?} cannot name a log: use printable ASCII without spaces or '+', as example.com/countersign"
    );
    Ok(())
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{}: not a usable path", path.display()))
}

fn refuse_nonempty(folder: &Path) -> anyhow::Result<()> {
    let place = folder.display();
    match fs::read_dir(folder) {
        Ok(mut entries) => ensure!(
            entries.next().is_none(),
            "{place} exists already and is not empty; it was left as it is: name a new folder, or move it away"
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(anyhow!(error).context(format!("{place}: not usable as a new folder"))),
    }
    Ok(())
}

fn people(arguments: &InitArguments) -> anyhow::Result<BTreeMap<PersonName, String>> {
    let (names, keys) = (&arguments.people, &arguments.keys);
    ensure!(
        names.len() == keys.len(),
        "{} --person and {} --key were given: give each person one key, as --person ada --key ada.pub",
        names.len(),
        keys.len()
    );
    let mut people = BTreeMap::new();
    let mut owners: BTreeMap<Vec<u8>, &PersonName> = BTreeMap::new();
    for (name, path) in names.iter().zip(keys) {
        let (line, blob) = public_key(path)?;
        if let Some(other) = owners.insert(blob, name) {
            bail!("{name} and {other} have the same key: a key says who someone is, give each their own");
        }
        ensure!(people.insert(name.clone(), line).is_none(), "{name} was given twice: give each person once");
    }
    ensure!(
        people.len() >= 2,
        "at least two people are needed, and {} given: a change of the control repository needs the approval of \
         somebody who did not make it, so that no one changes the rules alone; add --person NAME --key FILE.pub",
        if people.len() == 1 { "one was" } else { "none were" }
    );
    Ok(people)
}

/// The line of a public key's file, and the key itself.
fn public_key(path: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    let place = path.display();
    let size = fs::metadata(path).with_context(|| format!("{place}: the public key cannot be read"))?.len();
    ensure!(size <= MAX_KEY, "{place}: {size} bytes are no public key: give the .pub file");
    let text = fs::read_to_string(path).with_context(|| format!("{place}: the public key cannot be read"))?;
    let line = text.trim();
    ensure!(
        !line.contains("PRIVATE KEY"),
        "{place}: this is a private key, which stays with its owner: give the .pub file beside it"
    );
    let blob = key::blob(line).map_err(|bad| anyhow!("{place}: {bad}: {}", bad.help()))?;
    Ok((line.to_owned(), blob))
}

/// Sixteen random bytes as a version 4 UUID (RFC 9562).
fn uuid(random: &[u8]) -> String {
    let mut bytes = random.to_vec();
    if let Some(version) = bytes.get_mut(6) {
        *version = (*version & 0x0f) | 0x40;
    }
    if let Some(variant) = bytes.get_mut(8) {
        *variant = (*variant & 0x3f) | 0x80;
    }
    let part = |range: std::ops::Range<usize>| to_hex(bytes.get(range).unwrap_or_default());
    [part(0..4), part(4..6), part(6..8), part(8..10), part(10..16)].join("-")
}

#[cfg(test)]
mod tests;
