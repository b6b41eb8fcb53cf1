//! What a look's commit renders to, and how that differs from what runs.

use countersign_core::configuration::TargetConfiguration;
use countersign_core::facts::{Facts, Operation, Render};
use countersign_core::keys;
use countersign_core::manifest::Manifest;
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::{self, Store, Write};
use countersign_core::stage::StageError;
use countersign_core::target::TargetState;
use countersign_render::diff;
use countersign_render::rendered::ManifestBlob;

use crate::Gatherer;
use crate::collect::Subject;
use crate::look::Look;
use crate::preview::{Content, Preview};
use crate::reading::{Made, Reading};

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// Fills in what is said about objects of a look that takes them away, or does not change any.
    pub(crate) async fn no_objects(
        &self,
        facts: &mut Facts,
        subject: &Subject<'_>,
    ) -> Result<(), StageError> {
        if facts.change.operation == Operation::Remove {
            let before = self.running_manifest(subject.state).await?;
            let empty = store::put_blob(self.store, keys::manifest, &Manifest::new(Vec::new())).await?;
            facts.manifest = Some(empty);
            facts.diff = diff::diff(before.as_ref(), None);
        }
        Ok(())
    }

    /// Fills in what is said about the objects that a target renders to.
    pub(crate) async fn objects(
        &self,
        reading: &Reading<'_>,
        configured: &TargetConfiguration<'_>,
        facts: &mut Facts,
        made: Made,
        subject: &Subject<'_>,
        look: &Look,
    ) -> Result<(), StageError> {
        if matches!(facts.render, Render::Failed { .. }) {
            return Ok(());
        }
        let fork = look.preview.as_ref().filter(|preview| preview.fork);
        let before = match fork {
            Some(preview) => self.base_manifest(reading, configured, preview).await?,
            None => self.running_manifest(subject.state).await?,
        };
        let rendered = match made.result {
            Ok(rendered) => rendered,
            Err(problems) => {
                facts.render = Render::Failed { problems };
                return Ok(());
            }
        };
        let ManifestBlob { bytes, digest } = rendered.blob().map_err(not_json)?;
        reading.later(Write::PutIfAbsent { key: keys::manifest(&digest), bytes });
        facts.render = Render::Rendered;
        facts.manifest = Some(digest);
        if configured.environment.exact {
            facts.reviewed = self.reviewed(reading, configured, facts, &made.inputs).await?;
        }
        facts.objects = rendered.facts();
        facts.images = rendered.images();
        facts.diff = diff::diff(before.as_ref(), Some(&rendered.manifest()));
        if fork.is_none() {
            facts.conflicts = self.conflicts(reading, configured, &facts.objects).await?;
        }
        Ok(())
    }

    /// What a fork's pull request is compared with: what its base renders to, which its author can read as well.
    async fn base_manifest(
        &self,
        reading: &Reading<'_>,
        configured: &TargetConfiguration<'_>,
        preview: &Preview,
    ) -> Result<Option<Manifest>, StageError> {
        let content = Content::Commit(&reading.repository, preview.base.clone());
        let Ok(rendered) = self.rendered(reading, configured, &content).await?.result else {
            return Ok(None);
        };
        Ok(Some(rendered.manifest()))
    }

    async fn running_manifest(&self, state: Option<&TargetState>) -> Result<Option<Manifest>, StageError> {
        let running = state.and_then(|state| state.running.as_ref());
        match running.and_then(|running| running.manifest) {
            Some(digest) => Ok(Some(store::get_blob(self.store, keys::manifest, &digest).await?)),
            None => Ok(None),
        }
    }
}

pub fn not_json(error: serde_json::Error) -> StageError {
    StageError::Final(format!("a manifest cannot be written as JSON: {error}"))
}
