//! How much a render may cost. Budgets count work, not seconds, so that a repeat ends the same way.

use std::collections::HashSet;
use std::fmt::Display;
use std::ops::{AddAssign, Sub};

use crate::yaml::node::Text;

/// The most that one render may take of everything that a repository's author controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Files that are read.
    pub files: usize,
    /// Entries of folders that are looked at, manifest or not.
    pub entries: usize,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files together.
    pub total_bytes: u64,
    /// How deep lists and mappings may be nested.
    pub depth: usize,
    /// Bytes of the JSON pointer that leads to a value.
    pub path: usize,
    /// Values in all files together, before aliases are expanded. A YAML file may have a quarter as many
    /// commas and brackets, wherever they stand: the parser holds a whole `[…]` or `{…}` in memory.
    pub nodes: u64,
    /// Bytes of memory, roughly, that aliases and merge keys may copy in all files together.
    pub expansion: u64,
    /// Bytes of memory, roughly, that transformers may add to what the files hold: copies, labels, longer texts. A
    /// text counts wherever it stands, also where it is kept only once.
    pub growth: u64,
    /// Bytes of memory, roughly, of all objects together when everything is done.
    pub output: u64,
    /// Objects.
    pub objects: usize,
    /// Bytes of the JSON pointers of fields whose line is kept, in all objects together. Of an object the
    /// fields nearest to its root come first; beyond the budget the line of the object stands for them.
    pub lines: usize,
    /// Kustomizations that are built, each as often as it is named.
    pub kustomizations: usize,
    /// How many kustomizations may stand one in the other.
    pub bases: usize,
    /// Steps of kustomize's transformers: a look at an object, a field that is followed, a list item that is
    /// merged.
    pub steps: u64,
    /// Bytes of a regular expression, written and compiled.
    pub expression: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            files: 2_000,
            entries: 50_000,
            file_bytes: 4 << 20,
            total_bytes: 32 << 20,
            depth: 100,
            path: 2_048,
            nodes: 500_000,
            expansion: 16 << 20,
            growth: 16 << 20,
            output: 64 << 20,
            objects: 5_000,
            lines: 16 << 20,
            kustomizations: 1_000,
            bases: 50,
            steps: 5_000_000,
            expression: 256 << 10,
        }
    }
}

impl Budget {
    /// The budget for a render of up to `count` objects: what the number of objects decides grows with it.
    #[must_use]
    pub fn for_objects(count: usize) -> Self {
        let usual = Self::default();
        let times = count.div_ceil(usual.objects).max(1);
        let more = times as u64;
        Self {
            files: usual.files.saturating_mul(times),
            entries: usual.entries.saturating_mul(times),
            file_bytes: usual.file_bytes.saturating_mul(more),
            total_bytes: usual.total_bytes.saturating_mul(more),
            nodes: usual.nodes.saturating_mul(more),
            objects: count,
            kustomizations: usual.kustomizations.saturating_mul(times),
            expansion: usual.expansion.saturating_mul(more),
            growth: usual.growth.saturating_mul(more),
            output: usual.output.saturating_mul(more),
            lines: usual.lines.saturating_mul(times),
            steps: usual.steps.saturating_mul(more),
            ..usual
        }
    }
}

/// What a render took of its budget. What was refused is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Files that were read.
    pub files: usize,
    /// Bytes of all files together.
    pub bytes: u64,
    /// Values.
    pub nodes: u64,
    /// Bytes that aliases and merge keys copied.
    pub expansion: u64,
    /// Bytes that transformers added.
    pub growth: u64,
    /// Kustomizations that were built.
    pub kustomizations: usize,
    /// Steps of transformers.
    pub steps: u64,
}

/// What was taken of a budget so far.
pub(crate) struct Meter<'a> {
    pub(crate) budget: &'a Budget,
    pub(crate) work: Work,
    /// Texts that were seen of late, each kept once: keys, and values that are as short as keys are.
    texts: HashSet<Text>,
}

/// The bytes of the longest text that is likely to come again.
const SHORT: usize = 32;

/// How many texts are kept to see that they come again: what does, does so soon, and is then in the processor's cache.
const RECENT: usize = 4_096;

/// A budget is used up: nothing more of this render is worth reading.
#[derive(Debug)]
pub(crate) struct Exhausted {
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(budget: &'a Budget) -> Self {
        Self { budget, work: Work::default(), texts: HashSet::new() }
    }

    /// How much was taken for values so far, for [`Self::reset`].
    pub(crate) fn mark(&self) -> (u64, u64) {
        (self.work.nodes, self.work.expansion)
    }

    /// Gives back what was taken for values since: their text is read again.
    pub(crate) fn reset(&mut self, (nodes, expansion): (u64, u64)) {
        (self.work.nodes, self.work.expansion) = (nodes, expansion);
    }

    /// `text`, shared with where it was seen before.
    pub(crate) fn text(&mut self, text: &str) -> Text {
        if text.len() > SHORT {
            return Text::from(text);
        }
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        if self.texts.len() >= RECENT {
            self.texts.clear();
        }
        let text = Text::from(text);
        self.texts.insert(text.clone());
        text
    }

    /// Takes steps of a transformer.
    pub(crate) fn steps(&mut self, count: usize) -> Result<(), Exhausted> {
        let most = self.budget.steps;
        take(&mut self.work.steps, count as u64, most).ok_or_else(|| Exhausted {
            message: format!("transforming the objects takes more than {most} steps"),
            help: "render fewer objects from one path, or make patches and replacements more specific",
        })
    }

    /// Takes bytes that a transformer adds; `what` adds them.
    pub(crate) fn grow(&mut self, bytes: u64, what: &dyn Display) -> Result<(), Exhausted> {
        let most = self.budget.growth;
        take(&mut self.work.growth, bytes, most).ok_or_else(|| Exhausted {
            message: format!("with {what} the objects grow by more than {most} bytes in all"),
            help: "copy or add less, or render fewer objects from one path",
        })
    }

    /// Takes one kustomization.
    pub(crate) fn kustomization(&mut self) -> Result<(), Exhausted> {
        let most = self.budget.kustomizations;
        take(&mut self.work.kustomizations, 1, most).ok_or_else(|| Exhausted {
            message: format!("more than {most} kustomizations are built in all"),
            help: "name each base and component once, or render fewer applications from one path",
        })
    }

    /// Takes one value.
    pub(crate) fn node(&mut self) -> Result<(), Exhausted> {
        let most = self.budget.nodes;
        take(&mut self.work.nodes, 1, most).ok_or_else(|| Exhausted {
            message: format!("the files hold more than {most} values in all"),
            help: "render fewer objects from one path",
        })
    }

    /// Takes a copy of `weight` bytes that an alias or a merge key makes.
    pub(crate) fn copy(&mut self, weight: u64) -> Result<(), Exhausted> {
        let most = self.budget.expansion;
        take(&mut self.work.expansion, weight, most).ok_or_else(|| Exhausted {
            message: format!("aliases expand to more than {most} bytes in all"),
            help: "write the values out instead of nesting aliases in aliases",
        })
    }

    /// Takes the bytes of a file.
    pub(crate) fn file(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let Budget { files, total_bytes, .. } = *self.budget;
        take(&mut self.work.files, 1, files).ok_or_else(|| Exhausted {
            message: format!("more than {files} files are read in all"),
            help: "render fewer files from one path, or put many small ones into one",
        })?;
        take(&mut self.work.bytes, bytes as u64, total_bytes).ok_or_else(|| Exhausted {
            message: format!("the files have more than {total_bytes} bytes in all"),
            help: "render fewer or smaller files from one path",
        })
    }
}

/// Adds to what was taken, unless that were more than `most`.
fn take<N: Copy + PartialOrd + Sub<Output = N> + AddAssign>(taken: &mut N, more: N, most: N) -> Option<()> {
    (*taken <= most && more <= most - *taken).then(|| *taken += more)
}
