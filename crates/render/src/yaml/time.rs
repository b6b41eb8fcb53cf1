//! Times that stand without quotes, as kustomize's YAML reader knows them (`go.yaml.in/yaml/v3`, `parseTimestamp`),
//! and in the form in which it writes them: RFC 3339, with as many digits of a second as there are.

/// `text` as a time in full; `None` if it is none.
pub(crate) fn in_full(text: &str) -> Option<String> {
    let mut rest = Rest(text);
    let year = rest.digits(4, 4)?;
    rest.sign("-")?;
    let month = rest.digits(1, 2)?;
    rest.sign("-")?;
    let day = rest.digits(1, 2)?;
    if !(1..=12).contains(&month) || day == 0 || day > days(year, month) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if rest.0.is_empty() {
        return Some(format!("{date}T00:00:00Z"));
    }
    let spaced = rest.sign(" ").is_some();
    if !spaced {
        rest.sign("T").or_else(|| rest.sign("t"))?;
    }
    let hour = rest.digits(1, 2)?;
    rest.sign(":")?;
    let minute = rest.digits(1, 2)?;
    rest.sign(":")?;
    let second = rest.digits(1, 2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = rest.fraction();
    // With a space there is no zone, and with a T there must be one.
    let zone = if spaced { "Z".to_owned() } else { rest.zone()? };
    rest.0.is_empty().then(|| format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}"))
}

/// What is left to be read.
struct Rest<'t>(&'t str);

impl Rest<'_> {
    fn sign(&mut self, sign: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(sign)?;
        Some(())
    }

    /// A number of so many digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let number = self.0.get(..count).filter(|_| count >= least)?.parse().ok()?;
        self.0 = self.0.get(count..)?;
        Some(number)
    }

    /// The digits after a second, without zeros at their end.
    fn fraction(&mut self) -> String {
        let Some(after) = self.0.strip_prefix(['.', ',']) else { return String::new() };
        let count = after.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return String::new();
        }
        let digits = after.get(..count.min(9)).unwrap_or_default().trim_end_matches('0');
        self.0 = after.get(count..).unwrap_or_default();
        if digits.is_empty() { String::new() } else { format!(".{digits}") }
    }

    fn zone(&mut self) -> Option<String> {
        if self.sign("Z").is_some() {
            return Some("Z".to_owned());
        }
        let sign = if self.sign("+").is_some() { '+' } else { self.sign("-").map(|()| '-')? };
        let hours = self.digits(2, 2)?;
        self.sign(":")?;
        let minutes = self.digits(2, 2)?;
        if hours > 23 || minutes > 59 {
            return None;
        }
        Some(if hours + minutes == 0 { "Z".to_owned() } else { format!("{sign}{hours:02}:{minutes:02}") })
    }
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_full() {
        for (text, full) in [
            ("2001-12-14", "2001-12-14T00:00:00Z"),
            ("2001-1-1", "2001-01-01T00:00:00Z"),
            ("2024-2-29", "2024-02-29T00:00:00Z"),
            ("2001-12-14T21:59:43.10-05:00", "2001-12-14T21:59:43.1-05:00"),
            ("2001-12-14t1:2:3Z", "2001-12-14T01:02:03Z"),
            ("2001-12-14T21:59:43.000+00:00", "2001-12-14T21:59:43Z"),
            ("2001-12-14 21:59:43.5", "2001-12-14T21:59:43.5Z"),
        ] {
            assert_eq!(in_full(text).as_deref(), Some(full), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not() {
        for text in [
            "",
            "2001",
            "2001-",
            "2001-13-01",
            "2001-02-29",
            "1900-2-29",
            "2001-12-14 21:59:43 Z",
            "12:30:45",
            "2001-12-14T21:59:43",
            "2001-12-14T24:00:00Z",
            "01-12-14",
            "2001-12-145",
            "2001-12-14T21:59Z",
        ] {
            assert_eq!(in_full(text), None, "{text}");
        }
    }
}
