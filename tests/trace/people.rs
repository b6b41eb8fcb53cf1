//! People whose keys are made of fixed seeds: what they sign is the same each time (Ed25519, RFC 8032).

use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::statement::{NAMESPACE, STATEMENTS, Says, SignedStatement, Statement};
use countersign_core::time::Timestamp;
use countersign_provenance::sshsig;
use git2::{Oid, Repository, Signature, Time};
use ssh_key::LineEnding;
use ssh_key::private::{Ed25519Keypair, PrivateKey};

/// The namespace in which Git signs.
const GIT: &str = "git";

pub struct Person {
    pub name: &'static str,
    private: String,
    /// As in an `authorized_keys` file.
    pub public: String,
}

impl Person {
    pub fn new(name: &'static str, seed: u8) -> Self {
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]));
        let public = key.public_key().to_openssh().unwrap();
        Self { name, private: key.to_openssh(LineEnding::LF).unwrap().to_string(), public }
    }

    /// Commits `files`, each a path and its text, on top of `parent`, and signs the commit.
    pub fn commit(
        &self,
        git: &Repository,
        parent: Option<&CommitId>,
        at: Timestamp,
        message: &str,
        files: &[(String, Vec<u8>)],
    ) -> CommitId {
        let parent = parent.map(|id| git.find_commit(Oid::from_str(id.as_str()).unwrap()).unwrap());
        let mut index = git2::Index::new().unwrap();
        if let Some(parent) = &parent {
            index.read_tree(&parent.tree().unwrap()).unwrap();
        }
        for (path, bytes) in files {
            index.add(&entry(path, git.blob(bytes).unwrap())).unwrap();
        }
        let tree = git.find_tree(index.write_tree_to(git).unwrap()).unwrap();
        let time = Time::new(at.as_millis() / 1000, 0);
        let author = Signature::new(self.name, &format!("{}@example.com", self.name), &time).unwrap();
        let parents: Vec<_> = parent.iter().collect();
        let buffer = git.commit_create_buffer(&author, &author, message, &tree, &parents).unwrap();
        let buffer = std::str::from_utf8(&buffer).unwrap();
        let signature = sshsig::sign(&self.private, GIT, buffer.as_bytes()).unwrap();
        git.commit_signed(buffer, &signature, None).unwrap().to_string().parse().unwrap()
    }

    /// Says something of a repository, and pushes the statement there.
    pub fn say(&self, git: &Repository, repository: &RepositoryId, time: Timestamp, nonce: u8, says: Says) {
        let nonce = format!("{nonce:02x}").repeat(16);
        let statement = Statement { v: 1, repository: repository.clone(), time, nonce, says };
        let payload = serde_json::to_string(&statement).unwrap();
        let signature = sshsig::sign(&self.private, NAMESPACE, payload.as_bytes()).unwrap();
        let statement = SignedStatement { payload, signature };
        let blob = git.blob(&statement.to_bytes()).unwrap();
        git.reference(&format!("{STATEMENTS}{}", statement.id().hex()), blob, false, "").unwrap();
    }
}

/// Moves a branch.
pub fn point(git: &Repository, reference: &Reference, to: &CommitId) {
    git.reference(reference.as_str(), Oid::from_str(to.as_str()).unwrap(), true, "").unwrap();
}

fn entry(path: &str, id: Oid) -> git2::IndexEntry {
    let zero = git2::IndexTime::new(0, 0);
    git2::IndexEntry {
        ctime: zero,
        mtime: zero,
        dev: 0,
        ino: 0,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.into(),
    }
}
