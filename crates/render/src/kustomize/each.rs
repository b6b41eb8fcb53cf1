//! Changes that look at one object only. Those that follow each other are made together, object by object: of many
//! objects none is in the processor's cache any more when another change comes to it.

use super::context::{Context, Outcome};
use super::resource::Resource;
use super::set::ResourceSet;

/// A change that looks at one object only.
pub(crate) trait Each {
    /// What is known before: how many objects there are.
    fn begin(&mut self, _objects: usize) {}

    /// Changes one object.
    fn change(&mut self, context: &mut Context<'_>, resource: &mut Resource) -> Outcome<()>;

    /// Whether objects may be called something else afterwards.
    fn renames(&self) -> bool {
        false
    }

    /// What is wrong once all objects were seen.
    fn end(&self) -> Outcome<()> {
        Ok(())
    }
}

/// The most changes that are made together.
const TOGETHER: usize = 32;

/// Changes that were not made yet.
#[derive(Default)]
pub(crate) struct Changes<'t> {
    waiting: Vec<Box<dyn Each + 't>>,
}

impl<'t> Changes<'t> {
    /// Adds a change, which is made before any that is added later.
    pub(crate) fn add(
        &mut self,
        context: &mut Context<'_>,
        set: &mut ResourceSet,
        change: impl Each + 't,
    ) -> Outcome<()> {
        self.waiting.push(Box::new(change));
        if self.waiting.len() < TOGETHER { Ok(()) } else { self.make(context, set) }
    }

    /// Makes all changes that wait.
    pub(crate) fn make(&mut self, context: &mut Context<'_>, set: &mut ResourceSet) -> Outcome<()> {
        let mut changes = std::mem::take(&mut self.waiting);
        if changes.iter().any(|change| change.renames()) {
            set.forget();
        }
        changes.iter_mut().for_each(|change| change.begin(set.items().len()));
        if !changes.is_empty() {
            for resource in set.iter_mut() {
                changes.iter_mut().try_for_each(|change| change.change(context, resource))?;
            }
        }
        changes.iter().try_for_each(|change| change.end())
    }
}

/// Makes one change to all objects.
pub(crate) fn run(context: &mut Context<'_>, set: &mut ResourceSet, change: impl Each) -> Outcome<()> {
    let mut changes = Changes::default();
    changes.add(context, set, change)?;
    changes.make(context, set)
}
