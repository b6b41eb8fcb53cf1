//! From the parser's events to nodes: aliases expanded, keys checked, every budget kept.

use std::collections::HashMap;
use std::str::Chars;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::map::{Field, Map};
use super::node::{At, Content, FOLDED, HOLLOW, Kind, Node, Scalar, TAGGED, Text, Weight};
use super::scalar::Dialect;
use super::{Fault, Meter, Place, Soft, encoding, keep, layout, scalar};

/// The help for a file that is not YAML.
const CHECK_INDENTATION: &str = "check the indentation and the quotes near this line";

/// Parses every document of a file. What does not end the parse is given to `soft`, to be told with it.
///
/// # Errors
/// When the text is not YAML, or a budget is used up.
pub(crate) fn documents(
    text: &str,
    file: u32,
    dialect: Dialect,
    meter: &mut Meter<'_>,
    soft: Soft<'_>,
) -> Result<Vec<Node>, Fault> {
    let text = &*encoding::without_marks(text);
    encoding::printable(text)?;
    not_crowded(text, meter.budget.nodes / 4)?;
    let mut kept = Vec::new();
    let mark = meter.mark();
    let mut composed = composed(text, file, dialect, meter, &mut keep(&mut kept));
    if composed.as_ref().is_err_and(|fault| fault.help == CHECK_INDENTATION)
        && let Some(mended) = layout::mended(text)
    {
        kept.clear();
        meter.reset(mark);
        composed = self::composed(&mended, file, dialect, meter, &mut keep(&mut kept));
    }
    kept.into_iter().for_each(soft);
    composed
}

fn composed(
    text: &str,
    file: u32,
    dialect: Dialect,
    meter: &mut Meter<'_>,
    soft: Soft<'_>,
) -> Result<Vec<Node>, Fault> {
    let events = Parser::new_from_str(text);
    let open_end = open_end(text);
    let mut composer = Composer {
        events,
        file,
        dialect,
        meter,
        soft,
        anchors: HashMap::new(),
        items: Vec::new(),
        fields: Vec::new(),
        open_end,
        within_brackets: false,
        ahead: text.chars(),
        passed: 0,
    };
    let mut documents = Vec::new();
    loop {
        match composer.next()? {
            (Event::StreamEnd, _) => return Ok(documents),
            (Event::DocumentStart(false), span) if !documents.is_empty() => {
                let message = "a document begins after ... without ---: other readers leave it out";
                return Err(Fault::new(line_of(span), message, "write --- before it"));
            }
            (Event::DocumentStart(_), _) => {
                composer.anchors.clear();
                let first = composer.next()?;
                documents.push(composer.node(first, Place::default())?.0);
            }
            _ => {}
        }
    }
}

/// Refuses more commas and brackets than `most`. The parser reads a whole list or mapping in brackets
/// before it tells of its first item, and needs some hundred bytes for each.
fn not_crowded(text: &str, most: u64) -> Result<(), Fault> {
    let marks = text.bytes().filter(|byte| b",[{".contains(byte)).count() as u64;
    if marks <= most {
        return Ok(());
    }
    let message = format!("the file has more than {most} commas and opening brackets");
    Err(Fault::new(1, message, "split the file; a file that is JSON may be named .json"))
}

/// How many characters the text has, if its last line holds something and no line end comes after it.
fn open_end(text: &str) -> Option<usize> {
    let last = text.rsplit(['\n', '\r']).next()?;
    (!last.trim().is_empty()).then(|| text.chars().count())
}

fn line_of(span: Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or(u32::MAX)
}

type Spanned<'i> = (Event<'i>, Span);

/// The anchor that a node has, as the parser numbers them; zero for none.
type AnchorId = usize;

struct Composer<'i, 'm, 'b, 's> {
    events: Parser<'i, StrInput<'i>>,
    /// The number of the file.
    file: u32,
    dialect: Dialect,
    meter: &'m mut Meter<'b>,
    soft: Soft<'s>,
    anchors: HashMap<AnchorId, (Node, Weight)>,
    /// The items of the lists, and the fields of the mappings, that are not complete yet, the innermost last. There are many
    /// lists and mappings, most of them small: each is made of the size that it has.
    items: Vec<Node>,
    fields: Vec<Field>,
    /// Where the file ends, in characters, if no line end comes after its last line.
    open_end: Option<usize>,
    /// Whether the list or mapping that is read is in brackets, or in one that is.
    within_brackets: bool,
    /// The text from the last place that was looked at, and how many characters are before it.
    ahead: Chars<'i>,
    passed: usize,
}

impl<'i> Composer<'i, '_, '_, '_> {
    fn next(&mut self) -> Result<Spanned<'i>, Fault> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let line = u32::try_from(error.marker().line()).unwrap_or(u32::MAX).max(1);
                Err(Fault::new(line, format!("not valid YAML: {}", error.info()), CHECK_INDENTATION))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn at(&self, line: u32) -> At {
        At { file: self.file, line }
    }

    fn soft(&mut self, line: u32, message: String, help: &'static str) {
        (self.soft)(Fault::new(line, message, help));
    }

    fn warn(&mut self, line: u32, message: &str, help: &'static str) {
        (self.soft)(Fault { warning: true, ..Fault::new(line, message, help) });
    }

    /// The node that begins with `event`, at `place`; beside it whether it is a merge key.
    fn node(&mut self, (event, span): Spanned<'i>, place: Place) -> Result<(Node, bool), Fault> {
        let line = line_of(span);
        self.meter.node().map_err(|why| Fault::exhausted(line, why))?;
        place.check(Place::default(), line, self.meter.budget)?;
        let (content, anchor, merge) = match event {
            Event::Alias(anchor) => return Ok((self.alias(anchor, line, place)?, false)),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let text = if block { self.ended(&text, span) } else { &text };
                let folded = style == ScalarStyle::Folded && self.dialect == Dialect::Kustomize;
                if self.dialect == Dialect::Kustomize {
                    self.warn_of_text(text, style, span);
                }
                let tag = tag.as_deref();
                let merge = text == "<<" && tag.map_or(plain, is_merge);
                let mut scalar = self.scalar(text, plain, tag, merge, line);
                if folded {
                    scalar.share = FOLDED;
                } else if tag.is_some() && scalar.kind == Kind::Str {
                    scalar.share = TAGGED;
                }
                (Content::Scalar(scalar), anchor, merge)
            }
            Event::SequenceStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), "seq", line);
                let outer = self.enter(span);
                let items = self.sequence(place)?;
                self.within_brackets = outer;
                (items, anchor, false)
            }
            Event::MappingStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), "map", line);
                let outer = self.enter(span);
                let fields = self.mapping(place)?;
                self.within_brackets = outer;
                (fields, anchor, false)
            }
            _ => return Err(Fault::new(line, "not valid YAML: a value is missing", CHECK_INDENTATION)),
        };
        let node = Node { at: self.at(line), content };
        if anchor != 0 {
            let weight = node.weight();
            self.meter.copy(weight.bytes).map_err(|why| Fault::exhausted(line, why))?;
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        Ok((node, merge))
    }

    /// Warns of a text that kustomize prints otherwise.
    fn warn_of_text(&mut self, text: &str, style: ScalarStyle, span: Span) {
        let grows = match style {
            ScalarStyle::Folded => scalar::grows(text),
            ScalarStyle::Literal => scalar::ends_in_empty_lines(text) && self.only_comments_follow(span),
            _ => false,
        };
        if grows {
            self.warn(line_of(span), scalar::GROWS, scalar::QUOTE_BLOCK);
        }
        if text.contains('\u{85}') {
            self.warn(line_of(span), scalar::NEXT_LINE, "write another character");
        }
    }

    /// Whether comments, and nothing else, follow in the document.
    fn only_comments_follow(&mut self, span: Span) -> bool {
        let end = span.end.index();
        let Some(skipped @ 1..) = end.checked_sub(self.passed) else { return false };
        self.passed = end;
        self.ahead.nth(skipped - 1);
        let document = self.ahead.as_str().lines().take_while(|line| !line.starts_with("---"));
        let mut filled = document.map(str::trim).filter(|line| !line.is_empty());
        let is_comment = |line: &str| line.starts_with('#');
        filled.next().is_some_and(is_comment) && filled.all(is_comment)
    }

    /// The text of a block. The parser adds a line end to the file's last line; where there is none, the text has
    /// none either.
    fn ended<'t>(&self, text: &'t str, span: Span) -> &'t str {
        match (self.open_end, text.strip_suffix('\n')) {
            (Some(end), Some(body)) if span.end.index() >= end => body,
            _ => text,
        }
    }

    fn alias(&mut self, anchor: AnchorId, line: u32, place: Place) -> Result<Node, Fault> {
        let Some((_, weight)) = self.anchors.get(&anchor) else {
            let message = "this alias names an anchor that is not complete before it in this document";
            return Err(Fault::new(line, message, "put the anchor before the alias, in the same document"));
        };
        let weight = *weight;
        place.check(weight.inner, line, self.meter.budget)?;
        self.meter.copy(weight.bytes).map_err(|why| Fault::exhausted(line, why))?;
        let copied = self.anchors.get(&anchor).map(|(node, _)| node.clone());
        Ok(copied.unwrap_or_else(|| Node::null(self.at(line))))
    }

    fn scalar(&mut self, text: &str, plain: bool, tag: Option<&Tag>, merge: bool, line: u32) -> Scalar {
        let kind = if merge { Ok(Kind::Str) } else { scalar::resolve(text, plain, tag, self.dialect) };
        let kind = kind.unwrap_or_else(|message| {
            self.soft(line, message, scalar::QUOTE_IT);
            Kind::Null
        });
        let hollow = self.within_brackets && self.dialect == Dialect::Kustomize && kind == Kind::Null;
        let share = if hollow && text.is_empty() { HOLLOW } else { 0 };
        Scalar { text: self.meter.text(text), kind, quoted: !plain, share }
    }

    /// Notes that a list or a mapping begins; tells whether what it is in is within brackets.
    fn enter(&mut self, span: Span) -> bool {
        let outer = self.within_brackets;
        self.within_brackets = outer || self.opens_bracket(span);
        outer
    }

    /// Whether what begins a list or a mapping is its bracket. The parser does not say so.
    fn opens_bracket(&mut self, span: Span) -> bool {
        let last = span.end.index().saturating_sub(1);
        let Some(skipped) = last.checked_sub(self.passed) else { return false };
        self.passed = last + 1;
        matches!(self.ahead.nth(skipped), Some('{' | '['))
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, expected: &str, line: u32) {
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == expected)) {
            self.soft(
                line,
                format!("the tag {} is not known here", scalar::shown(&tag.to_string())),
                "remove the tag",
            );
        }
    }

    fn sequence(&mut self, place: Place) -> Result<Content, Fault> {
        let begin = self.items.len();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Content::List(self.items.drain(begin..).collect())),
                event => {
                    let item = self.node(event, place.item())?.0;
                    self.items.push(item);
                }
            }
        }
    }

    fn mapping(&mut self, place: Place) -> Result<Content, Fault> {
        let begin = self.fields.len();
        let mut merge: Option<Merge> = None;
        loop {
            let event = self.next()?;
            if event.0 == Event::MappingEnd {
                let fields = self.fields.drain(begin..).collect();
                let own = self.unique(fields);
                return Ok(Content::Map(match merge {
                    Some(merge) => self.merged(own, merge),
                    None => own,
                }));
            }
            let (key, is_merge) = self.node(event, place.field(0))?;
            let value = self.next()?;
            let (value, _) = self.node(value, place.field(key.text().map_or(0, str::len)))?;
            if is_merge && merge.is_some() {
                self.soft(
                    key.at.line,
                    "the key \"<<\" is written twice".to_owned(),
                    "write one << with a list",
                );
            } else if is_merge {
                let written = self.fields.get(begin..).unwrap_or_default();
                let before = written.iter().map(|field| field.key.clone()).collect();
                merge = Some(Merge { line: key.at.line, value, before });
            } else if let (Some(text), Some(_)) = (key.raw(), key.text()) {
                if &**text == "<<" && self.dialect == Dialect::Kustomize {
                    self.warn(key.at.line, "kustomize loses this key: here it stays", "use another key");
                }
                self.fields.push(Field { key: text.clone(), at: key.at, value });
            } else {
                let message = format!("this key is {}: keys are strings", key.what());
                self.soft(key.at.line, message, "put the key in quotes");
            }
        }
    }

    fn unique(&mut self, fields: Vec<Field>) -> Map {
        let (mut map, again) = Map::new(fields);
        for field in again {
            let first = map.field(&field.key).map_or(0, |first| first.at.line);
            let key = scalar::shown(&field.key);
            let message = format!("the key {key} is written twice: first on line {first}");
            let warning = self.dialect == Dialect::Configuration;
            (self.soft)(Fault { warning, ..Fault::new(field.at.line, message, "remove one of them") });
            if warning {
                map.set(&field.key, field.at, field.value);
            }
        }
        map
    }

    /// `own` with what `<<` brings. What is written in the mapping itself wins.
    fn merged(&mut self, mut own: Map, merge: Merge) -> Map {
        let Merge { line, value, before } = merge;
        let sources = match value.content {
            Content::List(items) => items,
            _ => vec![value],
        };
        let mut brought: Vec<Field> = Vec::new();
        for source in sources {
            let Content::Map(fields) = source.content else {
                let message = "<< takes a mapping or a list of mappings".to_owned();
                self.soft(line, message, "name the anchor of a mapping");
                continue;
            };
            brought.extend(fields.into_fields());
        }
        // Of a list of mappings the first that has a key wins.
        for field in Map::new(brought).0.into_fields() {
            if self.dialect != Dialect::Kustomize && before.contains(&field.key) {
                let key = scalar::shown(&field.key);
                let message =
                    format!("<< brings the key {key}, which is written before it: readers disagree");
                self.soft(line, message, "put << first in its mapping, so that what follows wins");
            } else if !own.contains(&field.key) {
                own.set(&field.key, field.at, field.value);
            }
        }
        own
    }
}

/// A merge key.
struct Merge {
    line: u32,
    value: Node,
    /// The keys that stand before it in its mapping.
    before: Vec<Text>,
}

fn is_merge(tag: &Tag) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == "merge"
}
