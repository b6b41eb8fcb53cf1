//! The control repository as a target: its files ask to become the active bundle.

use countersign_core::bundle::{BundleSource, CONFIGURATION, DATA, POLICIES, WAIVERS};
use countersign_core::digest::Digest;
use countersign_core::event::Event;
use countersign_core::facts::{Facts, Operation, Render};
use countersign_core::keys;
use countersign_core::names::{AttemptId, CommitId, Target};
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::{self, Store};
use countersign_core::stage::StageError;
use countersign_core::target::{ActiveBundle, TargetState};

use crate::Gatherer;
use crate::collect::{Subject, Way};
use crate::look::Look;
use crate::owners;
use crate::preview::Content;
use crate::reading::{Reading, of_git};

impl<S: Store, Q: Queue, F: ForgeRead> Gatherer<'_, S, Q, F> {
    /// A look at the control repository, unless its tip is what is active.
    pub(crate) async fn control_look(
        &self,
        reading: &Reading<'_>,
        tip: &CommitId,
    ) -> Result<Option<Look>, StageError> {
        let tree = reading.repository.tree(tip).map_err(of_git)?;
        let active =
            BundleSource::collect(&tree).is_ok_and(|source| source.digest() == reading.active.bundle);
        let look = Look { target: Target::control(), commit: tip.clone(), preview: None, command: None };
        Ok((!active).then_some(look))
    }

    /// The facts of a look at the control repository.
    pub(crate) async fn collect_control(
        &self,
        reading: &Reading<'_>,
        event: &Event,
        look: &Look,
        attempt: AttemptId,
        state: Option<&TargetState>,
    ) -> Result<Facts, StageError> {
        let follows = reading.active.configuration.control_ref().ok_or_else(|| {
            StageError::Final("countersign.yaml: control.branch is not a branch name".to_owned())
        })?;
        let active: Option<ActiveBundle> = store::get_json(self.store, keys::ACTIVE_BUNDLE).await?;
        let from = active.map(|active| active.commit);
        let mut paths = [CONFIGURATION, POLICIES, DATA, WAIVERS].map(str::to_owned).to_vec();
        let code_owners = reading.active.configuration.control.approvals.code_owners;
        if code_owners {
            paths.extend(reading.owners_files());
        }
        let subject = Subject { follows, from, paths, state }.shown_to(look);
        let way = match look.command {
            Some(_) => Way::nowhere(&subject),
            None => self.way(reading, look, &subject).await?,
        };
        let (content, problem) = Content::of(&reading.repository, look).map_err(of_git)?;
        let mut facts =
            self.facts(reading, event, look, attempt, &subject, way, &content, Operation::Activate)?;
        facts.target.path = String::new();
        if code_owners && look.command.is_none() {
            facts.owners = owners::of(reading, look, &facts, &content, &subject.paths)?;
        }
        if let Some(problem) = problem {
            facts.render = Render::Failed { problems: vec![problem] };
            return Ok(facts);
        }
        let tree = content.tree().map_err(of_git)?;
        match BundleSource::collect(&tree) {
            Ok(source) => {
                let digest = source.digest();
                self.store.put_if_absent(&keys::bundle_source(&digest), &source.to_bytes()).await?;
                facts.change.closure = digest;
                facts.change.new_bundle = Some(digest);
            }
            Err(problems) => {
                facts.change.closure = Digest::of(facts.change.tree.as_str().as_bytes());
                facts.render = Render::Failed { problems };
            }
        }
        Ok(facts)
    }
}
