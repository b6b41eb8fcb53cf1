//! The objects of a build, in order, found by what they are or were called.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};

use super::context::{Outcome, wrong};
use super::id::Id;
use super::resource::Resource;

/// Where the objects of one name are: nearly always one.
enum Places {
    One(u32),
    More(Vec<u32>),
}

impl Places {
    fn add(&mut self, at: u32) {
        match self {
            known if known.all().contains(&at) => {}
            Self::One(first) => *self = Self::More(vec![*first, at]),
            Self::More(all) => all.push(at),
        }
    }

    fn all(&self) -> &[u32] {
        match self {
            Self::One(at) => std::slice::from_ref(at),
            Self::More(all) => all,
        }
    }
}

/// The hash of a number that is one.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Objects, in the order in which they were added. No two are called the same.
#[derive(Default)]
pub(crate) struct ResourceSet {
    items: Vec<Resource>,
    /// Where the objects of a name are, by a hash of kind, name and namespace. A name that an object has no more
    /// does no harm: what is found is compared.
    index: HashMap<u64, Places, BuildHasherDefault<Hashed>>,
    /// What names are hashed with.
    names: RandomState,
    /// How many of `items` are in `index`; none after a change that is not followed one by one.
    indexed: usize,
    /// Whether an object was changed since no two were called the same.
    changed: bool,
}

impl ResourceSet {
    pub(crate) fn items(&self) -> &[Resource] {
        &self.items
    }

    /// All objects, to change them. Their names may change, so the index is made again when it is needed.
    pub(crate) fn items_mut(&mut self) -> &mut Vec<Resource> {
        self.forget();
        &mut self.items
    }

    /// All objects, to change them but not their names.
    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Resource> {
        self.changed = true;
        self.items.iter_mut()
    }

    pub(crate) fn into_items(self) -> Vec<Resource> {
        self.items
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Resource> {
        self.items.get(index)
    }

    /// An object, to change it but not its names.
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Resource> {
        self.changed = true;
        self.items.get_mut(index)
    }

    pub(crate) fn forget(&mut self) {
        self.changed = true;
        self.index.clear();
        self.indexed = 0;
    }

    fn hash(&self, id: &Id<'_>) -> u64 {
        self.names.hash_one((id.kind, id.name, id.effective()))
    }

    fn bring_up_to_date(&mut self) {
        let from = self.indexed;
        self.indexed = self.items.len();
        for at in from..self.items.len() {
            let Some(resource) = self.items.get(at) else { return };
            let ids = resource.previous_ids().chain(std::iter::once(resource.id()));
            let mut hashes: Vec<u64> = ids.map(|id| self.hash(&id)).collect();
            hashes.sort_unstable();
            hashes.dedup();
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            for hash in hashes {
                let add = |places: &mut Places| places.add(at);
                self.index.entry(hash).and_modify(add).or_insert(Places::One(at));
            }
        }
    }

    fn candidates(&mut self, id: &Id<'_>) -> impl Iterator<Item = (usize, &Resource)> {
        self.bring_up_to_date();
        let found = self.index.get(&self.hash(id)).map_or(&[][..], Places::all);
        found.iter().filter_map(|at| {
            let at = usize::try_from(*at).ok()?;
            Some((at, self.items.get(at)?))
        })
    }

    /// The objects that are called `id` now.
    pub(crate) fn with_id(&mut self, id: &Id<'_>) -> Vec<usize> {
        self.candidates(id).filter(|(_, resource)| resource.id().same(id)).map(|(at, _)| at).collect()
    }

    /// The objects that are or were called `id`.
    pub(crate) fn with_any_id(&mut self, id: &Id<'_>) -> Vec<usize> {
        let matches = |resource: &Resource| {
            resource.id().same(id) || resource.previous_ids().any(|previous| previous.same(id))
        };
        self.candidates(id).filter(|(_, resource)| matches(resource)).map(|(at, _)| at).collect()
    }

    /// Adds an object.
    ///
    /// # Errors
    /// When one is called the same.
    pub(crate) fn append(&mut self, resource: Resource) -> Outcome<()> {
        let same = self.with_id(&resource.id());
        if let Some(first) = same.first().and_then(|at| self.items.get(*at)) {
            let message = format!("{} is here twice: first on line {}", resource.id(), first.node.at.line);
            return wrong(resource.node.at, message, "remove one of them, or patch it instead");
        }
        self.items.push(resource);
        Ok(())
    }

    /// Adds all objects of another set.
    pub(crate) fn append_all(&mut self, other: Self) -> Outcome<()> {
        if !self.items.is_empty() {
            return other.items.into_iter().try_for_each(|resource| self.append(resource));
        }
        *self = other;
        self.each_once()
    }

    /// Checks that no two objects are called the same.
    pub(crate) fn each_once(&mut self) -> Outcome<()> {
        if self.changed {
            let mut names = Names::of(self.items.len());
            self.items.iter().try_for_each(|resource| names.add(resource))?;
            self.changed = false;
        }
        Ok(())
    }

    /// Lets an object be found by a name that it was given.
    pub(crate) fn renamed(&mut self, at: usize) {
        let Some(hash) = self.items.get(at).map(|resource| self.hash(&resource.id())) else { return };
        if at < self.indexed {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            let add = |places: &mut Places| places.add(at);
            self.index.entry(hash).and_modify(add).or_insert(Places::One(at));
        }
    }

    /// Puts another object of the same name in the place of one.
    pub(crate) fn replace(&mut self, at: usize, resource: Resource) {
        self.changed = true;
        if let Some(place) = self.items.get_mut(at) {
            *place = resource;
        }
    }

    /// Removes the objects that a patch has deleted.
    pub(crate) fn drop_empty(&mut self) {
        if self.items.iter().any(|resource| resource.empty) {
            self.forget();
            self.items.retain(|resource| !resource.empty);
        }
    }
}

/// What objects are called, to see that no two are called the same.
pub(crate) struct Names<'r> {
    seen: HashSet<[&'r str; 5]>,
}

impl<'r> Names<'r> {
    /// Room for the names of so many objects.
    pub(crate) fn of(count: usize) -> Self {
        Self { seen: HashSet::with_capacity(count) }
    }

    /// Adds the name of an object.
    ///
    /// # Errors
    /// When another one is called the same.
    pub(crate) fn add(&mut self, resource: &'r Resource) -> Outcome<()> {
        let id = resource.id();
        if self.seen.insert([id.group, id.version, id.kind, id.name, id.effective()]) {
            return Ok(());
        }
        let message = format!("{id} is here twice");
        wrong(resource.node.at, message, "remove one of them, or patch it instead")
    }
}
