//! From text to nodes, within a budget of size, depth and work.

use std::collections::{BTreeMap, HashMap};

use countersign_core::facts::Problem;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use serde_json::Value;

use super::scalar::{self, Ambiguous};
use super::{Content, Entry, MAX_PROBLEMS, Node, problem, shorten};

/// A file may have this many bytes: 5,000 applications take a quarter of it.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Lists and mappings may be nested this deep.
const MAX_DEPTH: usize = 64;
/// All nodes with their texts may weigh this much, where aliases are replaced by what they stand for.
const MAX_WEIGHT: usize = 16 * 1024 * 1024;
/// A node weighs this much besides its text.
const NODE_WEIGHT: usize = 32;

/// A document, and the mistakes that did not keep it from being read to its end.
pub struct Parsed {
    /// The document; none if it could not be read to its end.
    pub node: Option<Node>,
    /// The mistakes.
    pub problems: Vec<Problem>,
}

/// Reads one document.
#[must_use]
pub fn document(file: &str, text: &str) -> Parsed {
    let mut builder = Builder::new(file);
    let result = builder.run(text);
    let Builder { root, mut problems, .. } = builder;
    match result {
        Ok(()) => Parsed { node: root, problems },
        Err(fatal) => {
            problems.push(*fatal);
            Parsed { node: None, problems }
        }
    }
}

/// What ends the reading. Boxed, since every step returns one of these or nothing.
type Fatal = Box<Problem>;

/// A list or mapping that is not closed yet.
struct Open {
    line: u32,
    anchor: usize,
    weight: usize,
    content: OpenContent,
}

enum OpenContent {
    List(Vec<Node>),
    Map { entries: BTreeMap<String, Entry>, key: Option<(String, u32)> },
}

struct Builder<'a> {
    file: &'a str,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    weight: usize,
    root: Option<Node>,
    problems: Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn new(file: &'a str) -> Self {
        Self { file, open: Vec::new(), anchors: HashMap::new(), weight: 0, root: None, problems: Vec::new() }
    }

    fn fatal(&self, line: u32, message: impl Into<String>, help: &str) -> Fatal {
        Box::new(problem(self.file, line, message, help))
    }

    fn run(&mut self, text: &str) -> Result<(), Fatal> {
        if text.len() > MAX_BYTES {
            let message = format!("the file has {} bytes, at most {MAX_BYTES} are read", text.len());
            return Err(self.fatal(1, message, "split it, or move data to data/"));
        }
        let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| {
                let message = format!("this is not valid YAML: {}", error.info());
                self.fatal(
                    line_number(error.marker().line()),
                    message,
                    "look at indentation, colons and quotes here",
                )
            })?;
            self.event(event, span)?;
        }
        match self.root {
            Some(_) => Ok(()),
            None => Err(self.fatal(1, "the file is empty", "write its content, or delete the file")),
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Fatal> {
        let line = line_number(span.start.line());
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => Err(self.fatal(
                line,
                "a second document begins here",
                "keep one document in a file: remove this `---`",
            )),
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(anchor) => self.alias(anchor, line),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), line)?;
                self.scalar(&text, style, anchor, line)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), line)?;
                self.begin(OpenContent::List(Vec::new()), anchor, line)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), line)?;
                self.begin(OpenContent::Map { entries: BTreeMap::new(), key: None }, anchor, line)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
        }
    }

    /// Notes a mistake that does not keep the rest from being read.
    fn note(&mut self, problem: Problem) -> Result<(), Fatal> {
        if self.problems.len() >= MAX_PROBLEMS {
            let line = problem.at.line;
            return Err(self.fatal(line, "there are too many mistakes to go on", "correct the first ones"));
        }
        self.problems.push(problem);
        Ok(())
    }

    fn refuse_tag(&self, tagged: bool, line: u32) -> Result<(), Fatal> {
        if tagged {
            return Err(self.fatal(
                line,
                "tags such as `!x` are not read",
                "remove the tag; put text in quotes instead",
            ));
        }
        Ok(())
    }

    fn spend(&mut self, weight: usize, line: u32) -> Result<(), Fatal> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight > MAX_WEIGHT {
            return Err(self.fatal(
                line,
                "the file is too large once its aliases are replaced",
                "use fewer aliases",
            ));
        }
        Ok(())
    }

    /// Whether what comes next is the key of an open mapping.
    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: OpenContent::Map { key: None, .. }, .. }))
    }

    fn begin(&mut self, content: OpenContent, anchor: usize, line: u32) -> Result<(), Fatal> {
        if self.awaits_key() {
            return Err(self.fatal(line, "a key must be a plain text", "write one word before the colon"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(self.fatal(
                line,
                format!("this is nested more than {MAX_DEPTH} deep"),
                "make it flatter",
            ));
        }
        self.spend(NODE_WEIGHT, line)?;
        self.open.push(Open { line, anchor, weight: NODE_WEIGHT, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fatal> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let content = match open.content {
            OpenContent::List(items) => Content::List(items),
            OpenContent::Map { entries, .. } => Content::Map(entries),
        };
        self.place(Node { line: open.line, content }, open.anchor, open.weight)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, line: u32) -> Result<(), Fatal> {
        let weight = NODE_WEIGHT.saturating_add(text.len());
        self.spend(weight, line)?;
        if self.awaits_key() {
            return self.key(text, style, line);
        }
        let value = match style {
            ScalarStyle::Plain => match scalar::resolve(text) {
                Ok(value) => value,
                Err(ambiguous) => {
                    self.note(self.ambiguous(&ambiguous, text, line))?;
                    Value::String(text.to_owned())
                }
            },
            _ => Value::String(text.to_owned()),
        };
        self.place(Node { line, content: Content::Scalar(value) }, anchor, weight)
    }

    fn ambiguous(&self, why: &Ambiguous, text: &str, line: u32) -> Problem {
        match why {
            Ambiguous::LeadingZero => problem(
                self.file,
                line,
                format!("`{}` is octal to some readers of YAML and decimal to others", shorten(text)),
                "write 0o… for an octal number, no leading zero for a decimal one, or quotes for text",
            ),
            Ambiguous::OutOfRange => {
                let message = format!("`{}` does not fit in a 64-bit number", shorten(text));
                problem(self.file, line, message, "put it in quotes to mean text")
            }
        }
    }

    fn key(&mut self, text: &str, style: ScalarStyle, line: u32) -> Result<(), Fatal> {
        if style == ScalarStyle::Plain && (text.is_empty() || text == "<<") {
            let (message, help) = match text {
                "<<" => ("merge keys (`<<`) are not part of YAML 1.2", "write the fields out"),
                _ => ("a key is missing before the colon", "write one"),
            };
            return Err(self.fatal(line, message, help));
        }
        if let Some(Open { content: OpenContent::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = Some((text.to_owned(), line));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, line: u32) -> Result<(), Fatal> {
        if self.awaits_key() {
            return Err(self.fatal(
                line,
                "a key must be a plain text",
                "write the key out instead of an alias",
            ));
        }
        let Some((node, weight)) = self.anchors.get(&anchor) else {
            return Err(self.fatal(
                line,
                "this alias stands for something that holds the alias itself",
                "write it out",
            ));
        };
        let weight = *weight;
        // The weight is spent before the copy is made: the budget bounds the work, not only the result.
        if self.weight.saturating_add(weight) <= MAX_WEIGHT {
            let node = node.clone();
            self.spend(weight, line)?;
            return self.place(node, 0, weight);
        }
        self.spend(weight, line)
    }

    /// Puts a finished node into what is open around it.
    fn place(&mut self, node: Node, anchor: usize, weight: usize) -> Result<(), Fatal> {
        if anchor != 0 {
            self.spend(weight, node.line)?;
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        if let Some((first, line)) = self.duplicate() {
            let message = format!("duplicate key `{}`", shorten(&self.path()));
            let help = format!("it is first written on line {first}: remove one of the two");
            self.note(problem(self.file, line, message, help))?;
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.weight = open.weight.saturating_add(weight);
        match &mut open.content {
            OpenContent::List(items) => items.push(node),
            OpenContent::Map { entries, key } => {
                if let Some((key, line)) = key.take() {
                    entries.entry(key).or_insert(Entry { line, node });
                }
            }
        }
        Ok(())
    }

    /// The lines of the earlier and of this entry, if the open mapping has the awaited key already.
    fn duplicate(&self) -> Option<(u32, u32)> {
        let Some(Open { content: OpenContent::Map { entries, key: Some((key, line)) }, .. }) =
            self.open.last()
        else {
            return None;
        };
        entries.get(key).map(|first| (first.line, *line))
    }

    /// The keys that lead to where the next node goes.
    fn path(&self) -> String {
        let keys = self.open.iter().filter_map(|open| match &open.content {
            OpenContent::Map { key: Some((key, _)), .. } => Some(key.as_str()),
            _ => None,
        });
        keys.collect::<Vec<_>>().join(".")
    }
}

fn line_number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX).max(1)
}
