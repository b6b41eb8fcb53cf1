//! How every command ends: what it prints, in which form, and with which exit code.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use serde::Serialize;

/// The form of what a command prints on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// One JSON document, of the shape that `docs/CLI.md` describes, also when the command fails.
    Json,
}

/// What a command came to. The exit code tells scripts the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// It did what was asked, or what was checked is allowed. Exit code 0.
    Done,
    /// What was checked is denied, invalid, or does not verify. Exit code 1.
    Denied,
}

/// What a command prints: a text for people, and a document for programs.
pub struct Printed {
    /// For people; ends without a newline.
    pub text: String,
    /// For programs.
    pub document: serde_json::Value,
    /// What it came to.
    pub conclusion: Conclusion,
}

impl Printed {
    /// What a command prints when it did what was asked.
    ///
    /// # Errors
    /// When `document` cannot be written as JSON.
    pub fn done(text: impl Into<String>, document: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self {
            text: text.into(),
            document: serde_json::to_value(document)?,
            conclusion: Conclusion::Done,
        })
    }
}

/// The exit code when a command could not do its work: wrong input, something not there.
const ERROR: u8 = 2;

/// Prints the end of a command and gives its exit code.
#[must_use]
pub fn end(form: Form, result: anyhow::Result<Printed>) -> ExitCode {
    let (text, code) = match (&result, form) {
        (Ok(printed), Form::Text) => (printed.text.clone(), code_of(printed.conclusion)),
        (Ok(printed), Form::Json) => (printed.document.to_string(), code_of(printed.conclusion)),
        (Err(error), Form::Json) => (serde_json::json!({ "error": format!("{error:#}") }).to_string(), ERROR),
        (Err(_), Form::Text) => (String::new(), ERROR),
    };
    if let (Err(error), Form::Text) = (&result, form) {
        let _ =
            writeln!(io::stderr(), "{}: {error:#}", paint(Paint::Bad, "error", io::stderr().is_terminal()));
    }
    // A reader that has gone away, as in `countersign history | head`, is no failure of ours.
    if !text.is_empty() {
        let _ = writeln!(io::stdout(), "{text}");
    }
    ExitCode::from(code)
}

/// Prints what is wrong with the arguments, in the form that they ask for as far as they can be read.
#[must_use]
pub fn not_understood(error: &clap::Error, arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.collect();
    let pair = |pair: &[OsString]| matches!(pair, [name, form] if name == "--output" && form == "json");
    let json = arguments.windows(2).any(pair) || arguments.iter().any(|one| one == "--output=json");
    if json && error.use_stderr() {
        let text = error.to_string();
        // Below what is wrong, and a tip, stands how the command is used.
        let said = text
            .split("\n\n")
            .take_while(|part| !part.starts_with("Usage:") && !part.starts_with("For more"));
        let said = said.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
        let message = said.collect::<Vec<_>>().join("; ");
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        let _ = writeln!(io::stdout(), "{}", serde_json::json!({ "error": message }));
    } else {
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(ERROR))
}

fn code_of(conclusion: Conclusion) -> u8 {
    match conclusion {
        Conclusion::Done => 0,
        Conclusion::Denied => 1,
    }
}

/// The meaning that a color underlines. The text says the same without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Allowed, healthy.
    Good,
    /// Denied, failed.
    Bad,
    /// Waiting.
    Open,
    /// Less important.
    Dim,
    /// A heading.
    Bold,
}

/// `text` in the color of its meaning, if `colored`.
#[must_use]
pub fn paint(paint: Paint, text: &str, colored: bool) -> String {
    if !colored || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Good => "32",
        Paint::Bad => "31",
        Paint::Open => "33",
        Paint::Dim => "2",
        Paint::Bold => "1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Whether standard output takes color: a terminal, and `NO_COLOR` is not set.
#[must_use]
pub fn colored() -> bool {
    io::stdout().is_terminal()
}
