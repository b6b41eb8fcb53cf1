//! What every run begins with: people, keys, bundles, the first commits. Made once, the same for every seed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use countersign_core::names::{CommitId, PersonName, RepositoryId, Target};
use countersign_core::ports::signer::{Algorithm, Signer};
use countersign_core::time::Timestamp;
use countersign_ledger::genesis::{self, GENESIS_VERSION, Genesis};
use countersign_ledger::note::NoteKey;
use countersign_local::key_file::KeyFile;
use countersign_policy::bundle::Bundle;
use countersign_record::Settings;
use rand_core::{CryptoRng, RngCore};
use ssh_key::LineEnding;
use ssh_key::private::{Ed25519Keypair, PrivateKey};

use super::repository::{Bare, Files};

/// The clusters, with their UIDs.
pub const CLUSTERS: [(&str, &str); 2] = [("east", "uid-east"), ("west", "uid-west")];

/// The cluster that demands a witness.
pub const WITNESSED_CLUSTER: &str = "west";

/// The witness's name in its cosignatures.
pub const WITNESS: &str = "witness";

/// The folders that targets live in, with each one's application and environment.
pub const PLACES: [(&str, &str, &str); 3] = [
    ("deploy/web/staging", "web", "staging"),
    ("deploy/web/production", "web", "production"),
    ("deploy/cart", "cart", "production"),
];

/// The variants of the control repository: as at first; with one approval instead of two; with an application removed;
/// when somebody has left their teams; when somebody's account on the forge is a new one.
pub const VARIANTS: usize = 5;

/// That in which somebody has left.
pub const LEFT: usize = 3;

/// When the first commits were made.
const CREATED: i64 = 1_795_000_000_000;

/// Somebody.
pub struct Person {
    /// Their name.
    pub name: &'static str,
    /// Their account on the forge.
    pub account: u64,
    /// The team that they are in, if in one.
    pub team: Option<&'static str>,
    /// Their private key.
    pub private: String,
    public: String,
}

/// Everyone, by their place in this list.
const PEOPLE: [(&str, Option<&str>); 6] = [
    ("ada", Some("shop")),
    ("grace", Some("shop")),
    ("linus", Some("shop")),
    ("olga", Some("sre")),
    ("eve", None),
    ("ruth", Some("shop")),
];

/// Their place in the list of people.
pub const ADA: usize = 0;
/// As [`ADA`].
pub const GRACE: usize = 1;
/// As [`ADA`].
pub const LINUS: usize = 2;
/// As [`ADA`].
pub const OLGA: usize = 3;
/// As [`ADA`]. She writes nothing herself, so that in the end there is somebody who can approve.
pub const RUTH: usize = 5;

/// What every run begins with.
pub struct Prepared {
    /// Everyone.
    pub people: Vec<Person>,
    /// The files of each variant of the control repository, with the bundle that they are.
    pub variants: Vec<(Files, Bundle)>,
    /// The root-signed beginning, as bytes and as read.
    pub genesis: (Vec<u8>, Genesis),
    /// What `record` is told.
    pub settings: Settings,
    /// Signs checkpoints.
    pub log_signer: Arc<KeyFile>,
    /// Signs authorizations.
    pub authorization_signer: Arc<KeyFile>,
    /// Cosigns checkpoints.
    pub witness_signer: Arc<KeyFile>,
}

/// Randomness that is none.
struct Fixed(u8);

impl CryptoRng for Fixed {}

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes([self.0; 4])
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes([self.0; 8])
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl Person {
    fn new(index: usize) -> Self {
        let (name, team) = PEOPLE[index];
        let account = index as u64 + 1;
        let seed = u8::try_from(index + 1).unwrap_or(u8::MAX);
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]));
        let public = key.public_key().to_openssh().expect("a public key");
        let private = key.to_openssh(LineEnding::LF).expect("a private key").to_string();
        Self { name, account, team, private, public }
    }

    /// Their e-mail address.
    #[must_use]
    pub fn email(&self) -> String {
        format!("{}@example.com", self.name)
    }

    /// Their name in the control repository.
    #[must_use]
    pub fn id(&self) -> PersonName {
        self.name.parse().expect("a name")
    }
}

/// The repository that the applications live in.
#[must_use]
pub fn shop() -> RepositoryId {
    "forge/acme/shop".parse().expect("a repository")
}

/// The control repository.
#[must_use]
pub fn control() -> RepositoryId {
    "forge/acme/control".parse().expect("a repository")
}

/// Every target that is no control repository's.
#[must_use]
pub fn targets(variant: &Bundle) -> Vec<Target> {
    variant.configuration().targets().map(|target| target.target).collect()
}

/// The folder of a repository in the working folder: the same in every run, since it is part of a bundle.
#[must_use]
pub fn folder(repository: &RepositoryId) -> String {
    format!("repositories/{}", repository.path.as_str().replace('/', "-"))
}

/// Makes it in the working folder.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn prepare() -> Prepared {
    let people: Vec<_> = (0..PEOPLE.len()).map(Person::new).collect();
    let baseline = begin(&shop(), &people[ADA], &baseline_files());
    let variants: Vec<_> = (0..VARIANTS)
        .map(|variant| {
            let files = control_files(&people, &baseline, variant);
            let bundle = Bundle::compile(&files).expect("the control repository is valid");
            (files, bundle)
        })
        .collect();
    let commit = begin(&control(), &people[OLGA], &variants[0].0);
    let (root, log) = (key("root.pem", Algorithm::Ed25519, 3), key("log.pem", Algorithm::Ed25519, 4));
    let authorization = key("authorization.pem", Algorithm::EcdsaP256Sha256, 5);
    let witness = key("witness.pem", Algorithm::Ed25519, 6);
    let configuration = variants[0].1.configuration();
    let genesis = Genesis {
        v: GENESIS_VERSION,
        origin: "simulation.example/log".to_owned(),
        epoch: 1,
        root_key: root.public_key().clone(),
        log_key: log.public_key().clone(),
        authorization_key: authorization.public_key().clone(),
        hosts: configuration.hosts.iter().map(|(name, host)| (name.clone(), host.kind)).collect(),
        control: configuration.control_ref().expect("a branch"),
        commit,
        bundle: *variants[0].1.digest(),
        created: Timestamp::from_millis(CREATED),
    };
    let settings = Settings {
        origin: genesis.origin.clone(),
        epoch: genesis.epoch,
        root_key: genesis.root_key.clone(),
        pseudonym_secret: "only for the simulation".to_owned(),
    };
    let signed = super::immediate(genesis::sign(&root, &genesis)).expect("the genesis is signed");
    Prepared {
        people,
        variants,
        genesis: (signed, genesis),
        settings,
        log_signer: Arc::new(log),
        authorization_signer: Arc::new(authorization),
        witness_signer: Arc::new(witness),
    }
}

fn key(name: &str, algorithm: Algorithm, byte: u8) -> KeyFile {
    KeyFile::generate(Path::new(name), algorithm, &mut Fixed(byte)).expect("a key")
}

/// Makes a repository with its first commit, as it is at the beginning of every run.
fn begin(repository: &RepositoryId, author: &Person, files: &Files) -> CommitId {
    let bare = Bare::create(Path::new(&folder(repository)));
    let tree = bare.tree(files);
    let commit = bare.commit(author, author, CREATED, "Begin\n", tree, &[]);
    bare.point(&commit);
    commit
}

impl Prepared {
    /// Makes the repositories anew, as they are at the beginning of every run.
    #[must_use]
    pub fn repositories(&self) -> BTreeMap<RepositoryId, Bare> {
        begin(&shop(), &self.people[ADA], &baseline_files());
        begin(&control(), &self.people[OLGA], &self.variants[0].0);
        [shop(), control()].map(|id| (id.clone(), Bare::open(Path::new(&folder(&id))))).into()
    }

    /// Verifies checkpoints.
    ///
    /// # Panics
    /// When the key is none of the log's kind.
    #[must_use]
    pub fn log_key(&self) -> NoteKey {
        NoteKey::log(&self.settings.origin, self.log_signer.public_key()).expect("a key")
    }

    /// Verifies the witness's cosignatures.
    ///
    /// # Panics
    /// When the key is none of a witness's kind.
    #[must_use]
    pub fn witness_key(&self) -> NoteKey {
        NoteKey::witness(WITNESS, self.witness_signer.public_key()).expect("a key")
    }
}

/// The main object of a place, with a value that tells changes apart.
#[must_use]
pub fn main_object(place: usize, value: &str) -> Vec<u8> {
    let (_, application, _) = PLACES[place];
    if application == "cart" {
        return format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: cart\nspec:\n  replicas: 1\n  selector:\n    \
             matchLabels: {{ app: cart }}\n  template:\n    metadata:\n      labels: {{ app: cart }}\n    spec:\n      \
             containers:\n        - name: cart\n          image: registry.example/cart:{value}\n"
        )
        .into_bytes();
    }
    config_map(application, value)
}

/// Another object of a place, that comes and goes.
#[must_use]
pub fn extra_object(place: usize, value: &str) -> Vec<u8> {
    config_map(&format!("{}-extra", PLACES[place].1), value)
}

fn config_map(name: &str, value: &str) -> Vec<u8> {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: \"{value}\"\n")
        .into_bytes()
}

/// A rule needs a test beside it; the whole tests of these rules would take most of a run's time.
const RULE_TEST: &str = "package approvals.RULE

import rego.v1

test_a_removal_is_approved_where_it_is_asked_for if {
	deny == set() with input as {\"change\": {\"operation\": \"remove\"}}
}
";

fn baseline_files() -> Files {
    let mut files = Files::from([("README.md".to_owned(), b"A shop.\n".to_vec())]);
    for (place, (folder, _, _)) in PLACES.iter().enumerate() {
        files.insert(format!("{folder}/main.yaml"), main_object(place, "v0"));
        files.insert(format!("{folder}/extra.yaml"), extra_object(place, "v0"));
    }
    files
}

fn control_files(people: &[Person], baseline: &CommitId, variant: usize) -> Files {
    let mut text = include_str!("countersign.yaml").replace("BASELINE", baseline.as_str());
    text = text.replace("COUNT", if variant == 1 { "1" } else { "2" });
    text = text.replace("STATE", if variant == 2 { "removed" } else { "active" });
    text = text.replace(", linus", if variant == LEFT { "" } else { ", linus" });
    text = text.replace("NUMBER-grace", if variant == 4 { "99" } else { "2" });
    for person in people {
        text = text.replace(&format!("KEY-{}", person.name), &person.public);
    }
    let rule = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    Files::from([
        rule("countersign.yaml", &text),
        rule(
            "policies/approvals/explained/explained.rego",
            include_str!("../../../policies/approvals/explained/explained.rego"),
        ),
        rule(
            "policies/approvals/required/required.rego",
            include_str!("../../../policies/approvals/required/required.rego"),
        ),
        rule("policies/approvals/explained/explained_test.rego", &RULE_TEST.replace("RULE", "explained")),
        rule("policies/approvals/required/required_test.rego", &RULE_TEST.replace("RULE", "required")),
        rule("policies/lib/people.rego", include_str!("../../../policies/lib/people.rego")),
    ])
}
