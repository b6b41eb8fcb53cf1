//! Problems of files as people read them: the place, what is wrong, the line itself, and what to do.

use countersign_core::facts::Problem;

use crate::output::{Paint, paint};

/// The most characters of a line that are shown.
const MAX_SHOWN: usize = 100;

/// The most problems that are named inside of an error.
const MAX_IN_ERROR: usize = 10;

/// Every problem, each with the line that it is about, as far as `line_of(file, line)` has it.
#[must_use]
pub fn text(problems: &[Problem], line_of: impl Fn(&str, u32) -> Option<String>, colored: bool) -> String {
    let shown: Vec<_> = problems
        .iter()
        .map(|problem| {
            let mut text =
                format!("{}: {}", paint(Paint::Bold, &problem.at.to_string(), colored), problem.message);
            if let Some(line) = line_of(&problem.at.file, problem.at.line) {
                text += &snippet(problem.at.line, &line, colored);
            }
            if let Some(help) = &problem.help {
                text += &format!("\n      {} {help}", paint(Paint::Good, "help:", colored));
            }
            text
        })
        .collect();
    shown.join("\n")
}

/// The line with its number, and a mark below what is written on it.
fn snippet(number: u32, line: &str, colored: bool) -> String {
    let line: String =
        line.trim_end().chars().take(MAX_SHOWN).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let written = line.trim_start();
    if written.is_empty() || written.chars().any(char::is_control) {
        return String::new();
    }
    let indent = " ".repeat(line.chars().count() - written.chars().count());
    let mark = paint(Paint::Bad, &"^".repeat(written.chars().count()), colored);
    let bar = paint(Paint::Dim, "|", colored);
    format!("\n{number:>5} {bar} {line}\n      {bar} {indent}{mark}")
}

/// The problems as one error, for commands that need what is broken.
#[must_use]
pub fn error(what: &str, problems: &[Problem]) -> anyhow::Error {
    let shown = problems.get(..MAX_IN_ERROR).unwrap_or(problems);
    let rest = problems.len() - shown.len();
    let mut text = format!("{what} is not valid:");
    for problem in shown {
        text += &format!("\n  {}: {}", problem.at, problem.message);
        if let Some(help) = &problem.help {
            text += &format!(" ({help})");
        }
    }
    if rest > 0 {
        text += &format!("\n  and {rest} more: countersign validate shows all");
    }
    anyhow::anyhow!("{text}")
}

#[cfg(test)]
mod tests {
    use countersign_core::facts::Position;

    use super::*;

    #[test]
    fn a_problem_shows_its_line() {
        let at = Position { file: "countersign.yaml".into(), line: 3 };
        let problem =
            Problem { message: "unknown field `hots`".into(), at, help: Some("write `hosts`".into()) };
        let shown = text(&[problem], |_, line| (line == 3).then(|| "  hots: 1  ".into()), false);
        let wanted = "countersign.yaml:3: unknown field `hots`\n    3 |   hots: 1\n      |   ^^^^^^^\n      help: write `hosts`";
        assert_eq!(shown, wanted);
    }

    #[test]
    fn a_line_that_would_act_on_the_terminal_is_not_shown() {
        assert_eq!(snippet(1, "a\u{1b}[2Jb", false), "");
        assert_eq!(snippet(1, "   ", false), "");
    }
}
