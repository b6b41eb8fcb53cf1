//! JSON (RFC 8259) to nodes: YAML readers differ from JSON in surrogate escapes and in tabs, so a file
//! named `.json` is read as what it says it is.

use serde_json::Number;

use super::map::{Field, Map};
use super::node::{At, Content, Kind, Node, Scalar};
use super::{Fault, Meter, Place, Soft, scalar};

const CHECK_JSON: &str = "check the file with a JSON reader";

/// Parses one JSON value after the other, to the end of the file.
///
/// # Errors
/// When the text is not JSON, or a budget is used up.
pub(crate) fn documents(
    text: &str,
    file: u32,
    meter: &mut Meter<'_>,
    soft: Soft<'_>,
) -> Result<Vec<Node>, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, file, at: 0, line: 1, meter, soft };
    let mut documents = Vec::new();
    while reader.peek().is_some() {
        documents.push(reader.value(Place::default())?);
    }
    Ok(documents)
}

struct Reader<'a, 'b, 's> {
    text: &'a str,
    /// The number of the file.
    file: u32,
    /// The byte that is read next.
    at: usize,
    line: u32,
    meter: &'a mut Meter<'b>,
    soft: Soft<'s>,
}

impl Reader<'_, '_, '_> {
    fn rest(&self) -> &[u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.rest().first()?;
            match byte {
                b'\n' => self.line = self.line.saturating_add(1),
                b' ' | b'\t' | b'\r' => {}
                _ => return Some(byte),
            }
            self.at += 1;
        }
    }

    fn wrong(&mut self, expected: &str) -> Fault {
        let found = match self.peek() {
            Some(_) => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                rest.chars().next().map_or("a broken character".to_owned(), |c| format!("{c:?}"))
            }
            None => "the end of the file".to_owned(),
        };
        Fault::new(self.line, format!("not valid JSON: expected {expected}, found {found}"), CHECK_JSON)
    }

    /// Whether the next byte is `byte`, which is then read.
    fn takes(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, place: Place) -> Result<Node, Fault> {
        let first = self.peek();
        let line = self.line;
        self.meter.node().map_err(|why| Fault::exhausted(line, why))?;
        place.check(Place::default(), line, self.meter.budget)?;
        let content = match first {
            Some(b'{') => self.object(place)?,
            Some(b'[') => self.array(place)?,
            Some(b'"') => {
                let text = self.string()?;
                Content::Scalar(Scalar {
                    text: self.meter.text(&text),
                    kind: Kind::Str,
                    quoted: true,
                    share: 0,
                })
            }
            Some(b'-' | b'0'..=b'9') => Content::Scalar(self.number()?),
            _ => Content::Scalar(self.word()?),
        };
        Ok(Node { at: At { file: self.file, line }, content })
    }

    fn object(&mut self, place: Place) -> Result<Content, Fault> {
        let mut fields: Vec<Field> = Vec::new();
        self.takes(b'{');
        while !self.takes(b'}') {
            if !fields.is_empty() && !self.takes(b',') {
                return Err(self.wrong("',' or '}'"));
            }
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key in double quotes"));
            }
            let line = self.line;
            let key = self.string()?;
            if !self.takes(b':') {
                return Err(self.wrong("':'"));
            }
            let value = self.value(place.field(key.len()))?;
            let at = At { file: self.file, line };
            fields.push(Field { key: self.meter.text(&key), at, value });
        }
        let (map, again) = Map::new(fields);
        for field in again {
            let first = map.field(&field.key).map_or(0, |first| first.at.line);
            let key = scalar::shown(&field.key);
            let message = format!("the key {key} is written twice: first on line {first}");
            (self.soft)(Fault::new(field.at.line, message, "remove one of them"));
        }
        Ok(Content::Map(map))
    }

    fn array(&mut self, place: Place) -> Result<Content, Fault> {
        let mut items = Vec::new();
        self.takes(b'[');
        while !self.takes(b']') {
            if !items.is_empty() && !self.takes(b',') {
                return Err(self.wrong("',' or ']'"));
            }
            items.push(self.value(place.item())?);
        }
        Ok(Content::List(items))
    }

    fn string(&mut self) -> Result<String, Fault> {
        let mut end = 1;
        loop {
            match self.rest().get(end) {
                Some(b'\\') => end += 2,
                Some(b'"') => break,
                Some(_) => end += 1,
                None => return Err(self.fault("a string does not end")),
            }
        }
        let quoted = self.text.get(self.at..=self.at + end).unwrap_or_default();
        let text = serde_json::from_str(quoted).map_err(|_| {
            self.fault("a string holds a control character or an escape that JSON does not have")
        })?;
        self.at += end + 1;
        Ok(text)
    }

    fn number(&mut self) -> Result<Scalar, Fault> {
        let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        let length = self.rest().iter().take_while(|byte| is_part(byte)).count();
        let text = self.text.get(self.at..self.at + length).unwrap_or_default();
        let Ok(number) = serde_json::from_str::<Number>(text) else {
            return Err(self.fault(&format!("{} is not a number", scalar::shown(text))));
        };
        let whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let fits = number.is_i64() || number.is_u64() || text == "-0";
        if whole && !fits {
            let message = format!("{} is an integer of more than 64 bits", scalar::shown(text));
            return Err(self.fault(&message));
        }
        let kind = if whole { Kind::Int } else { Kind::Float };
        self.at += length;
        Ok(Scalar { text: self.meter.text(text), kind, quoted: false, share: 0 })
    }

    fn word(&mut self) -> Result<Scalar, Fault> {
        for (word, kind) in [("null", Kind::Null), ("true", Kind::Bool), ("false", Kind::Bool)] {
            if self.rest().starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(Scalar { text: self.meter.text(word), kind, quoted: false, share: 0 });
            }
        }
        Err(self.wrong("a value"))
    }

    fn fault(&self, what: &str) -> Fault {
        Fault::new(self.line, format!("not valid JSON: {what}"), CHECK_JSON)
    }
}
