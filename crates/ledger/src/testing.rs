//! What the tests of this crate share: an executor, a store that can die at any call, signers, and leaves.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use countersign_core::ports::PortError;
use countersign_core::ports::signer::{Algorithm, PublicKey, Signer};
use countersign_core::ports::store::{Store, Version, Versioned, Written};
use p256::pkcs8::{EncodePublicKey as _, LineEnding};

use crate::note::NoteKey;

pub mod world;

/// The origin of the logs in tests.
pub const ORIGIN: &str = "log.example/one";

/// Polls a future until it is done.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
}

/// Polls two futures, each to its next store call, in the order that `schedule` says, then to their ends.
pub fn interleave<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
    schedule: &[bool],
) -> (A, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut one, mut two) = (None, None);
    let mut context = Context::from_waker(Waker::noop());
    let mut turns = schedule.iter().copied().chain([true, false].into_iter().cycle());
    while one.is_none() || two.is_none() {
        if turns.next() == Some(true) {
            if one.is_none()
                && let Poll::Ready(result) = first.as_mut().poll(&mut context)
            {
                one = Some(result);
            }
        } else if two.is_none()
            && let Poll::Ready(result) = second.as_mut().poll(&mut context)
        {
            two = Some(result);
        }
    }
    (one.unwrap(), two.unwrap())
}

/// A store in memory. Every call is one turn of a schedule.
#[derive(Default)]
pub struct Memory {
    pub values: Mutex<BTreeMap<String, (u64, Vec<u8>)>>,
    versions: AtomicUsize,
}

impl Memory {
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.values.lock().unwrap().keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// The tiles and bundles, by key.
    pub fn tiles(&self) -> BTreeMap<String, Vec<u8>> {
        let values = self.values.lock().unwrap();
        let tiles = values.iter().filter(|(key, _)| key.starts_with("log/tile/"));
        tiles.map(|(key, (_, bytes))| (key.clone(), bytes.clone())).collect()
    }

    pub fn edit(&self, key: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        edit(&mut self.values.lock().unwrap().get_mut(key).unwrap_or_else(|| panic!("no {key}")).1);
    }

    pub fn copy(&self) -> Self {
        let values = self.values.lock().unwrap().clone();
        Self { values: Mutex::new(values), versions: AtomicUsize::new(1_000_000) }
    }

    fn write(&self, key: &str, bytes: &[u8]) -> Version {
        let version = self.versions.fetch_add(1, Ordering::Relaxed) as u64;
        self.values.lock().unwrap().insert(key.to_owned(), (version, bytes.to_vec()));
        Version(version.to_string())
    }

    fn version(&self, key: &str) -> Option<Version> {
        self.values.lock().unwrap().get(key).map(|(version, _)| Version(version.to_string()))
    }
}

/// Lets the schedule turn to someone else once.
async fn turn() {
    let mut waited = false;
    poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

impl Store for Memory {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, PortError> {
        turn().await;
        let values = self.values.lock().unwrap();
        Ok(values.get(key).map(|(version, bytes)| Versioned {
            bytes: bytes.clone(),
            version: Version(version.to_string()),
        }))
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<Version, PortError> {
        turn().await;
        Ok(self.write(key, bytes))
    }

    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Written, PortError> {
        turn().await;
        Ok(if self.version(key).is_some() {
            Written::Conflict
        } else {
            Written::Stored(self.write(key, bytes))
        })
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: &Version,
        bytes: &[u8],
    ) -> Result<Written, PortError> {
        turn().await;
        let same = self.version(key).as_ref() == Some(expected);
        Ok(if same { Written::Stored(self.write(key, bytes)) } else { Written::Conflict })
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, PortError> {
        turn().await;
        let keys = self.keys(prefix).into_iter();
        Ok(keys.filter(|key| after.is_none_or(|after| key.as_str() > after)).take(limit).collect())
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        turn().await;
        self.values.lock().unwrap().remove(key);
        Ok(())
    }
}

/// The store as a process sees it that dies at one of its calls: that call and all later ones do nothing.
///
/// To die after a call, with its answer lost, leaves the same behind as to die before the next.
pub struct Mortal<'a> {
    store: &'a Memory,
    dies_at: usize,
    calls: AtomicUsize,
    writes: AtomicUsize,
}

impl<'a> Mortal<'a> {
    pub fn new(store: &'a Memory, dies_at: usize) -> Self {
        Self { store, dies_at, calls: AtomicUsize::new(0), writes: AtomicUsize::new(0) }
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }

    async fn call<T>(&self, effect: impl Future<Output = Result<T, PortError>>) -> Result<T, PortError> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        if number >= self.dies_at {
            return Err(PortError::Unavailable("dead".to_owned()));
        }
        effect.await
    }

    async fn write<T>(&self, effect: impl Future<Output = Result<T, PortError>>) -> Result<T, PortError> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.call(effect).await
    }
}

impl Store for Mortal<'_> {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, PortError> {
        self.call(self.store.get(key)).await
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<Version, PortError> {
        self.write(self.store.put(key, bytes)).await
    }

    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<Written, PortError> {
        self.write(self.store.put_if_absent(key, bytes)).await
    }

    async fn compare_and_swap(
        &self,
        key: &str,
        expected: &Version,
        bytes: &[u8],
    ) -> Result<Written, PortError> {
        self.write(self.store.compare_and_swap(key, expected, bytes)).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, PortError> {
        self.call(self.store.list(prefix, after, limit)).await
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.write(self.store.delete(key)).await
    }
}

enum Private {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

/// A signer whose key follows from a number.
pub struct TestSigner {
    private: Private,
    public: PublicKey,
}

impl TestSigner {
    pub fn ed25519(number: u8) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(&[number; 32]);
        let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
        Self { private: Private::Ed25519(key), public: PublicKey { algorithm: Algorithm::Ed25519, pem } }
    }

    pub fn p256(number: u8) -> Self {
        let key = p256::ecdsa::SigningKey::from_slice(&[number; 32]).unwrap();
        let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
        Self { private: Private::P256(key), public: PublicKey { algorithm: Algorithm::EcdsaP256Sha256, pem } }
    }

    /// A signer whose private key is not the one that its public key names.
    pub fn swapped(self, other: Self) -> Self {
        Self { private: self.private, public: other.public }
    }

    pub fn note_key(&self) -> NoteKey {
        NoteKey::log(ORIGIN, &self.public).unwrap()
    }

    pub fn sign_now(&self, message: &[u8]) -> Vec<u8> {
        match &self.private {
            Private::Ed25519(key) => ed25519_dalek::Signer::sign(key, message).to_bytes().to_vec(),
            Private::P256(key) => {
                let signature: p256::ecdsa::DerSignature = p256::ecdsa::signature::Signer::sign(key, message);
                signature.as_bytes().to_vec()
            }
        }
    }
}

impl Signer for TestSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PortError> {
        Ok(self.sign_now(message))
    }
}

/// Leaves that differ, of differing lengths.
pub fn leaves(from: u64, count: u64) -> Vec<Vec<u8>> {
    (from..from + count).map(|n| format!("leaf {n} {}", "x".repeat((n % 7) as usize)).into_bytes()).collect()
}

/// Adds a witness's cosignature to a checkpoint.
pub fn cosign(checkpoint: &str, name: &str, witness: &TestSigner, time: u64) -> String {
    let key = NoteKey::witness(name, witness.public_key()).unwrap();
    let text = crate::note::Note::parse(checkpoint).unwrap().text();
    let signature = witness.sign_now(crate::note::cosigned_message(text, time).as_bytes());
    let timed = [time.to_be_bytes().as_slice(), &signature].concat();
    format!("{checkpoint}{}", crate::note::signature_line(&key, &timed))
}
