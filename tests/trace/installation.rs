//! An installation with the sample application, made of fixed parts, in the folder that the process works in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use countersign_core::configuration::{Configuration, HostKind};
use countersign_core::names::{CommitId, HostName, Reference, RepositoryId};
use countersign_core::ports::signer::{Algorithm, Signer};
use countersign_core::time::Timestamp;
use countersign_ledger::genesis::{self, GENESIS_VERSION, Genesis};
use countersign_local::key_file::KeyFile;
use countersign_policy::bundle::Bundle;
use git2::Repository;
use rand_core::{CryptoRng, RngCore};

use crate::people::{Person, point};

/// What the hook signs with.
pub const SECRET: &[u8] = b"only-for-the-trace";

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

pub struct Installation {
    pub ada: Person,
    pub grace: Person,
    pub shop: Repository,
    pub main: Reference,
    /// The first commit of the application, which is accepted as it is.
    pub baseline: CommitId,
    pub bundle: Bundle,
    pub genesis: (Vec<u8>, Genesis),
    pub log_signer: KeyFile,
    pub authorization_signer: KeyFile,
}

pub fn id(text: &str) -> RepositoryId {
    text.parse().unwrap()
}

/// Makes it as of `created`, of the rules and the samples of the project.
pub async fn make(project: &Path, created: Timestamp) -> Installation {
    let (ada, grace) = (Person::new("ada", 1), Person::new("grace", 2));
    fs::write("webhook-secret", SECRET).unwrap();
    let main: Reference = "refs/heads/main".parse().unwrap();
    let shop = Repository::init_bare("repositories/shop").unwrap();
    let files = read(&project.join("samples/application"), "deploy");
    let baseline = ada.commit(&shop, None, created, "A small shop\n", &files);
    point(&shop, &main, &baseline);
    let mut files = read(project, "policies");
    files.extend(read(&project.join("samples/control"), "data"));
    let configuration = include_str!("countersign.yaml").replace("BASELINE", baseline.as_str());
    let configuration = configuration.replace("ADA", &ada.public).replace("GRACE", &grace.public);
    files.push(("countersign.yaml".to_owned(), configuration.into_bytes()));
    let bundle = Bundle::compile(&files.iter().cloned().collect::<BTreeMap<_, _>>()).unwrap();
    let control = Repository::init_bare("repositories/control").unwrap();
    let commit = ada.commit(&control, None, created, "Begin the control repository\n", &files);
    point(&control, &main, &commit);
    let key = |name: &str, algorithm, byte| {
        KeyFile::generate(Path::new(name), algorithm, &mut Fixed(byte)).unwrap()
    };
    let root = key("root.pem", Algorithm::Ed25519, 3);
    let log_signer = key("log.pem", Algorithm::Ed25519, 4);
    let authorization_signer = key("authorization.pem", Algorithm::EcdsaP256Sha256, 5);
    let genesis = Genesis {
        v: GENESIS_VERSION,
        origin: "example.com/countersign".to_owned(),
        epoch: 1,
        root_key: root.public_key().clone(),
        log_key: log_signer.public_key().clone(),
        authorization_key: authorization_signer.public_key().clone(),
        hosts: hosts(bundle.configuration()),
        control: bundle.configuration().control_ref().unwrap(),
        commit,
        bundle: *bundle.digest(),
        created,
    };
    let signed = genesis::sign(&root, &genesis).await.unwrap();
    Installation {
        ada,
        grace,
        shop,
        main,
        baseline,
        bundle,
        genesis: (signed, genesis),
        log_signer,
        authorization_signer,
    }
}

fn hosts(configuration: &Configuration) -> BTreeMap<HostName, HostKind> {
    configuration.hosts.iter().map(|(name, host)| (name.clone(), host.kind)).collect()
}

/// Every file below `folder` of `root`, by its path in `root`.
pub fn read(root: &Path, folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}
