//! Text of others as Markdown that shows it and does nothing else.

/// A text on one line, with nothing in it that Markdown, HTML or a forge would act on.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let text = text.trim();
    for (at, character) in text.char_indices() {
        let digest = || text.get(at..).is_some_and(|rest| rest.starts_with("@sha256:"));
        match character {
            '\n' | '\r' | '\t' => out.push(' '),
            control if control.is_control() => out.push('\u{fffd}'),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' => out.extend(['\\', character]),
            // A zero-width space keeps a forge from calling someone; inside a word nobody is called.
            '@' if !before.is_alphanumeric() && !digest() => out.push_str("@\u{200b}"),
            other => out.push(other),
        }
        before = character;
    }
    out
}

/// A text as code, whatever backticks are in it.
pub(super) fn code(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let longest = clean.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 || clean.trim().is_empty() { " " } else { "" };
    format!("{fence}{pad}{clean}{pad}{fence}")
}

/// The first twelve digits of an id.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_shown_and_does_nothing() {
        assert_eq!(plain("a\n# b <img> [x](y) &amp; `c`"), "a \\# b &lt;img> \\[x\\](y) &amp;amp; \\`c\\`");
        assert_eq!(plain("@ann, web@sha256:1 @sha256:1"), "@\u{200b}ann, web@sha256:1 @sha256:1");
        assert_eq!(plain("a\u{1b}[2J"), "a\u{fffd}\\[2J");
    }

    #[test]
    fn code_holds_backticks() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a``b\n"), "``` a``b  ```");
    }
}
