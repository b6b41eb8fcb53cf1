//! One comment on a pull request that is kept up to date: a section for each environment, found again by marks
//! that no reader sees. Forges have no compare-and-swap for comments, so a writer of this process waits for the
//! others, looks again after it wrote, and repairs what another process did meanwhile.

mod text;

use std::future::Future;

use countersign_core::digest::Digest;
use tokio::sync::Mutex;

use crate::client::failure::Failure;
pub(crate) use text::Section;
use text::Sections;

/// How often a comment is written again when someone else wrote it meanwhile.
const TRIES: usize = 6;

/// Comments that are written at once.
const LANES: usize = 16;

/// A comment that Countersign wrote.
#[derive(Clone, Debug)]
pub(crate) struct Comment {
    /// The forge's id. A smaller one is older.
    pub(crate) id: u64,
    /// The text.
    pub(crate) body: String,
}

/// The comments on one pull request.
pub(crate) trait Thread: Sync {
    /// The comments that this credential's own account or application wrote: a mark in anyone else's is forged.
    fn own(&self) -> impl Future<Output = Result<Vec<Comment>, Failure>> + Send;
    /// Adds a comment.
    fn create(&self, body: &str) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Replaces a comment's text.
    fn update(&self, id: u64, body: &str) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Removes a comment.
    fn delete(&self, id: u64) -> impl Future<Output = Result<(), Failure>> + Send;
    /// The most bytes of a comment.
    fn limit(&self) -> usize;
}

/// Writes comments, each by one writer at a time.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    lanes: [Mutex<()>; LANES],
}

impl Writer {
    /// Shows `section` in the comment of the pull request that `key` names. What is shown already, or tells of
    /// something newer, is left as it is.
    ///
    /// # Errors
    /// When the forge cannot be read or written, or others write the same comment all the time.
    pub(crate) async fn show(
        &self,
        key: &str,
        thread: &impl Thread,
        section: &Section,
    ) -> Result<(), Failure> {
        let lane = Digest::of(key.as_bytes()).as_bytes().first().map_or(0, |byte| usize::from(*byte) % LANES);
        let _alone = match self.lanes.get(lane) {
            Some(lane) => Some(lane.lock().await),
            None => None,
        };
        let mut written = false;
        for _ in 0..TRIES {
            let mut comments = thread.own().await?;
            comments.retain(|comment| Sections::are_in(&comment.body));
            comments.sort_by_key(|comment| comment.id);
            let Some((first, more)) = comments.split_first() else {
                thread.create(&Sections::default().with(section).text(thread.limit())).await?;
                written = true;
                continue;
            };
            let all = Sections::merged(comments.iter().map(|comment| comment.body.as_str()));
            let shows = if written { all.shows(section) } else { all.shows_unedited(section) };
            if shows && more.is_empty() {
                return Ok(());
            }
            if !shows || !more.is_empty() {
                thread.update(first.id, &all.with(section).text(thread.limit())).await?;
                written = true;
            }
            for duplicate in more {
                thread.delete(duplicate.id).await?;
            }
        }
        Err(Failure::later(format!(
            "{key}: its comment is being written by others all the time: it is tried again"
        )))
    }
}

#[cfg(test)]
mod tests;
