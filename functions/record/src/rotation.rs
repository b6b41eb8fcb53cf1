//! The step from one epoch of the log to the next.

use countersign_core::keys;
use countersign_core::leaf::{Record, RotationRecord};
use countersign_core::ports::queue::Queue;
use countersign_core::ports::signer::Signer;
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::StageError;
use countersign_core::time::Timestamp;
use countersign_ledger::epochs::{Epoch, Epochs};
use countersign_ledger::error::LedgerError;
use countersign_ledger::log;

use crate::{Recorder, Settings, leaf};

impl<S: Store, Q: Queue, L: Signer, A: Signer> Recorder<'_, S, Q, L, A> {
    /// Announces the epoch that `epochs` has come to, unless that is done: under the keys of the epoch before, which
    /// `signers` opens. `rotation` is what the root key signed of it.
    ///
    /// What was recorded before is settled before, with the earlier keys, so that nothing is authorized in an epoch that
    /// it is not of.
    ///
    /// # Errors
    /// What `signers` returns; [`StageError::Final`] when it opens other keys; otherwise when the store, the log or a
    /// queue fails, and a repeat continues where this ended.
    pub async fn begin_epoch<E: From<StageError>>(
        &self,
        now: Timestamp,
        (epochs, rotation): (&Epochs, &[u8]),
        signers: impl AsyncFnOnce(&Epoch) -> Result<(L, A), E>,
    ) -> Result<(), E> {
        let Some(before) = epochs.earlier().last() else { return Ok(()) };
        if self.signed_the_head().await? {
            return Ok(());
        }
        let (log_signer, authorization_signer) = signers(before).await?;
        before.check(&log_signer, &authorization_signer).map_err(StageError::from)?;
        let settings = Settings { epoch: before.epoch, ..self.settings.clone() };
        let earlier = Recorder {
            log_signer: &log_signer,
            authorization_signer: &authorization_signer,
            settings: &settings,
            ..*self
        };
        Ok(earlier.announce(now, epochs.current(), rotation, self.log_signer).await?)
    }

    /// Whether the log goes on with this key: there is none yet, or its checkpoint is signed with it.
    async fn signed_the_head(&self) -> Result<bool, StageError> {
        match log::open(self.store, &[self.log_key()?]).await {
            Ok(_) => Ok(true),
            Err(LedgerError::Signature(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn announce(
        &self,
        now: Timestamp,
        next: &Epoch,
        rotation: &[u8],
        signer: &L,
    ) -> Result<(), StageError> {
        let size = self.settle_all().await?.map_or(0, |log| log.size());
        let Epoch { epoch, log_key, authorization_key } = next.clone();
        let rotation = store::put_blob_bytes(self.store, keys::blob, rotation).await?;
        let record = Record::Rotation(RotationRecord { rotation, epoch, log_key, authorization_key });
        let (_, leaf) = leaf::of(now, record)?;
        log::rotate(self.store, (self.log_signer, signer), &self.settings.origin, leaf, size).await?;
        tracing::info!(epoch, "the log goes on with other keys");
        Ok(())
    }
}
