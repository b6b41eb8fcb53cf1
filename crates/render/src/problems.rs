//! Everything that was wrong, for the people who wrote it: all of it, not only the first.

use countersign_core::facts::{Position, Problem};

/// The most warnings that are kept.
pub(crate) const MOST_WARNINGS: usize = 50;

/// The most problems that are kept; a hint counts the others.
const MOST: usize = 50;

/// The most characters of a message that are kept: what it quotes may be as long as a file.
pub(crate) const LONGEST: usize = 400;

/// The problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    kept: Vec<Problem>,
    others: usize,
}

impl Problems {
    /// Adds a problem at a line of a file.
    pub(crate) fn add(&mut self, file: &str, line: u32, message: impl Into<String>, help: &str) {
        // The last place is left for the count of the others.
        if self.kept.len() + 1 >= MOST {
            self.others += 1;
            return;
        }
        let at = Position { file: file.to_owned(), line };
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(LONGEST) {
            message.truncate(end);
            message.push('…');
        }
        self.kept.push(Problem { message, at, help: Some(help.to_owned()) });
    }

    /// Adds a problem that is told already.
    pub(crate) fn push(&mut self, problem: Problem) {
        self.kept.push(problem);
    }

    /// `value`, unless there was a problem.
    pub(crate) fn or<T>(mut self, value: T) -> Result<T, Vec<Problem>> {
        if self.kept.is_empty() {
            return Ok(value);
        }
        if let (Some(last), true) = (self.kept.last(), self.others > 0) {
            self.kept.push(Problem {
                message: format!("{} more problems are not shown", self.others),
                at: last.at.clone(),
                help: Some("mend these first".to_owned()),
            });
        }
        Err(self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fiftieth_problem_counts_the_others() {
        let mut problems = Problems::default();
        for line in 1..=120 {
            problems.add("a.yaml", line, "wrong", "mend it");
        }
        let kept = problems.or(()).unwrap_err();
        assert_eq!(kept.len(), MOST);
        assert_eq!(kept[48].at.line, 49);
        assert_eq!(kept[49].message, "71 more problems are not shown");
        assert_eq!(Problems::default().or(7), Ok(7));
    }

    #[test]
    fn a_long_message_is_cut() {
        let mut problems = Problems::default();
        problems.add("a.yaml", 1, "é".repeat(1_000_000), "mend it");
        assert_eq!(problems.or(()).unwrap_err()[0].message.chars().count(), LONGEST + 1);
    }
}
