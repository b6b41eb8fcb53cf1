//! The outer shape of an SSH signature: armor and fields. Read strictly, so that each refusal has a reason
//! and nothing rides along that no one verifies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Refused, blocks};

/// The most bytes of armor that are read: an RSA key of 16,384 bits needs about 6 KiB.
const MAX_ARMOR: usize = 16 * 1024;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// Characters on a line of armor, as OpenSSH writes it.
const WIDTH: usize = 70;

/// The bytes between the armor's lines.
pub(super) fn unarmor(armored: &str) -> Result<Vec<u8>, Refused> {
    if armored.len() > MAX_ARMOR {
        return Err(Refused::new(format!(
            "the SSH signature has {} bytes: at most {MAX_ARMOR} are read",
            armored.len()
        )));
    }
    match blocks(armored) {
        0 => return Err(Refused::new(format!("not an SSH signature: expected {BEGIN}"))),
        1 => {}
        _ => return Err(Refused::new("more than one signature block: sign once, with one key")),
    }
    let text = armored.replace("\r\n", "\n");
    let body = text
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_prefix('\n'))
        .ok_or_else(|| Refused::new(format!("not an SSH signature: the first line must be {BEGIN}")))?;
    let (body, after) = body
        .split_once(END)
        .ok_or_else(|| Refused::new(format!("the SSH signature is cut off: {END} is missing")))?;
    if !after.chars().all(|rest| rest == '\n') {
        return Err(Refused::new("there is more after the end of the SSH signature: remove it"));
    }
    let base64: String = body.lines().collect();
    STANDARD.decode(base64).map_err(|error| Refused::new(format!("the SSH signature is not base64: {error}")))
}

/// The bytes in armor of one width, whatever width they came in.
pub(super) fn armor(bytes: &[u8]) -> String {
    let base64 = STANDARD.encode(bytes);
    let mut text = format!("{BEGIN}\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(WIDTH));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(END);
    text.push('\n');
    text
}

/// Checks the fields around key and signature, in their order on the wire.
pub(super) fn check(bytes: &[u8], namespace: &str) -> Result<(), Refused> {
    let rest = bytes
        .strip_prefix(b"SSHSIG")
        .ok_or_else(|| Refused::new("not an SSH signature: it does not begin with SSHSIG"))?;
    let mut rest = rest;
    let version = take(&mut rest, 4)?;
    if version != [0, 0, 0, 1] {
        return Err(Refused::new(format!(
            "version {version:?} of SSH signatures is not read: only version 1 is"
        )));
    }
    string(&mut rest)?; // The public key.
    let made_for = string(&mut rest)?;
    if made_for != namespace.as_bytes() {
        let shown: String = String::from_utf8_lossy(made_for).chars().take(60).collect();
        return Err(Refused::new(format!(
            "the SSH signature is made for the namespace {shown:?}, not for {namespace:?}: sign with -n {namespace}"
        )));
    }
    string(&mut rest)?; // Reserved: signed, and without a meaning yet.
    let hash = string(&mut rest)?;
    if !matches!(hash, b"sha256" | b"sha512") {
        let shown: String = String::from_utf8_lossy(hash).chars().take(60).collect();
        return Err(Refused::new(format!(
            "the hash algorithm {shown:?} is not taken: sign with sha256 or sha512"
        )));
    }
    string(&mut rest)?; // The signature.
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Refused::new(format!("{} bytes follow the SSH signature: remove them", rest.len())))
    }
}

/// The next `count` bytes.
fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], Refused> {
    let (taken, after) =
        rest.split_at_checked(count).ok_or_else(|| Refused::new("the SSH signature is cut off"))?;
    *rest = after;
    Ok(taken)
}

/// The next length-prefixed string (RFC 4251, section 5).
fn string<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Refused> {
    let length = take(rest, 4)?.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    take(rest, length)
}
