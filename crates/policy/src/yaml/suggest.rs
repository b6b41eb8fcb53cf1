//! "Did you mean": the nearest of the words that would have been right.

/// The word nearest to `written`, if one is near enough to be a slip of the keyboard.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > 64 {
        return None;
    }
    let allowed = ((written.chars().count() + 1) / 3).clamp(1, 3);
    let near = known.into_iter().filter(|word| word.len() <= 64).map(|word| (distance(written, word), word));
    near.filter(|(distance, _)| *distance <= allowed).min().map(|(_, word)| word)
}

/// The Levenshtein distance, not minding case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = index;
        let mut previous = index + 1;
        let mut next = vec![previous];
        for (other, above) in right.iter().zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(letter != *other);
            previous = changed.min(above + 1).min(previous + 1);
            diagonal = *above;
            next.push(previous);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_single_slips() {
        for (left, right, expected) in [
            ("", "abc", 3),
            ("abc", "", 3),
            ("branch", "brnch", 1),
            ("Teams", "team", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        assert_eq!(nearest("brnch", ["path", "branch", "baseline"]), Some("branch"));
        assert_eq!(nearest("plian", ["github", "plain"]), Some("plain"));
        assert_eq!(nearest("colour", ["path", "branch"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
