//! Repositories that are made to take a renderer down, each with the folder to build and what is said of it.

use std::collections::BTreeMap;

pub type Files = BTreeMap<String, Vec<u8>>;

/// A bomb.
pub struct Bomb {
    pub name: &'static str,
    pub files: Files,
    pub run: &'static str,
    /// What the reason holds.
    pub says: &'static str,
}

pub fn files(files: &[(&str, &str)]) -> Files {
    files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

pub fn object(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

/// A kustomization with one file.
fn one(kustomization: &str, object: &str) -> Files {
    files(&[("kustomization.yaml", kustomization), ("x.yaml", object)])
}

const RESOURCES: &str = "resources: [x.yaml]\n";

/// Those that a budget stops. What a rule stops costs nothing.
pub fn all() -> Vec<Bomb> {
    let bomb = |name, files, run, says| Bomb { name, files, run, says };
    let deep = format!("apiVersion: v1\nkind: X\nmetadata: {{name: x}}\na:\n{}", "- ".repeat(10_000));
    vec![
        bomb("alias bomb", aliases(), "", "aliases expand to more than"),
        bomb("doubling diamond of bases", diamond(), "l20", "more than 1000 kustomizations are built in all"),
        bomb("10,000 levels of bases", levels(), "l0", "bases are nested deeper than 50 levels"),
        bomb("10,000 levels of lists", one(RESOURCES, &deep), "", "nested deeper than"),
        bomb("cycle", cycle(), "a", "is, or contains"),
        bomb("expression", expression("((a{100}){100}){100}"), "", "regular expression is not accepted"),
        bomb(
            "expression with counts",
            expression("\\p{Any}{500}{500}"),
            "",
            "regular expression is not accepted",
        ),
        bomb("huge literal", literal(), "", "at most 4194304 are read"),
        bomb("100,000 files in a generator", many_files(), "", "more than 2000 files are read in all"),
        bomb("replacement fan-out", fan_out(), "", "transforming the objects takes more than 5000000 steps"),
        bomb("image name of brackets", brackets(), "", "regular expression is not accepted"),
    ]
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
