//! What `infra/CONTRACT.md` and `infra/permissions.json` say, read from them, so that the stack cannot say otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

/// The contract, as it is when these tests are built.
const CONTRACT: &str = include_str!("../../../infra/CONTRACT.md");

/// The calls of each function.
const PERMISSIONS: &str = include_str!("../../../infra/permissions.json");

/// The whole contract.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Functions by name.
    pub functions: BTreeMap<String, Function>,
    /// Who finds each variable.
    pub variables: BTreeMap<String, BTreeSet<String>>,
    /// What is kept, in the order of the table.
    pub keys: Vec<Keys>,
    /// Who sends to each queue, and who takes from it; `-CLUSTER` stands for a cluster's name.
    pub queues: BTreeMap<String, Traffic>,
}

/// A function's row.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// The most messages of one batch; none for one that takes none.
    pub batch: Option<i32>,
    /// The longest that one invocation may take.
    pub timeout: Duration,
    /// Memory in MB.
    pub memory: u32,
    /// The SDK calls that its role allows, as `s3.GetObject`.
    pub calls: BTreeSet<String>,
    /// Whether its role lets it tell a key that is not there from one that it may not read.
    pub lists: bool,
}

/// The rights on some keys.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Patterns: a key, a prefix that ends with a slash, or one with `*` for one part.
    pub patterns: Vec<String>,
    /// The letters of `rwdl` by function.
    pub rights: BTreeMap<String, String>,
}

/// Who uses a queue.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// Those who send.
    pub senders: BTreeSet<String>,
    /// Who takes.
    pub taker: String,
}

impl Contract {
    /// Reads it.
    ///
    /// # Errors
    /// When one of its tables is not as it was.
    pub fn read() -> Result<Self> {
        let mut functions = functions()?;
        let permissions: Value = serde_json::from_str(PERMISSIONS)?;
        for (name, function) in &mut functions {
            let entry = &permissions["functions"][name.as_str()];
            function.calls = texts(&entry["calls"]).with_context(|| format!("permissions.json: {name}"))?;
            let platform = texts(&entry["platform"])?;
            function.lists =
                function.calls.contains("s3.ListObjectsV2") || platform.contains("s3:ListBucket");
        }
        let names: BTreeSet<_> = functions.keys().cloned().collect();
        Ok(Self { variables: variables(&names)?, keys: keys()?, queues: queues()?, functions })
    }

    /// A function's row.
    ///
    /// # Errors
    /// When there is none.
    pub fn function(&self, name: &str) -> Result<&Function> {
        self.functions.get(name).with_context(|| format!("CONTRACT.md has no function {name}"))
    }

    /// The row of a key, or of a prefix that is listed: the narrowest that matches.
    #[must_use]
    pub fn keys_of(&self, key: &str) -> Option<&Keys> {
        let width = |keys: &Keys| keys.patterns.iter().filter_map(|pattern| matched(pattern, key)).max();
        self.keys
            .iter()
            .filter_map(|keys| Some((width(keys)?, keys)))
            .max_by_key(|found| found.0)
            .map(|f| f.1)
    }
}

/// How much of a pattern is literal, where it matches.
fn matched(pattern: &str, key: &str) -> Option<usize> {
    let literal = pattern.len();
    if let Some((before, after)) = pattern.split_once('*') {
        let middle = key.strip_prefix(before)?.strip_suffix(after)?;
        return (!middle.contains('/')).then_some(literal);
    }
    let matches = if pattern.ends_with('/') { key.starts_with(pattern) } else { key == pattern };
    matches.then_some(literal)
}

/// The cells of each row of the table below a heading, without the heading and the line below it.
fn table(heading: &str) -> Result<Vec<Vec<String>>> {
    let start =
        CONTRACT.find(&format!("\n## {heading}\n")).with_context(|| format!("no section {heading}"))?;
    let lines = CONTRACT[start..].lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).map(|line| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    });
    Ok(rows.collect::<Vec<Vec<String>>>())
}

fn rows(heading: &str) -> Result<Vec<Vec<String>>> {
    Ok(table(heading)?.into_iter().skip(2).collect())
}

/// What stands between backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn functions() -> Result<BTreeMap<String, Function>> {
    let row = |cells: Vec<String>| {
        let [name, _, _, batch, memory, timeout] =
            <[String; 6]>::try_from(cells).map_err(|cells| anyhow::anyhow!("{cells:?}: not six cells"))?;
        let number = |text: &str| text.split(' ').next().unwrap_or_default().parse::<u32>();
        let function = Function {
            batch: batch.parse().ok(),
            timeout: Duration::from_secs(number(&timeout)?.into()),
            memory: number(&memory)?,
            ..Function::default()
        };
        Ok((name.trim_matches('`').to_owned(), function))
    };
    rows("Functions")?.into_iter().map(row).collect()
}

fn variables(functions: &BTreeSet<String>) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let who = |cell: &str| -> BTreeSet<String> {
        if let Some(but) = cell.strip_prefix("all but ") {
            return functions.iter().filter(|name| *name != but).cloned().collect();
        }
        if cell == "all" {
            return functions.clone();
        }
        let words = cell.split([',', ';', ' ']).map(str::trim);
        words.filter(|word| functions.contains(*word)).map(str::to_owned).collect()
    };
    let rows = rows("Variables")?;
    rows.into_iter().map(|cells| Ok((quoted(&cells[0]).remove(0), who(&cells[1])))).collect()
}

fn keys() -> Result<Vec<Keys>> {
    let table = table("What is kept where")?;
    let heads = table.first().context("the table of keys is empty")?;
    let row = |cells: &Vec<String>| {
        let mut rights = BTreeMap::new();
        for (head, cell) in heads.iter().zip(cells).skip(2).filter(|(_, cell)| !cell.is_empty()) {
            for function in head.split(", ") {
                rights.insert(function.to_owned(), cell.clone());
            }
        }
        Keys { patterns: quoted(&cells[0]), rights }
    };
    let mut keys: Vec<_> = table.iter().skip(2).map(row).collect();
    // The witness has a paragraph of its own below the table.
    for (pattern, rights) in [("witness/", "rw"), ("log/", "r")] {
        if let Some(row) = keys.iter_mut().find(|keys| keys.patterns == [pattern]) {
            row.rights.insert("witness".to_owned(), rights.to_owned());
        }
    }
    Ok(keys)
}

fn queues() -> Result<BTreeMap<String, Traffic>> {
    let row = |cells: Vec<String>| {
        let senders = cells[1].split(", ").map(str::to_owned).collect();
        let taker = cells[2].clone();
        (quoted(&cells[0]).remove(0), Traffic { senders, taker })
    };
    Ok(rows("Queues")?.into_iter().map(row).collect())
}

fn texts(list: &Value) -> Result<BTreeSet<String>> {
    let list = list.as_array().context("not a list")?;
    Ok(list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_is_read_as_it_is_written() {
        let contract = Contract::read().unwrap();
        let gather = contract.function("gather").unwrap();
        assert_eq!((gather.batch, gather.timeout.as_secs(), gather.memory), (Some(1), 300, 1024));
        assert!(contract.functions["receive"].batch.is_none());
        let told =
            |variable: &str| contract.variables[variable].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(told("COUNTERSIGN_ROOT_KEY"), ["receive", "record"]);
        assert!(told("COUNTERSIGN_WITNESS_BUCKET").contains(&"witness"));
        assert!(!told("COUNTERSIGN_QUEUE_PREFIX").contains(&"witness"));
        assert_eq!(contract.queues["facts"].taker, "evaluate");
    }

    #[test]
    fn the_narrowest_row_holds_for_a_key() {
        let contract = Contract::read().unwrap();
        let rights = |key: &str, function: &str| {
            contract.keys_of(key).and_then(|keys| keys.rights.get(function)).cloned().unwrap_or_default()
        };
        assert_eq!(rights("state/active-bundle", "receive"), "r");
        assert_eq!(rights("state/settled", "receive"), "");
        assert_eq!(rights("state/due/00", "poll"), rights("state/due/", "poll"));
        assert_eq!(rights("bundles/00/policies.json", "receive"), "");
        assert_eq!(rights("bundles/00/policies.json", "evaluate"), "rw");
        assert_eq!(rights("bundles/sources/00", "gather"), "wb");
        assert_eq!(rights("log/checkpoint", "witness"), "r");
    }
}
