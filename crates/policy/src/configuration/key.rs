//! The shape of an OpenSSH public key (RFC 4253 section 6.6, RFC 5656, RFC 8709), without its mathematics.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A key may have this many characters.
const MAX_LENGTH: usize = 4096;
/// An RSA modulus has at least this many bytes: 2,048 bits.
const MIN_RSA: usize = 256;
/// An Ed25519 public key has this many bytes.
const ED25519: usize = 32;

/// Why a text is not a public key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It begins like a private key.
    #[error("this is a private key")]
    Private,
    /// No algorithm and base64 parted by a space.
    #[error("this is not a public key in OpenSSH form")]
    NotOpenSsh,
    /// An algorithm that is not accepted.
    #[error("keys of the algorithm {0:?} are not accepted")]
    Algorithm(String),
    /// The base64 holds something else than the algorithm before it says.
    #[error("the key's content is damaged, or not of the algorithm `{0}`")]
    Content(&'static str),
    /// An RSA key that can be broken.
    #[error("this RSA key has fewer than 2,048 bits")]
    Weak,
}

impl BadKey {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Private => {
                "remove it at once, make a new pair (Git keeps this one), and give the `.pub` file's line"
            }
            Self::NotOpenSsh => "give the whole line of the `.pub` file, as `ssh-ed25519 AAAA…`",
            Self::Algorithm(_) => "use ssh-ed25519, ecdsa-sha2-nistp256, ecdsa-sha2-nistp384 or ssh-rsa",
            Self::Content(_) => "copy the whole line of the `.pub` file again",
            Self::Weak => "make a new key: `ssh-keygen -t ed25519`",
        }
    }
}

/// The binary form of a public key, which is what makes two keys the same whatever their comments.
///
/// # Errors
/// When the text is not the algorithm, a space, and base64 of a key of that algorithm.
pub fn blob(text: &str) -> Result<Vec<u8>, BadKey> {
    if text.contains("PRIVATE KEY") {
        return Err(BadKey::Private);
    }
    let mut words = text.split_ascii_whitespace();
    let (Some(algorithm), Some(base64)) = (words.next(), words.next()) else {
        return Err(BadKey::NotOpenSsh);
    };
    if text.len() > MAX_LENGTH || text.contains(['\n', '\r']) {
        return Err(BadKey::NotOpenSsh);
    }
    let known = ALGORITHMS.iter().find(|known| known.name == algorithm);
    let Some(known) = known else { return Err(unknown(algorithm)) };
    let blob = STANDARD.decode(base64).map_err(|_| BadKey::Content(known.name))?;
    let fields = fields(&blob).ok_or(BadKey::Content(known.name))?;
    match fields.split_first() {
        Some((name, fields)) if *name == algorithm.as_bytes() => (known.check)(known.name, fields)?,
        _ => return Err(BadKey::Content(known.name)),
    }
    Ok(blob)
}

/// A word that reads like an algorithm is shown; anything else could be a part of a secret.
fn unknown(word: &str) -> BadKey {
    let like_one =
        ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| word.starts_with(prefix)) && word.len() <= 80;
    if like_one { BadKey::Algorithm(word.to_owned()) } else { BadKey::NotOpenSsh }
}

struct Algorithm {
    name: &'static str,
    check: fn(&'static str, &[&[u8]]) -> Result<(), BadKey>,
}

const ALGORITHMS: &[Algorithm] = &[
    Algorithm { name: "ssh-ed25519", check: ed25519 },
    Algorithm { name: "ecdsa-sha2-nistp256", check: ecdsa },
    Algorithm { name: "ecdsa-sha2-nistp384", check: ecdsa },
    Algorithm { name: "ssh-rsa", check: rsa },
];

fn ed25519(name: &'static str, fields: &[&[u8]]) -> Result<(), BadKey> {
    match fields {
        [key] if key.len() == ED25519 => Ok(()),
        _ => Err(BadKey::Content(name)),
    }
}

/// The curve's name, and an uncompressed point.
fn ecdsa(name: &'static str, fields: &[&[u8]]) -> Result<(), BadKey> {
    let length = if name.ends_with("256") { 65 } else { 97 };
    let curve = name.trim_start_matches("ecdsa-sha2-").as_bytes();
    match fields {
        [given, point] if *given == curve && point.len() == length && point.first() == Some(&4) => Ok(()),
        _ => Err(BadKey::Content(name)),
    }
}

/// The exponent and the modulus, the latter after a zero byte where its first bit is set.
fn rsa(name: &'static str, fields: &[&[u8]]) -> Result<(), BadKey> {
    let [exponent, modulus] = fields else { return Err(BadKey::Content(name)) };
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    if exponent.is_empty() || modulus.is_empty() {
        return Err(BadKey::Content(name));
    }
    if modulus.len() < MIN_RSA { Err(BadKey::Weak) } else { Ok(()) }
}

/// Fields of four bytes of length and that many bytes, to the end.
fn fields(blob: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut fields, mut rest) = (Vec::new(), blob);
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (field, after) = after.split_at_checked(length)?;
        fields.push(field);
        rest = after;
    }
    Some(fields)
}

#[cfg(test)]
mod tests;
