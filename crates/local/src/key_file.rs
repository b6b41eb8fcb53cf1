//! The embedded [`Signer`]: a private key in a PKCS#8 PEM file (RFC 5958, RFC 7468) that only its owner
//! may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use countersign_core::ports::PortError;
use countersign_core::ports::signer::{Algorithm, PublicKey, Signer};
use ed25519_dalek::ed25519::pkcs8::KeypairBytes;
use p256::ecdsa::signature::Signer as _;
use p256::elliptic_curve::zeroize::{Zeroize, Zeroizing};
use p256::pkcs8::der::pem::decode_label;
use p256::pkcs8::spki::{self, EncodePublicKey};
use p256::pkcs8::{self, EncodePrivateKey, LineEnding, PrivateKeyInfo, SecretDocument};
use rand_core::CryptoRngCore;

use crate::error::LocalError;

#[cfg(test)]
mod tests;

/// The most bytes that a key file may have.
const MAX_FILE: usize = 16 * 1024;

const ED25519: &str = "1.3.101.112";
const ELLIPTIC_CURVE: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";

/// One private key, read from its file.
pub struct KeyFile {
    secret: Secret,
    public: PublicKey,
}

enum Secret {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyFile").field("public", &self.public).finish_non_exhaustive()
    }
}

impl KeyFile {
    /// Makes a new key and writes it to a new file at `path`, which only its owner may read.
    ///
    /// # Errors
    /// When there is a file already, which is left as it is, or none can be written.
    pub fn generate(
        path: &Path,
        algorithm: Algorithm,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, LocalError> {
        let secret = match algorithm {
            Algorithm::Ed25519 => {
                let mut seed = Zeroizing::new([0; 32]);
                rng.fill_bytes(seed.as_mut());
                Secret::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed))
            }
            Algorithm::EcdsaP256Sha256 => Secret::P256(p256::ecdsa::SigningKey::random(rng)),
        };
        let pem = secret.to_pem().map_err(|why| key_error(path, &format!("cannot be encoded: {why}")))?;
        let key = Self::new(path, secret)?;
        match write_new(path, pem.as_bytes()) {
            Ok(()) => Ok(key),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(key_error(
                path,
                "exists already and was left as it is: use it, or move it away to make a new one",
            )),
            Err(error) => Err(LocalError::io(path, &error)),
        }
    }

    /// Reads the key of this algorithm from the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be read, when others than its owner may read or write it, or when it holds no
    /// unencrypted PKCS#8 key of this algorithm.
    pub fn load(path: &Path, algorithm: Algorithm) -> Result<Self, LocalError> {
        let text = read_private(path)?;
        let secret = Secret::from_pem(&text, algorithm).map_err(|why| key_error(path, &why))?;
        Self::new(path, secret)
    }

    fn new(path: &Path, secret: Secret) -> Result<Self, LocalError> {
        let public = secret.public();
        let public = public.map_err(|why| key_error(path, &format!("has no public half: {why}")))?;
        Ok(Self { secret, public })
    }
}

impl Signer for KeyFile {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PortError> {
        Ok(match &self.secret {
            Secret::Ed25519(key) => key.sign(message).to_vec(),
            Secret::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
        })
    }
}

impl Secret {
    fn to_pem(&self) -> pkcs8::Result<Zeroizing<String>> {
        match self {
            // Without the public half in it, the file is one that every other program reads as well.
            Self::Ed25519(key) => {
                let mut bytes = KeypairBytes { secret_key: key.to_bytes(), public_key: None };
                let pem = bytes.to_pkcs8_pem(LineEnding::LF);
                bytes.secret_key.zeroize();
                pem
            }
            Self::P256(key) => key.to_pkcs8_pem(LineEnding::LF),
        }
    }

    fn from_pem(text: &str, algorithm: Algorithm) -> Result<Self, String> {
        let label = decode_label(text.as_bytes())
            .map_err(|error| format!("is no PEM: {error}; it takes one PKCS#8 block, `PRIVATE KEY`"))?;
        if label != "PRIVATE KEY" {
            return Err(format!(
                "holds a `{label}`: it takes PKCS#8, unencrypted, as `openssl pkcs8 -topk8 -nocrypt` writes it"
            ));
        }
        let not_pkcs8 = |error: &dyn std::fmt::Display| format!("is not PKCS#8: {error}");
        let (_, document) = SecretDocument::from_pem(text).map_err(|error| not_pkcs8(&error))?;
        let info = PrivateKeyInfo::try_from(document.as_bytes()).map_err(|error| not_pkcs8(&error))?;
        let wanted = name(algorithm);
        match held(&info) {
            Some(found) if found == algorithm => {}
            Some(found) => {
                return Err(format!("holds a key for {}, and one for {wanted} is needed", name(found)));
            }
            None => {
                return Err(format!(
                    "holds a key of algorithm {}, and one for {wanted} is needed",
                    info.algorithm.oid
                ));
            }
        }
        let read = match algorithm {
            Algorithm::Ed25519 => info.try_into().map(Self::Ed25519),
            Algorithm::EcdsaP256Sha256 => info.try_into().map(Self::P256),
        };
        read.map_err(|error: pkcs8::Error| format!("holds a damaged key for {wanted}: {error}"))
    }

    fn public(&self) -> spki::Result<PublicKey> {
        let (algorithm, pem) = match self {
            Self::Ed25519(key) => {
                (Algorithm::Ed25519, key.verifying_key().to_public_key_pem(LineEnding::LF)?)
            }
            Self::P256(key) => {
                (Algorithm::EcdsaP256Sha256, key.verifying_key().to_public_key_pem(LineEnding::LF)?)
            }
        };
        Ok(PublicKey { algorithm, pem })
    }
}

/// The algorithm that a key is for, if it is one of ours.
fn held(info: &PrivateKeyInfo<'_>) -> Option<Algorithm> {
    match info.algorithm.oid.to_string().as_str() {
        ED25519 => Some(Algorithm::Ed25519),
        ELLIPTIC_CURVE => {
            let curve = info.algorithm.parameters_oid().ok()?;
            (curve.to_string() == P256).then_some(Algorithm::EcdsaP256Sha256)
        }
        _ => None,
    }
}

fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "Ed25519",
        Algorithm::EcdsaP256Sha256 => "ECDSA on P-256",
    }
}

/// Reads a text file that is open to nobody but its owner.
fn read_private(path: &Path) -> Result<Zeroizing<String>, LocalError> {
    let file = File::open(path).map_err(|error| LocalError::io(path, &error))?;
    let metadata = file.metadata().map_err(|error| LocalError::io(path, &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let why = format!(
            "is open to others than its owner (mode {mode:04o}): replace the key, or, if nobody can have read it, run `chmod 600 {}`",
            path.display()
        );
        return Err(key_error(path, &why));
    }
    // Room for all of it, so that no copy is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE + 1));
    match file.take(MAX_FILE as u64 + 1).read_to_string(&mut text) {
        Ok(length) if length > MAX_FILE => {
            Err(key_error(path, &format!("is larger than {MAX_FILE} bytes, so it holds no key alone")))
        }
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(key_error(path, "is not text: it takes PKCS#8 in PEM"))
        }
        Err(error) => Err(LocalError::io(path, &error)),
    }
}

/// Writes a file that did not exist; it is whole and on the disk, or not there.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key is of no use and would stand in the way of a new one.
        let _ = fs::remove_file(path);
    }
    written?;
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

fn key_error(path: &Path, why: &str) -> LocalError {
    LocalError::Key { path: path.to_owned(), why: why.to_owned() }
}
