//! A bundle: everything of a control repository that decides, compiled, and named by the digest of its files.

pub mod data;
pub mod json;

use std::collections::BTreeMap;

use countersign_core::bundle::{BundleSource, CONFIGURATION, NotABundleSource, POLICIES, WAIVERS};
use countersign_core::configuration::Configuration;
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::facts::Problem;
use countersign_core::tree::Tree;
use serde_json::Value;

use crate::engine::{self, Rules};
use crate::waiver::{self, Waiver};
use crate::{configuration, test, yaml};

/// A compiled control repository.
#[derive(Clone, Debug)]
pub struct Bundle {
    digest: Digest,
    source: BundleSource,
    configuration: Configuration,
    modules: BTreeMap<String, String>,
    data: Value,
    waivers: Vec<Waiver>,
    rules: Rules,
}

/// A bundle as it is kept in two blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBundle {
    /// The configuration, that every function may read: `core`'s `Configuration` as canonical JSON.
    pub configuration: Vec<u8>,
    /// The files, that only `evaluate` reads: `core`'s `BundleSource` in its stored form.
    pub policies: Vec<u8>,
}

/// Why a stored bundle is not what its name says.
#[derive(Debug, thiserror::Error)]
pub enum StoredBundleError {
    /// The files cannot be read.
    #[error(transparent)]
    Source(#[from] NotABundleSource),
    /// The files are others.
    #[error(
        "the stored bundle {expected} holds files whose digest is {found}: store it again from the control repository"
    )]
    Digest {
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of the files.
        found: Digest,
    },
    /// The stored configuration is not the one of the files.
    #[error(
        "the configuration stored for bundle {0} is not that of its countersign.yaml: store the bundle again"
    )]
    Configuration(Digest),
    /// This release does not compile what an earlier one did.
    #[error("the stored bundle {digest} does not compile: {}", summary(problems))]
    Problems {
        /// The bundle.
        digest: Digest,
        /// What is wrong in it.
        problems: Vec<Problem>,
    },
}

impl Bundle {
    /// Compiles a control repository. Its own tests must pass.
    ///
    /// # Errors
    /// Every mistake in its files; if there are none, every test that fails.
    pub fn compile(tree: &impl Tree) -> Result<Self, Vec<Problem>> {
        Self::from_source(&BundleSource::collect(tree)?)
    }

    /// As [`Self::compile`], from files that were collected before.
    ///
    /// # Errors
    /// As [`Self::compile`].
    pub fn from_source(source: &BundleSource) -> Result<Self, Vec<Problem>> {
        let bundle = Self::untested(source)?;
        let problems = test::run(&bundle).problems();
        if problems.is_empty() { Ok(bundle) } else { Err(problems) }
    }

    /// As [`Self::from_source`], but its tests are not run: for those who run them to show each result.
    ///
    /// # Errors
    /// Every mistake in its files.
    pub fn untested(source: &BundleSource) -> Result<Self, Vec<Problem>> {
        let configuration = configuration::parse(CONFIGURATION, text(source, CONFIGURATION));
        let bundle = Self::assemble(source, configuration)?;
        let mut problems = waiver::check(&bundle.waivers, &bundle.rules, &bundle.configuration);
        if bundle.rules.is_empty() {
            let help = "without a rule everything is denied, also what would mend it: add rules to policies/";
            problems.push(yaml::problem(POLICIES, 1, "the control repository holds no rule", help));
        }
        if problems.is_empty() { Ok(bundle) } else { Err(problems) }
    }

    /// Reads a stored bundle. Both blobs are compared with the digest; what was checked when the bundle was
    /// compiled is not checked again, so that a stricter release does not refuse what is active.
    ///
    /// # Errors
    /// When a blob is damaged or is another bundle's, or the rules do not compile.
    pub fn from_stored(
        digest: &Digest,
        configuration: &[u8],
        policies: &[u8],
    ) -> Result<Self, StoredBundleError> {
        let source = BundleSource::from_bytes(policies)?;
        let found = source.digest();
        if found != *digest {
            return Err(StoredBundleError::Digest { expected: *digest, found });
        }
        let refused = |problems| StoredBundleError::Problems { digest: *digest, problems };
        let read = yaml::read::<Configuration>(CONFIGURATION, text(&source, CONFIGURATION));
        let bundle =
            Self::assemble(&source, read.map(|(configuration, _)| configuration)).map_err(refused)?;
        match serde_json::from_slice::<Configuration>(configuration) {
            Ok(stored) if stored == bundle.configuration => Ok(bundle),
            _ => Err(StoredBundleError::Configuration(*digest)),
        }
    }

    /// Puts the parts together, and tells the mistakes of all of them.
    fn assemble(
        source: &BundleSource,
        configuration: Result<Configuration, Vec<Problem>>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let configuration = configuration.map_err(|found| problems.extend(found)).ok();
        let data = data::compile(source, configuration.as_ref()).map_err(|found| problems.extend(found)).ok();
        let mut waivers = Vec::new();
        for (path, text) in below(source, WAIVERS) {
            match waiver::parse(path, text) {
                Ok(parsed) => waivers.extend(parsed),
                Err(found) => problems.extend(found),
            }
        }
        let modules: BTreeMap<String, String> =
            below(source, POLICIES).map(|(path, text)| (path.clone(), text.clone())).collect();
        // Rules name data and configuration: without both, every name would be one more mistake.
        let (Some(configuration), Some(data)) = (configuration, data) else { return Err(problems) };
        match engine::compile(&modules, &data) {
            Ok(rules) if problems.is_empty() => Ok(Self {
                digest: source.digest(),
                source: source.clone(),
                configuration,
                modules,
                data,
                waivers,
                rules,
            }),
            Ok(_) => Err(problems),
            Err(found) => {
                problems.extend(found);
                Err(problems)
            }
        }
    }

    /// The digest over exactly the files that were compiled.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Who may do what, where.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The text of each rule, library and test, by its path.
    #[must_use]
    pub fn modules(&self) -> &BTreeMap<String, String> {
        &self.modules
    }

    /// What rules see as `data`: an object.
    #[must_use]
    pub fn data(&self) -> &Value {
        &self.data
    }

    /// Reviewed exceptions.
    #[must_use]
    pub fn waivers(&self) -> &[Waiver] {
        &self.waivers
    }

    /// The compiled rules.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The form that is stored.
    ///
    /// # Errors
    /// When the configuration cannot be written as JSON, which a parsed one always can.
    pub fn to_stored(&self) -> Result<StoredBundle, serde_json::Error> {
        Ok(StoredBundle {
            configuration: canonical_json(&self.configuration)?,
            policies: self.source.to_bytes(),
        })
    }
}

fn text<'a>(source: &'a BundleSource, path: &str) -> &'a str {
    source.files.get(path).map_or("", String::as_str)
}

/// The files below a folder, sorted by path.
fn below<'a>(source: &'a BundleSource, folder: &'a str) -> impl Iterator<Item = (&'a String, &'a String)> {
    source
        .files
        .iter()
        .filter(move |(path, _)| path.split_once('/').is_some_and(|(first, _)| first == folder))
}

/// The first problem, and how many more there are.
fn summary(problems: &[Problem]) -> String {
    let first =
        problems.first().map(|problem| format!("{}: {}", problem.at, problem.message)).unwrap_or_default();
    match problems.len() {
        0 | 1 => first,
        count => format!("{first} (and {} more)", count - 1),
    }
}

#[cfg(test)]
mod tests;
