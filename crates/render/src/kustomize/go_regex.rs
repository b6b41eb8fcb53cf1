//! Regular expressions as Go's `regexp/syntax` reads them, in the words of the `regex` crate. Both are RE2's dialect, but for
//! what a lone brace is, what stands in a class, which letters a class means, and what may be repeated.

/// The most that a repetition may ask for, as in Go.
const MOST: u32 = 1_000;

/// The classes of POSIX that may stand in brackets.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// What may follow: a repetition is of something, and of no other repetition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Other,
    Repetition,
    LazyRepetition,
}

/// A pattern for the `regex` crate.
pub(crate) struct Translated {
    pub(crate) pattern: String,
    /// How many characters and classes there are when repetitions are written out: what it costs to compile and to match.
    pub(crate) size: usize,
}

/// The sizes of a class of Unicode, and of the class of all characters.
const UNICODE: usize = 128;
const ANY: usize = 4;

/// `pattern` for the `regex` crate.
///
/// # Errors
/// When Go takes it for no expression, and the `regex` crate would.
pub(crate) fn translated(pattern: &str) -> Result<Translated, String> {
    let out = String::with_capacity(pattern.len() + 16);
    let mut translator = Translator { rest: pattern, out, sizes: Vec::new(), size: 0, last: 0 };
    translator.run()?;
    let size = translator.sizes.iter().fold(translator.size, |all, size| all.saturating_add(*size));
    Ok(Translated { pattern: translator.out, size })
}

struct Translator<'p> {
    rest: &'p str,
    out: String,
    /// The sizes of what stands before the groups that are open.
    sizes: Vec<usize>,
    /// The size of the group so far, and of what stands last in it.
    size: usize,
    last: usize,
}

impl<'p> Translator<'p> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.skip(next.len_utf8());
        Some(next)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Copies so many bytes as they are.
    fn copy(&mut self, bytes: usize) {
        self.out.push_str(self.rest.get(..bytes).unwrap_or_default());
        self.skip(bytes);
    }

    fn literal(&mut self, character: char) {
        let mut buffer = [0; 4];
        self.out.push_str(&regex::escape(character.encode_utf8(&mut buffer)));
    }

    fn run(&mut self) -> Result<(), String> {
        let mut before = Before::Other;
        while let Some(first) = self.rest.chars().next() {
            let repeats = match first {
                '*' | '+' | '?' => 1,
                '{' => self.repetition()?,
                _ => 0,
            };
            if repeats > 0 {
                before = match (before, first) {
                    (Before::Other, _) => Before::Repetition,
                    (Before::Repetition, '?') => Before::LazyRepetition,
                    _ => return Err("a repetition is repeated".to_owned()),
                };
                self.repeat(repeats);
                self.copy(repeats);
                continue;
            }
            before = Before::Other;
            let size = match (first, self.rest.as_bytes()) {
                (_, [b'\\', b'p' | b'P', ..]) => UNICODE,
                ('[', _) => self.class_size(),
                ('.', _) => ANY,
                _ => 1,
            };
            match first {
                '(' | ')' => self.nest(first == '('),
                _ => self.count(size),
            }
            match first {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                '{' => {
                    self.skip(1);
                    self.literal('{');
                }
                other => self.copy(other.len_utf8()),
            }
        }
        Ok(())
    }

    /// Counts something of a size.
    fn count(&mut self, size: usize) {
        self.size = self.size.saturating_add(size);
        self.last = size;
    }

    /// Counts a group, which begins or ends.
    fn nest(&mut self, begins: bool) {
        if begins {
            self.sizes.push(self.size);
            self.size = 1;
        } else if let Some(before) = self.sizes.pop() {
            let group = self.size;
            self.size = before;
            self.count(group);
        }
    }

    /// Counts what stands last as often as a repetition of so many bytes asks for.
    fn repeat(&mut self, bytes: usize) {
        let inner = self.rest.get(1..bytes.saturating_sub(1)).unwrap_or_default();
        let (least, most) = inner.split_once(',').unwrap_or((inner, inner));
        let number = |text: &str| text.parse::<usize>().unwrap_or(1);
        let more = self.last.saturating_mul(number(least).max(number(most)).saturating_sub(1));
        self.size = self.size.saturating_add(more);
        self.last = self.last.saturating_add(more);
    }

    /// The size of the class here.
    fn class_size(&self) -> usize {
        let text = self.rest.split_once(']').map_or(self.rest, |(text, _)| text);
        let unicode = text.contains("\\p") || text.contains("\\P");
        match unicode {
            true => UNICODE,
            false if text.starts_with("[^") => ANY,
            false => 1,
        }
    }

    /// How many bytes a repetition in braces has here; none for a brace that stands for itself.
    fn repetition(&self) -> Result<usize, String> {
        let Some((inner, _)) = self.rest.get(1..).and_then(|rest| rest.split_once('}')) else { return Ok(0) };
        let (least, most) = inner.split_once(',').unwrap_or((inner, inner));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(least) || !(is_number(most) || most.is_empty()) {
            return Ok(0);
        }
        let within = |text: &str| text.is_empty() || text.parse().is_ok_and(|number: u32| number <= MOST);
        match within(least) && within(most) {
            true => Ok(inner.len() + 2),
            false => Err(format!("a repetition of more than {MOST}")),
        }
    }

    /// The beginning of a group: its name or its flags.
    fn group(&mut self) -> Result<(), String> {
        let Some(flags) = self.rest.strip_prefix("(?") else {
            self.copy(1);
            return Ok(());
        };
        if let Some(named) = flags.strip_prefix("P<").or_else(|| flags.strip_prefix('<')) {
            let name = named.split_once('>').map_or("", |(name, _)| name);
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err("the name of a group is not valid".to_owned());
            }
            let bytes = self.rest.find('>').map_or(0, |at| at + 1);
            self.copy(bytes);
            return Ok(());
        }
        let end = flags.find([':', ')']).ok_or("a group is not closed")?;
        let known = flags.get(..end).is_some_and(|flags| flags.chars().all(|flag| "imsU-".contains(flag)));
        if !known {
            return Err("the flags of a group are not valid".to_owned());
        }
        self.copy(2 + end + 1);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        if let Some(quoted) = self.rest.strip_prefix(r"\Q") {
            let (text, end) = match quoted.split_once(r"\E") {
                Some((text, _)) => (text, r"\E".len()),
                None => (quoted, 0),
            };
            self.out.push_str(&regex::escape(text));
            self.skip(r"\Q".len() + text.len() + end);
            return Ok(());
        }
        let escaped = self.rest.get(1..).and_then(|rest| rest.chars().next());
        match escaped {
            Some('A' | 'z' | 'B') => self.copy(2),
            Some('p' | 'P') => self.unicode(),
            Some('b') => {
                self.skip(2);
                self.out.push_str(r"(?-u:\b)");
            }
            Some(letter) if set_of(letter).is_some() => {
                self.skip(2);
                let (negated, set) = set_of(letter).unwrap_or_default();
                self.out.push_str(if negated { "[^" } else { "[" });
                self.out.push_str(set);
                self.out.push(']');
            }
            _ => {
                let character = self.escaped()?;
                self.literal(character);
            }
        }
        Ok(())
    }

    /// The character that an escape means.
    fn escaped(&mut self) -> Result<char, String> {
        let not_known = || "an escape is not known".to_owned();
        self.skip(1);
        let octal = |byte: &u8| (b'0'..=b'7').contains(byte);
        match self.next().ok_or("it ends in a backslash")? {
            'a' => Ok('\u{7}'),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\u{b}'),
            'x' => self.hexadecimal().ok_or_else(not_known),
            digit @ '0'..='7' => {
                let more = self.rest.bytes().take(2).take_while(octal).count();
                if digit != '0' && more == 0 {
                    return Err("it refers back to a group".to_owned());
                }
                let digits = format!("{digit}{}", self.rest.get(..more).unwrap_or_default());
                self.skip(more);
                u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32).ok_or_else(not_known)
            }
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => Ok(other),
            _ => Err(not_known()),
        }
    }

    /// The character of `\x7f` or `\x{10ffff}`, after its `\x`.
    fn hexadecimal(&mut self) -> Option<char> {
        let (digits, bytes) = match self.rest.strip_prefix('{') {
            Some(braced) => {
                let digits = braced.split_once('}')?.0;
                (digits, digits.len() + 2)
            }
            None => (self.rest.get(..2)?, 2),
        };
        let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let character = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        self.skip(bytes);
        character.filter(|_| hexadecimal)
    }

    fn class(&mut self) -> Result<(), String> {
        self.copy(1);
        if self.rest.starts_with('^') {
            self.copy(1);
        }
        let mut first = true;
        loop {
            let next = self.rest.chars().next().ok_or("a class is not closed")?;
            if next == ']' && !first {
                self.copy(1);
                return Ok(());
            }
            first = false;
            if self.posix()? || self.set() {
                continue;
            }
            let low = self.member()?;
            let ranges =
                self.rest.strip_prefix('-').is_some_and(|rest| !rest.is_empty() && !rest.starts_with(']'));
            let high = match ranges {
                true => {
                    self.skip(1);
                    self.member()?
                }
                false => low,
            };
            if high < low {
                return Err("a range of a class is backwards".to_owned());
            }
            // As numbers nothing means anything else.
            self.out.push_str(&format!(r"\x{{{:x}}}-\x{{{:x}}}", u32::from(low), u32::from(high)));
        }
    }

    /// Copies `[:alpha:]`, if that is here.
    fn posix(&mut self) -> Result<bool, String> {
        let Some(rest) = self.rest.strip_prefix("[:") else { return Ok(false) };
        let Some((name, _)) = rest.split_once(":]") else { return Ok(false) };
        if !POSIX.contains(&name.trim_start_matches('^')) {
            return Err("a class in brackets is not known".to_owned());
        }
        self.copy(name.len() + 4);
        Ok(true)
    }

    /// Takes `\d`, `\pL` and the like, if one of them is here.
    fn set(&mut self) -> bool {
        let letter = self.rest.strip_prefix('\\').and_then(|rest| rest.chars().next());
        match letter.and_then(set_of) {
            Some((negated, set)) => {
                self.skip(2);
                self.out.push_str(if negated { "[^" } else { "" });
                self.out.push_str(set);
                self.out.push_str(if negated { "]" } else { "" });
                true
            }
            None if matches!(letter, Some('p' | 'P')) => {
                self.unicode();
                true
            }
            None => false,
        }
    }

    /// Copies `\pL` or `\p{Greek}`.
    fn unicode(&mut self) {
        self.copy(2);
        let braced = self.rest.starts_with('{').then(|| self.rest.find('}')).flatten();
        self.copy(braced.map_or_else(|| self.rest.chars().next().map_or(0, char::len_utf8), |end| end + 1));
    }

    /// One character of a class.
    fn member(&mut self) -> Result<char, String> {
        if self.rest.starts_with('\\') {
            return self.escaped();
        }
        self.next().ok_or_else(|| "a class is not closed".to_owned())
    }
}

/// The letters that `\d`, `\s` and `\w` mean, which are of ASCII, and whether all others are meant.
fn set_of(letter: char) -> Option<(bool, &'static str)> {
    let set = match letter.to_ascii_lowercase() {
        'd' => "0-9",
        's' => r"\t\n\f\r ",
        'w' => "0-9A-Za-z_",
        _ => return None,
    };
    Some((letter.is_ascii_uppercase(), set))
}

#[cfg(test)]
mod tests;
