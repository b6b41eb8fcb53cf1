//! Auditing a log from its first leaf to its last: nothing that it says of itself is believed.

use std::collections::BTreeMap;

use countersign_core::ports::store::Store;

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::edge::{Edge, File};
use crate::error::LedgerError;
use crate::log;
use crate::note::NoteKey;
use crate::tile::{Content, Tile, WIDTH, bytes_to_entries, bytes_to_hashes};
use crate::view::View;

mod rules;

/// The most problems that a report lists; all are counted.
pub const MAX_PROBLEMS: usize = 100;

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// The checkpoint that was audited; its signature is good.
    pub checkpoint: Checkpoint,
    /// How many leaves of each kind there are: `genesis`, `decision authorized`, `outcome healthy`, …
    pub counts: BTreeMap<String, u64>,
    /// The first [`MAX_PROBLEMS`] problems, in the order of the leaves.
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub found: u64,
}

/// Something in a log that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The leaf; none when it is of the whole tree.
    pub leaf: Option<u64>,
    /// What is wrong, for people.
    pub what: String,
}

impl AuditReport {
    /// Whether nothing was found.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.found == 0
    }

    fn problem(&mut self, leaf: Option<u64>, what: impl Into<String>) {
        self.found += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { leaf, what: what.into() });
        }
    }
}

/// Audits a log under its newest checkpoint.
///
/// Every leaf is hashed anew and every tile computed anew and compared with the published one; the root
/// must be the one that was signed. Then the leaves are followed by their meaning: what may come after
/// what. Leaves are read bundle by bundle; kept in memory is what later leaves may refer to.
///
/// # Errors
/// When there is no checkpoint, its signature is of none of `keys`, or the store cannot be read. What is wrong
/// with the log itself is in the report.
pub async fn audit(store: &impl Store, keys: &[NoteKey]) -> Result<AuditReport, LedgerError> {
    let at = log::read_checkpoint(store, keys).await?;
    let at = at.ok_or_else(|| LedgerError::Missing { key: log::checkpoint_key(), size: 0 })?;
    Audit::new(store, at).run().await
}

struct Audit<'a, S> {
    view: View<'a, S>,
    edge: Edge,
    rules: rules::Rules,
    report: AuditReport,
}

impl<'a, S: Store> Audit<'a, S> {
    fn new(store: &'a S, at: SignedCheckpoint) -> Self {
        let checkpoint = at.checkpoint().clone();
        let rules = rules::Rules::new(&checkpoint.origin);
        let report = AuditReport { checkpoint, counts: BTreeMap::new(), problems: Vec::new(), found: 0 };
        Self { view: View::new(store, at), edge: Edge::empty(), rules, report }
    }

    async fn run(mut self) -> Result<AuditReport, LedgerError> {
        for index in 0..self.view.size().div_ceil(WIDTH) {
            if !self.bundle(index).await? {
                return Ok(self.report);
            }
        }
        let files = self.edge.partial_since(0);
        self.compare(files).await?;
        if self.edge.root() != self.report.checkpoint.root {
            self.report.problem(None, "the leaves do not have the root that the checkpoint signs");
        }
        if let Some(due) = self.rules.rotated_to()
            && !self.view.at().is_signed_by(&due?)?
        {
            let what = "the checkpoint is signed by another key than the last epoch began with";
            self.report.problem(None, what);
        }
        Ok(self.report)
    }

    /// Audits the leaves of one bundle; false when they cannot be read, so that nothing after them can be.
    async fn bundle(&mut self, index: u64) -> Result<bool, LedgerError> {
        let first = index * WIDTH;
        let Some(tile) = Tile::in_tree(0, index, self.view.size()) else { return Ok(true) };
        let Some(bytes) = self.read(tile, Content::Leaves, first).await? else { return Ok(false) };
        let Some(leaves) = bytes_to_entries(&bytes, tile.width) else {
            self.report.problem(
                Some(first),
                format!("{}: not a bundle of this many leaves", tile.path(Content::Leaves)),
            );
            return Ok(false);
        };
        for (index, leaf) in (first..).zip(leaves) {
            self.edge.push(leaf)?;
            let report = &mut self.report;
            let kind = self.rules.follow(index, leaf, &mut |what| report.problem(Some(index), what));
            *self.report.counts.entry(kind).or_default() += 1;
        }
        let full = self.edge.take_full();
        self.compare(full).await?;
        Ok(true)
    }

    /// Compares tiles that were computed from the leaves with those that are published.
    async fn compare(&mut self, computed: Vec<File>) -> Result<(), LedgerError> {
        for file in computed.into_iter().filter(|file| file.content == Content::Hashes) {
            let tile = file.tile;
            let first = tile.index.saturating_mul(WIDTH);
            let Some(bytes) = self.read(tile, Content::Hashes, first).await? else { continue };
            let published = bytes_to_hashes(&bytes, tile.width).unwrap_or_default();
            let computed = bytes_to_hashes(&file.bytes, tile.width).unwrap_or_default();
            if published == computed {
                continue;
            }
            let same = published.iter().zip(&computed).take_while(|(one, other)| one == other).count() as u64;
            let (leaf, what) = match tile.level {
                0 => (Some(first + same), "the leaf is not the one that was hashed into the tree".to_owned()),
                _ => (None, format!("{}: hash {same} is not that of the tiles below it", file.path())),
            };
            self.report.problem(leaf, what);
        }
        Ok(())
    }

    async fn read(
        &mut self,
        tile: Tile,
        content: Content,
        first: u64,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        match self.view.file(tile, content).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(LedgerError::Missing { key, .. }) => {
                self.report.problem((tile.level == 0).then_some(first), format!("{key}: missing"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
