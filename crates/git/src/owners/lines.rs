//! What the lines of all forges have in common.

/// The words of a line, parted by white space that no backslash stands before; what follows a `#` is a comment.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut escaped) = (Vec::new(), String::new(), false);
    for letter in line.chars() {
        if escaped {
            word.extend(['\\', letter]);
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter.is_whitespace() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else if letter == '#' && word.is_empty() {
            break;
        } else {
            word.push(letter);
        }
    }
    if escaped {
        word.push('\\');
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// Whether a word names an owner: `@login`, `@organization/team`, or an e-mail address.
pub fn is_owner(word: &str) -> bool {
    word.split_once('@').is_some_and(|(_, after)| !after.is_empty())
}

/// The globs of a path's pattern. With `deep`, one that has a slash within is not bound to the root by that; with
/// `into`, one that names a folder without a slash at its end matches what is in it, too.
pub fn globs(pattern: &str, deep: bool, into: bool) -> Vec<String> {
    let body = pattern.trim_matches('/');
    if body.is_empty() {
        return vec!["**".to_owned()];
    }
    let at_root = pattern.starts_with('/') || (!deep && body.contains('/'));
    let base = if at_root { literal(body) } else { format!("**/{}", literal(body)) };
    let below = format!("{base}/**");
    // What ends so is about what lies directly in a folder.
    let direct = body.ends_with("/*");
    match (pattern.ends_with('/'), into && !direct) {
        (true, _) => vec![below],
        (false, true) => vec![base, below],
        (false, false) => vec![base],
    }
}

/// With braces and brackets as they are: only `*`, `?` and `\` mean something.
fn literal(pattern: &str) -> String {
    let mut literal = String::with_capacity(pattern.len());
    let mut escaped = false;
    for letter in pattern.chars() {
        if !escaped && matches!(letter, '{' | '}' | '[' | ']') {
            literal.push('\\');
        }
        escaped = letter == '\\' && !escaped;
        literal.push(letter);
    }
    literal
}
