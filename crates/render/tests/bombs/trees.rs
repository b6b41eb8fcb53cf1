//! Repositories that are made to take a renderer down, each with the folder to build and what is said of it.

#[path = "grow.rs"]
mod grow;

use std::collections::BTreeMap;

use countersign_core::tree::{Entry, EntryKind, Tree, TreeError};

pub type Files = BTreeMap<String, Vec<u8>>;

/// A bomb.
pub struct Bomb {
    pub name: &'static str,
    pub files: Repository,
    pub run: &'static str,
    /// What the reason holds.
    pub says: &'static str,
    /// How much it may take to see it: MiB that are held at one time, and thousands of values and steps.
    pub most: (u64, u64),
}

/// Files, of which one may be a symbolic link.
pub struct Repository {
    files: Files,
    link: Option<&'static str>,
}

impl Tree for Repository {
    fn kind(&self, path: &str) -> Result<Option<EntryKind>, TreeError> {
        if self.link == Some(path) { Ok(Some(EntryKind::Link)) } else { self.files.kind(path) }
    }

    fn entries(&self, path: &str) -> Result<Option<Vec<Entry>>, TreeError> {
        self.files.entries(path)
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, TreeError> {
        self.files.read(path, limit)
    }
}

pub fn files(files: &[(&str, &str)]) -> Files {
    files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

pub fn object(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

/// A kustomization with one file.
pub fn one(kustomization: &str, object: &str) -> Files {
    files(&[("kustomization.yaml", kustomization), ("x.yaml", object)])
}

pub const RESOURCES: &str = "resources: [x.yaml]\n";

/// Those that a budget or a rule stops.
pub fn all() -> Vec<Bomb> {
    let bomb = |name, files, run, says, most| Bomb {
        name,
        files: Repository { files, link: None },
        run,
        says,
        most,
    };
    let deep = format!("apiVersion: v1\nkind: X\nmetadata: {{name: x}}\na:\n{}", "- ".repeat(10_000));
    let grows = "grow by more than 16777216 bytes in all";
    let nested = "nested deeper than 100 levels";
    let steps = "transforming the objects takes more than 5000000 steps";
    let refused = "regular expression is not accepted";
    let mut all = vec![
        bomb("alias bomb", aliases(), "", "aliases expand to more than", (10, 1)),
        bomb(
            "doubling diamond of bases",
            diamond(),
            "l20",
            "more than 1000 kustomizations are built in all",
            (1, 22),
        ),
        bomb("10,000 levels of bases", levels(), "l0", "bases are nested deeper than 50 levels", (1, 1)),
        bomb("10,000 levels of lists", one(RESOURCES, &deep), "", "nested deeper than", (1, 1)),
        bomb("cycle", cycle(), "a", "is, or contains", (1, 1)),
        bomb("expression", expression("((a{100}){100}){100}"), "", refused, (1, 1)),
        bomb("expression with counts", expression("\\p{Any}{500}{500}"), "", refused, (1, 1)),
        bomb("huge literal", literal(), "", "at most 4194304 are read", (1, 1)),
        bomb(
            "100,000 files in a generator",
            many_files(),
            "",
            "more than 2000 files are read in all",
            (16, 105),
        ),
        bomb("replacement fan-out", fan_out(), "", steps, (4, 5_146)),
        bomb("image name of brackets", brackets(), "", refused, (4, 82)),
        bomb("copies that double", grow::copies(), "", grows, (9, 1)),
        bomb("replacements that double", grow::replacements(), "", grows, (18, 279)),
        bomb("variable in many places", grow::variables(), "", grows, (1, 3)),
        bomb("long prefix of many names", grow::prefix(), "", grows, (19, 3)),
        bomb("long annotation of many objects", grow::annotation(), "", grows, (1, 3)),
        bomb("long name in many references", grow::references(), "", grows, (22, 101)),
        bomb("400 annotations of 2,000 objects", grow::annotations(400, 2_000), "", grows, (27, 3_252)),
        bomb("40,000 annotations of one object", grow::annotations(40_000, 1), "", steps, (13, 5_182)),
        bomb("patch of many objects", grow::patch(), "", grows, (29, 308)),
        bomb("notes of 40,000 transformers", grow::notes(), "", grows, (11, 573)),
        bomb("1,000 slow expressions", grow::expressions(), "", steps, (2, 58)),
        bomb("20,000 generators that merge", grow::merges(), "", steps, (17, 5_236)),
        bomb("50,000 fields of a configuration", grow::fields(), "", steps, (27, 274)),
        bomb("label at 4,000 levels", grow::deep_label(), "", nested, (1, 1)),
        bomb("replacement at 4,000 levels", grow::deep_replacement(), "", nested, (1, 1)),
        bomb("4,000 copies into each other", grow::deep_copies(), "", nested, (3, 33)),
        bomb("8,000 ports", grow::ports(), "", steps, (3, 25)),
        bomb("1,000 patches of 100,000 numbers", grow::numbers(), "", steps, (12, 5_300)),
        bomb("20,000 items before 100,000", grow::items(), "", steps, (21, 5_341)),
        bomb("key written twice", twice(), "", "is written twice", (1, 1)),
        bomb("two bases with one object", two_bases(), "c", "ConfigMap x is here twice", (1, 1)),
    ];
    for (name, path, says) in ESCAPES {
        all.push(bomb(name, escape(path), "app", says, (1, 1)));
    }
    let mut link = bomb("path through a link", escape("link.yaml"), "app", "links are not followed", (1, 1));
    link.files.link = Some("app/link.yaml");
    all.push(link);
    all
}

/// Paths that lead out of a kustomization's folder, or of the repository.
const ESCAPES: [(&str, &str, &str); 5] = [
    ("path out of the repository", "../../x.yaml", "leads out of the repository"),
    ("path out of the folder", "../secret.yaml", "is not in or below the kustomization's folder"),
    ("absolute path", "/etc/passwd", "is absolute"),
    ("path with a NUL", "\"a\\0b\"", "holds a NUL"),
    ("path with percent signs", "'%2e%2e/secret.yaml'", "nothing is at"),
];

fn escape(path: &str) -> Files {
    let text = format!("resources:\n- {path}\n");
    files(&[("app/kustomization.yaml", &text), ("secret.yaml", &object("secret"))])
}

fn twice() -> Files {
    one(RESOURCES, &format!("{}  name: y\n", object("x")))
}

fn two_bases() -> Files {
    files(&[
        ("a/kustomization.yaml", RESOURCES),
        ("a/x.yaml", &object("x")),
        ("b/kustomization.yaml", RESOURCES),
        ("b/x.yaml", &object("x")),
        ("c/kustomization.yaml", "resources: [../a, ../b]\n"),
    ])
}

fn aliases() -> Files {
    let mut bomb = String::from(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\na0: &a0 [x, x, x, x, x, x, x, x]\n",
    );
    for level in 1..30 {
        let aliases = vec![format!("*a{}", level - 1); 8].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    one(RESOURCES, &bomb)
}

fn diamond() -> Files {
    let mut tree = files(&[("l0/kustomization.yaml", RESOURCES), ("l0/x.yaml", &object("x"))]);
    for level in 1..40 {
        for side in ["a", "b"] {
            let base = format!("../l{}", level - 1);
            tree.insert(
                format!("l{level}{side}/kustomization.yaml"),
                format!("resources: [{base}]\nnamePrefix: {side}-\n").into_bytes(),
            );
        }
        tree.insert(
            format!("l{level}/kustomization.yaml"),
            format!("resources: [../l{level}a, ../l{level}b]\n").into_bytes(),
        );
    }
    tree
}

fn levels() -> Files {
    let level = |level| {
        let text = format!("resources: [../l{}]\n", level + 1);
        (format!("l{level}/kustomization.yaml"), text.into_bytes())
    };
    (0..10_000).map(level).collect()
}

fn cycle() -> Files {
    files(&[
        ("a/kustomization.yaml", "resources:\n- ../b\n"),
        ("b/kustomization.yaml", "resources:\n- ../a\n"),
    ])
}

/// A patch whose target is named by an expression.
pub fn expression(name: &str) -> Files {
    let kustomization = format!(
        "{RESOURCES}patches:\n- target:\n    name: '{name}'\n  patch: |-\n    - {{op: remove, path: /data}}\n"
    );
    one(&kustomization, &object("x"))
}

/// What is larger than the budget is not read, whatever its size: the tree tells it.
fn literal() -> Files {
    let text = format!("configMapGenerator:\n- name: x\n  literals: [a={}]\n", "x".repeat(5 << 20));
    files(&[("kustomization.yaml", &text)])
}

fn many_files() -> Files {
    let mut text = String::from("configMapGenerator:\n- name: x\n  files:\n");
    let mut tree = Files::new();
    for number in 0..100_000 {
        text.push_str(&format!("  - f/{number}\n"));
        tree.insert(format!("f/{number}"), b"x".to_vec());
    }
    tree.insert("kustomization.yaml".to_owned(), text.into_bytes());
    tree
}

fn fan_out() -> Files {
    let mut objects = String::new();
    for number in 0..2_000 {
        objects.push_str(&format!("---\n{}data: {{a: b}}\n", object(&format!("x{number}"))));
    }
    let replacement = "- source: {kind: ConfigMap, name: x0, fieldPath: data.a}\n  targets:\n  - select: {kind: '.*'}\n    fieldPaths: [data.a]\n";
    one(&format!("{RESOURCES}replacements:\n{}", replacement.repeat(1_000)), &objects)
}

fn brackets() -> Files {
    let web =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers: [{name: a, image: nginx}]\n";
    let name = format!("{}{}", "(".repeat(5_000), ")".repeat(5_000));
    one(&format!("{RESOURCES}images:\n- {{name: '{name}', newTag: x}}\n"), web)
}
