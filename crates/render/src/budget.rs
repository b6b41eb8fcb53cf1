//! How much a render may cost. Budgets count work, not seconds, so that a repeat ends the same way.

/// The most that one render may take of everything that a repository's author controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Manifest files that are read.
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
        }
    }
}

/// What was taken of a budget so far.
pub(crate) struct Meter<'a> {
    pub(crate) budget: &'a Budget,
    nodes: u64,
    expansion: u64,
    bytes: u64,
    /// Bytes of pointers that may still be kept.
    pub(crate) lines: usize,
}

/// A budget is used up: nothing more of this render is worth reading.
#[derive(Debug)]
pub(crate) struct Exhausted {
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(budget: &'a Budget) -> Self {
        Self { budget, nodes: 0, expansion: 0, bytes: 0, lines: budget.lines }
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
