//! Keys and tokens of one control plane, made for it and gone with it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::SecretKey;
use p256::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use rand_core::{OsRng, RngCore};
use serde_json::json;

/// Writes `tokens.csv`, which names one administrator, and the pair of keys that signs service
/// account tokens, `accounts.key` and `accounts.pub`. Returns the administrator's token.
///
/// # Errors
/// When the folder cannot be written to.
pub fn write(folder: &Path) -> Result<String> {
    let mut random = [0; 16];
    OsRng.fill_bytes(&mut random);
    let token = format!("{:032x}", u128::from_be_bytes(random));
    // The columns are token, name, UID, groups. RBAC lets this group do everything.
    save(folder, "tokens.csv", &format!("{token},admin,admin,system:masters\n"))?;

    let key = SecretKey::random(&mut OsRng);
    let private = key.to_pkcs8_pem(LineEnding::LF).context("cannot encode the service account key")?;
    let public = key
        .public_key()
        .to_public_key_pem(LineEnding::LF)
        .context("cannot encode the service account key")?;
    save(folder, "accounts.key", &private)?;
    save(folder, "accounts.pub", &public)?;
    Ok(token)
}

/// A kubeconfig file for one server. It is JSON, which every reader of YAML reads.
#[must_use]
pub fn kubeconfig(url: &str, ca_pem: &str, token: &str) -> String {
    let name = "countersign-world";
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": name, "cluster": { "server": url, "certificate-authority-data": STANDARD.encode(ca_pem) } }],
        "users": [{ "name": name, "user": { "token": token } }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
        "current-context": name,
    })
    .to_string()
}

/// Writes a file of the folder.
///
/// # Errors
/// When the file cannot be written.
pub fn save(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}: is the disk full?", path.display()))
}
