#![doc = include_str!("../README.md")]

use countersign_core::keys;
use countersign_core::ports::PortError;
use countersign_core::ports::signer::Signer;
use countersign_core::ports::store::{Store, Versioned, Written};
use countersign_core::stage::StageError;
use countersign_core::time::Timestamp;
use countersign_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use countersign_ledger::log;
use countersign_ledger::merkle::verify_consistency;
use countersign_ledger::note::NoteKey;
use countersign_ledger::view::View;

/// The stage, with the ports that it touches the world through.
pub struct Witness<'a, L, O, W> {
    /// The log, which is only read.
    pub log: &'a L,
    /// What the witness saw.
    pub own: &'a O,
    /// The log's keys, pinned, and never read from the log: more than one while they change, the newest first.
    pub keys: &'a [NoteKey],
    /// The witness's name in its cosignatures.
    pub name: &'a str,
    /// The witness's key.
    pub signer: &'a W,
}

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is no log yet.
    Nothing,
    /// A log of so many leaves that extends what was seen before; it is cosigned.
    Extended(u64),
    /// Another log than was seen before. It is not cosigned, and what was seen stays kept.
    Inconsistent(String),
}

impl<L: Store, O: Store, W: Signer> Witness<'_, L, O, W> {
    /// Looks at the newest checkpoint. It is kept as seen before it is cosigned, so that no two logs ever are.
    ///
    /// # Errors
    /// When a store or the signer fails, or the log does not hold what its checkpoint vouches for.
    pub async fn handle(&self, now: Timestamp) -> Result<Found, StageError> {
        let kept = self.own.get(keys::WITNESSED).await?;
        let seen = kept.as_ref().map(|kept| self.seen(kept)).transpose()?;
        let Some(mut view) = log::open(self.log, self.keys).await? else {
            let gone =
                |seen: &Checkpoint| Found::Inconsistent(format!("the log of {} leaves is gone", seen.size));
            return Ok(seen.as_ref().map_or(Found::Nothing, gone));
        };
        if let Some(seen) = &seen
            && let Some(why) = difference(seen, &mut view).await?
        {
            return Ok(Found::Inconsistent(why));
        }
        self.keep(kept, view.at()).await?;
        let key = keys::cosigned(view.size());
        if self.own.get(&key).await?.is_none() {
            let cosigned = view.at().cosign(self.name, self.signer, now).await?;
            self.own.put_if_absent(&key, cosigned.text().as_bytes()).await?;
        }
        Ok(Found::Extended(view.size()))
    }

    /// What was seen last, which a key of the log has signed as well.
    fn seen(&self, kept: &Versioned) -> Result<Checkpoint, StageError> {
        let text = String::from_utf8_lossy(&kept.bytes);
        let seen = SignedCheckpoint::verify_by_any(&text, self.keys)
            .map_err(|error| StageError::Retry(format!("{}: {error}", keys::WITNESSED)))?;
        Ok(seen.checkpoint().clone())
    }

    async fn keep(&self, kept: Option<Versioned>, newest: &SignedCheckpoint) -> Result<(), StageError> {
        let bytes = newest.text().as_bytes();
        let written = match kept {
            Some(kept) if kept.bytes == bytes => return Ok(()),
            Some(kept) => self.own.compare_and_swap(keys::WITNESSED, &kept.version, bytes).await?,
            None => self.own.put_if_absent(keys::WITNESSED, bytes).await?,
        };
        match written {
            Written::Stored(_) => Ok(()),
            Written::Conflict => {
                Err(PortError::Unavailable("another call saw a checkpoint meanwhile".to_owned()).into())
            }
        }
    }
}

/// Why what was seen is no prefix of the log; `None` if it is.
async fn difference<S: Store>(
    seen: &Checkpoint,
    view: &mut View<'_, S>,
) -> Result<Option<String>, StageError> {
    let new = view.at().checkpoint().clone();
    if new.size < seen.size {
        return Ok(Some(format!("a log of {} leaves was seen, and now it has {}", seen.size, new.size)));
    }
    let path = view.consistency_proof(seen.size).await?;
    let consistent = verify_consistency((seen.size, &seen.root), (new.size, &new.root), &path);
    Ok((!consistent).then(|| {
        format!("the log of {} leaves does not begin with the {} that were seen", new.size, seen.size)
    }))
}
