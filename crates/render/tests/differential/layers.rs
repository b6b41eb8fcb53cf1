//! A composition: kustomizations on top of each other, each made of parts. Pure: the same parts are the same files.

use std::collections::{BTreeMap, BTreeSet};

use crate::draw::{Draw, hanging};
use crate::{fields, objects, patches};

/// One thing that a kustomization says or holds.
#[derive(Clone, Debug)]
pub struct Part {
    /// Which of [`PARTS`], modulo their number.
    pub kind: u8,
    /// What its details are drawn from.
    pub tape: Vec<u8>,
}

/// One kustomization.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Which [`Role`] it has.
    pub role: u8,
    pub parts: Vec<Part>,
}

/// What a kustomization is to the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A base that stands on those before it.
    Base,
    /// A base that stands alone.
    Alone,
    Component,
}

impl Role {
    fn of(number: u8) -> Self {
        match number % 8 {
            0..5 => Self::Base,
            5..7 => Self::Component,
            _ => Self::Alone,
        }
    }
}

/// The files of a composition.
pub type Files = BTreeMap<String, String>;

type Write = fn(&mut Writing, &mut Draw<'_>);

/// Objects come first, and most often: what they are not there for, nothing happens to.
const PARTS: [Write; 40] = [
    object,
    object,
    object,
    object,
    object,
    object,
    object,
    object,
    fields::name_prefix,
    fields::name_suffix,
    fields::namespace,
    fields::labels,
    fields::labels,
    fields::common_labels,
    fields::common_annotations,
    fields::images,
    fields::image_tags,
    fields::replicas,
    fields::config_map_generator,
    fields::config_map_generator,
    fields::config_map_generator,
    fields::secret_generator,
    fields::generator_options,
    fields::variables,
    fields::configurations,
    fields::definitions,
    fields::sort_options,
    fields::build_metadata,
    fields::transformers,
    fields::validators,
    fields::generators,
    patches::strategic,
    patches::strategic,
    patches::strategic,
    patches::strategic_old,
    patches::json,
    patches::json,
    patches::json_old,
    patches::replacement,
    patches::replacement,
];

/// The files of `layers`, and the folder that is built.
pub fn files(layers: &[Layer]) -> (Files, String) {
    let mut files = Files::new();
    let mut names = BTreeSet::new();
    let (mut bases, mut components): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (number, layer) in layers.iter().enumerate() {
        let is_last = number + 1 == layers.len();
        let role = if is_last { Role::Base } else { Role::of(layer.role) };
        let folder = format!("l{number}");
        let mut writing = Writing::new(&folder, std::mem::take(&mut names));
        if number == 0 {
            let file = writing.file("yaml", objects::STOCK.to_owned());
            writing.add("resources", file);
        }
        match role {
            Role::Component => writing.set("kind", "Component".to_owned()),
            Role::Alone => {}
            Role::Base => {
                let field = if layer.role < 64 { "bases" } else { "resources" };
                bases.drain(..).for_each(|base| writing.add(field, base));
                components.drain(..).for_each(|component| writing.add("components", component));
            }
        }
        for part in &layer.parts {
            PARTS[usize::from(part.kind) % PARTS.len()](&mut writing, &mut Draw::new(&part.tape));
        }
        names = writing.finish(&mut files);
        let place = format!("../{folder}");
        if role == Role::Component { components.push(place) } else { bases.push(place) }
    }
    (files, format!("l{}", layers.len().saturating_sub(1)))
}

/// A kustomization while it is written.
pub struct Writing {
    folder: String,
    /// What is called by a name already, in this kustomization or below: most compositions should build.
    names: BTreeSet<String>,
    files: Files,
    lists: BTreeMap<&'static str, Vec<String>>,
    values: BTreeMap<&'static str, String>,
}

impl Writing {
    fn new(folder: &str, names: BTreeSet<String>) -> Self {
        let (lists, values) = (BTreeMap::new(), BTreeMap::new());
        Self { folder: folder.to_owned(), names, files: Files::new(), lists, values }
    }

    /// Whether nothing is called like this yet, which it then is.
    pub fn is_new(&mut self, name: &str) -> bool {
        self.names.insert(name.to_owned())
    }

    /// Adds an item to the list in a field.
    pub fn add(&mut self, field: &'static str, item: impl Into<String>) {
        self.lists.entry(field).or_default().push(item.into());
    }

    /// Sets a field to a text, or to a mapping that begins with a line end.
    pub fn set(&mut self, field: &'static str, value: String) {
        self.values.insert(field, value);
    }

    /// Writes a file beside the kustomization, and returns its name.
    pub fn file(&mut self, extension: &str, text: String) -> String {
        let name = format!("f{}.{extension}", self.files.len());
        self.files.insert(name.clone(), text);
        name
    }

    fn finish(mut self, files: &mut Files) -> BTreeSet<String> {
        if self.lists.is_empty() && self.values.keys().all(|field| *field == "kind") {
            // An empty kustomization is an error everywhere.
            self.set("nameSuffix", "-z".to_owned());
        }
        let mut text = String::new();
        if self.values.get("kind").is_some_and(|kind| kind == "Component") {
            text += "apiVersion: kustomize.config.k8s.io/v1alpha1\n";
        }
        for (field, value) in &self.values {
            let space = if value.starts_with('\n') { "" } else { " " };
            text += &format!("{field}:{space}{value}\n");
        }
        for (field, items) in &self.lists {
            text += &format!("{field}:\n");
            items.iter().for_each(|item| text += &format!("- {}\n", hanging(item.trim_end_matches('\n'), 2)));
        }
        self.files.insert("kustomization.yaml".to_owned(), text);
        let folder = self.folder;
        files.extend(self.files.into_iter().map(|(name, text)| (format!("{folder}/{name}"), text)));
        self.names
    }
}

/// Adds a file with one object, or with a few, in some style.
fn object(layer: &mut Writing, draw: &mut Draw<'_>) {
    let mut text = objects::object(draw);
    if !layer.is_new(objects::name(&text)) {
        return;
    }
    if draw.one_in(5) {
        let second = objects::object(draw);
        if layer.is_new(objects::name(&second)) {
            text = format!("{text}---\n{second}");
        }
    }
    let text = styled(text, draw);
    let file = layer.file("yaml", text);
    layer.add("resources", file);
}

/// `text` as editors and people leave it.
pub fn styled(text: String, draw: &mut Draw<'_>) -> String {
    match draw.below(12) {
        6 => format!("\u{feff}{text}"),
        7 => text.replace('\n', "\r\n"),
        8 => format!("# about this\n---\n# and this\n{text}---\n# nothing\n"),
        9 => format!("{text}\n\n# the end"),
        10 => text.trim_end().to_owned(),
        11 => format!("\u{feff}# first\r\n{}", text.replace('\n', "\r\n")),
        _ => text,
    }
}
