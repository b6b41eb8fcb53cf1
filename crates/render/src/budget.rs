//! How much a render may cost. Budgets count work, not seconds, so that a repeat ends the same way.

use std::collections::HashSet;

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
            lines: usual.lines.saturating_mul(times),
            steps: usual.steps.saturating_mul(more),
            ..usual
        }
    }
}

/// What was taken of a budget so far.
pub(crate) struct Meter<'a> {
    pub(crate) budget: &'a Budget,
    nodes: u64,
    expansion: u64,
    files: usize,
    bytes: u64,
    /// Texts that were seen, each kept once: keys, and values that are as short as keys are.
    texts: HashSet<Text>,
    steps: u64,
    kustomizations: usize,
}

/// The bytes of the longest text that is likely to come again.
const SHORT: usize = 32;

/// A budget is used up: nothing more of this render is worth reading.
#[derive(Debug)]
pub(crate) struct Exhausted {
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(budget: &'a Budget) -> Self {
        Self {
            budget,
            nodes: 0,
            expansion: 0,
            files: 0,
            bytes: 0,
            texts: HashSet::new(),
            steps: 0,
            kustomizations: 0,
        }
    }

    /// How much was taken for values so far, for [`Self::reset`].
    pub(crate) fn mark(&self) -> (u64, u64) {
        (self.nodes, self.expansion)
    }

    /// Gives back what was taken for values since: their text is read again.
    pub(crate) fn reset(&mut self, (nodes, expansion): (u64, u64)) {
        (self.nodes, self.expansion) = (nodes, expansion);
    }

    /// `text`, shared with where it was seen before.
    pub(crate) fn text(&mut self, text: &str) -> Text {
        if text.len() > SHORT {
            return Text::from(text);
        }
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let text = Text::from(text);
        self.texts.insert(text.clone());
        text
    }

    /// Takes steps of a transformer.
    pub(crate) fn steps(&mut self, count: usize) -> Result<(), Exhausted> {
        self.steps = self.steps.saturating_add(count as u64);
        if self.steps <= self.budget.steps {
            return Ok(());
        }
        Err(Exhausted {
            message: format!("transforming the objects takes more than {} steps", self.budget.steps),
            help: "render fewer objects from one path, or make patches and replacements more specific",
        })
    }

    /// Takes one kustomization.
    pub(crate) fn kustomization(&mut self) -> Result<(), Exhausted> {
        self.kustomizations += 1;
        if self.kustomizations <= self.budget.kustomizations {
            return Ok(());
        }
        Err(Exhausted {
            message: format!("more than {} kustomizations are built in all", self.budget.kustomizations),
            help: "name each base and component once, or render fewer applications from one path",
        })
    }

    /// Takes one value.
    pub(crate) fn node(&mut self) -> Result<(), Exhausted> {
        self.nodes += 1;
        if self.nodes <= self.budget.nodes {
            return Ok(());
        }
        Err(Exhausted {
            message: format!("the files hold more than {} values in all", self.budget.nodes),
            help: "render fewer objects from one path",
        })
    }

    /// Takes a copy of `weight` bytes that an alias or a merge key makes.
    pub(crate) fn copy(&mut self, weight: u64) -> Result<(), Exhausted> {
        self.expansion = self.expansion.saturating_add(weight);
        if self.expansion <= self.budget.expansion {
            return Ok(());
        }
        Err(Exhausted {
            message: format!("aliases expand to more than {} bytes in all", self.budget.expansion),
            help: "write the values out instead of nesting aliases in aliases",
        })
    }

    /// Takes the bytes of a file.
    pub(crate) fn file(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.files += 1;
        if self.files > self.budget.files {
            return Err(Exhausted {
                message: format!("more than {} files are read in all", self.budget.files),
                help: "render fewer files from one path, or put many small ones into one",
            });
        }
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.bytes <= self.budget.total_bytes {
            return Ok(());
        }
        Err(Exhausted {
            message: format!("the files have more than {} bytes in all", self.budget.total_bytes),
            help: "render fewer or smaller files from one path",
        })
    }
}
