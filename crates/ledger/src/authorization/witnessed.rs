//! The witness: where a cluster demands one, nothing is applied whose decision it has not seen in the log.
//!
//! A witness looks at the log in its own time, so that no authorization comes with its cosignature. What it cosigned
//! last lies beside the log, in a store that is as little trusted as the log's: all that is believed is signed.

use countersign_core::keys;
use countersign_core::outcome::Check;
use countersign_core::ports::store::Store;

use super::checks::one_history;
use super::{NotVerified, Refused, refused};
use crate::checkpoint::SignedCheckpoint;
use crate::error::LedgerError;
use crate::trust::Trust;

/// The checkpoint that vouches for leaf `index`: the one it was proven by where no witness is demanded, or where it
/// bears enough cosignatures itself; else the newest that the witness cosigned, if it is of the same history.
pub(super) async fn find(
    proven: SignedCheckpoint,
    index: u64,
    trust: &Trust,
    store: &impl Store,
) -> Result<SignedCheckpoint, NotVerified> {
    if is_enough(&proven, trust)? {
        return Ok(proven);
    }
    let seen = read(store, keys::WITNESSED, trust).await?;
    let size = seen.as_ref().map_or(0, |seen| seen.checkpoint().size);
    if size <= index {
        let why = format!(
            "this cluster demands a witness, and the last one to cosign saw {size} leaves, not leaf {index}: it is \
             waited for; see that the witness runs"
        );
        return Err(NotVerified::Unwitnessed(why));
    }
    let Some(cosigned) = read(store, &keys::cosigned(size), trust).await? else {
        let why = format!("the witness saw {size} leaves, and its cosignature is not there yet");
        return Err(NotVerified::Unwitnessed(why));
    };
    if !is_enough(&cosigned, trust)? {
        let names: Vec<_> = trust.witnesses.keys.iter().map(|key| key.name()).collect();
        let why = format!(
            "the checkpoint of {size} leaves is cosigned by fewer than {} of the witnesses that this cluster trusts \
             ({}): run countersign cluster add again if its key was changed",
            trust.witnesses.required,
            names.join(", ")
        );
        return Err(refused(Check::Checkpoint, why).into());
    }
    if cosigned.checkpoint().size <= index {
        let why = format!("{}: a checkpoint of another size", keys::cosigned(size));
        return Err(refused(Check::Checkpoint, why).into());
    }
    one_history(proven, cosigned.clone(), store, "that the authorization was proven by").await?;
    Ok(cosigned)
}

fn is_enough(checkpoint: &SignedCheckpoint, trust: &Trust) -> Result<bool, Refused> {
    let witnessed = checkpoint.count_witnesses(&trust.witnesses.keys);
    let witnessed = witnessed.map_err(|error| refused(Check::Checkpoint, error.to_string()))?;
    Ok(witnessed >= trust.witnesses.required)
}

/// A checkpoint of the log that a witness left.
async fn read(store: &impl Store, key: &str, trust: &Trust) -> Result<Option<SignedCheckpoint>, NotVerified> {
    let Some(found) = store.get(key).await.map_err(NotVerified::Unavailable)? else { return Ok(None) };
    let wrong = |error: LedgerError| refused(Check::Checkpoint, format!("{key}: {error}"));
    let text = String::from_utf8_lossy(&found.bytes);
    let log = trust.checkpoint_keys().map_err(wrong)?;
    Ok(Some(SignedCheckpoint::verify_by_any(&text, &log).map_err(wrong)?))
}
