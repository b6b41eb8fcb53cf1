//! Choices, drawn from bytes: a shorter or smaller tape makes simpler choices, which is how a failure shrinks.

/// What is left of a tape. Where nothing is left, every choice is the first one.
pub struct Draw<'t> {
    tape: &'t [u8],
}

impl<'t> Draw<'t> {
    pub fn new(tape: &'t [u8]) -> Self {
        Self { tape }
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.tape.split_first() else { return 0 };
        self.tape = rest;
        usize::from(*first) % count
    }

    pub fn pick<'v>(&mut self, values: &[&'v str]) -> &'v str {
        values[self.below(values.len())]
    }

    /// True in one of `count` cases, and never at the end of the tape.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    /// `text` in one of `count` cases, else nothing.
    pub fn maybe<'v>(&mut self, count: usize, text: &'v str) -> &'v str {
        if self.one_in(count) { text } else { "" }
    }
}

/// `text` with so many spaces before each of its lines, but the first.
pub fn hanging(text: &str, spaces: usize) -> String {
    text.replace('\n', &format!("\n{}", " ".repeat(spaces)))
}

/// `text` with so many spaces before each of its lines.
pub fn indented(text: &str, spaces: usize) -> String {
    let pad = " ".repeat(spaces);
    text.lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{pad}{line}\n") })
        .collect()
}
