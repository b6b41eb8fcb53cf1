//! GitHub as its own published description (OpenAPI) says: every request is checked against it, and answered with
//! its examples.
//!
//! The description is fetched by `tests/tools/github-openapi/fetch.sh` into the cache, and never committed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Map, Value, json};

use crate::testing::{Reply, Request, Server};

/// The version of `@octokit/openapi` whose description is used, as `tests/tools/github-openapi` names it.
const VERSION: &str = "23.0.2";

/// The description; none where it was not fetched and need not be.
pub(super) fn description() -> Option<&'static Value> {
    static DESCRIPTION: OnceLock<Option<Value>> = OnceLock::new();
    DESCRIPTION
        .get_or_init(|| {
            let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/countersign"));
            let cache = std::env::var_os("COUNTERSIGN_CACHE").map(PathBuf::from).or_else(home)?;
            let path = cache.join(format!("tools/github-openapi-{VERSION}/api.github.com.json"));
            let Ok(text) = std::fs::read(&path) else {
                assert!(std::env::var("CI").as_deref() != Ok("true"), "GitHub's description is missing");
                println!("GitHub's description is missing: `make tools` fetches it");
                return None;
            };
            Some(serde_json::from_slice(&text).unwrap())
        })
        .as_ref()
}

/// A request that the description knows.
pub(super) struct Asked<'a> {
    /// The operation, as `GET /repos/{owner}/{repo}/pulls`.
    pub(super) operation: String,
    /// The values in the path.
    pub(super) path: BTreeMap<String, String>,
    pub(super) request: &'a Request,
    /// The request's body.
    pub(super) body: Value,
    /// What the description answers.
    pub(super) example: Value,
}

impl Asked<'_> {
    /// The example's first item with `changes`, for each of them.
    pub(super) fn items(&self, changes: &[Value]) -> Value {
        changes.iter().map(|change| merged(&self.example[0], change)).collect()
    }
}

/// `example` with `change` laid over it.
pub(super) fn merged(example: &Value, change: &Value) -> Value {
    match (example, change) {
        (Value::Object(old), Value::Object(new)) => {
            let mut all: Map<_, _> = old.clone();
            for (key, value) in new {
                let value = merged(old.get(key).unwrap_or(&Value::Null), value);
                all.insert(key.clone(), value);
            }
            Value::Object(all)
        }
        _ => change.clone(),
    }
}

/// A server that is GitHub as described, and what was wrong with what it was asked.
pub(super) struct Github {
    pub(super) server: Server,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl Github {
    /// Answers with `world`'s reply, or else with the description's example.
    pub(super) async fn start(
        description: &'static Value,
        world: impl Fn(&Asked<'_>) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let wrong = Arc::new(Mutex::new(Vec::new()));
        let noted = wrong.clone();
        let server = Server::start(move |request| match check(description, request) {
            Ok((asked, status)) => world(&asked).unwrap_or_else(|| match status {
                204 => Reply::status(204, &[], ""),
                status => Reply::status(status, &[], &asked.example.to_string()),
            }),
            Err(why) => {
                noted.lock().unwrap().push(format!("{} {}: {why}", request.method, request.target));
                Reply::status(500, &[], "{}")
            }
        })
        .await;
        Self { server, wrong }
    }

    /// What was wrong with requests, in their order.
    pub(super) fn wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap().clone()
    }

    /// Asserts that every request was as described.
    #[track_caller]
    pub(super) fn nothing_was_wrong(&self) {
        let wrong = self.wrong();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// The operation that a request asks for, and the status of its success.
fn check<'a>(description: &Value, request: &'a Request) -> Result<(Asked<'a>, u16), String> {
    // An Enterprise Server serves the same below a prefix.
    let path = request.path().strip_prefix("/api/v3").ok_or("not below the interface's address")?;
    let method = request.method.to_lowercase();
    let (template, values) = find(description, path, &method).ok_or("no such operation")?;
    let operation = &description["paths"][&template][&method];
    headers(request)?;
    query(description, operation, request)?;
    let body = body(description, operation, request)?;
    let success =
        operation["responses"].as_object().unwrap().iter().find(|(status, _)| status.starts_with('2'));
    let (status, response) = success.ok_or("no success is described")?;
    let content = &resolved(description, response)["content"]["application/json"];
    let example = content["examples"].as_object().and_then(|examples| examples.values().next());
    let example = example.map(|example| resolved(description, example)["value"].clone()).unwrap_or_default();
    let operation = format!("{} {template}", request.method);
    Ok((Asked { operation, path: values, request, body, example }, status.parse().unwrap()))
}

/// The path's template, the one with the most words of its own, and its values.
fn find(description: &Value, path: &str, method: &str) -> Option<(String, BTreeMap<String, String>)> {
    let parts: Vec<_> = path.split('/').collect();
    let fit = |template: &String| {
        let wanted: Vec<_> = template.split('/').collect();
        let same = |(want, have): (&&str, &&str)| want == have || (want.starts_with('{') && !have.is_empty());
        wanted.len() == parts.len() && wanted.iter().zip(&parts).all(same)
    };
    let described = description["paths"].as_object()?.iter();
    let known = described.filter(|(template, methods)| fit(template) && methods.get(method).is_some());
    let template =
        known.map(|(template, _)| template).min_by_key(|template| template.matches('{').count())?;
    let named = template.split('/').zip(&parts).filter(|(name, _)| name.starts_with('{'));
    let values = named.map(|(name, value)| (name.trim_matches(['{', '}']).to_owned(), (*value).to_owned()));
    Some((template.clone(), values.collect()))
}

fn headers(request: &Request) -> Result<(), String> {
    let expected = [
        ("accept", "application/vnd.github+json"),
        ("x-github-api-version", "2022-11-28"),
        ("user-agent", "countersign"),
    ];
    for (name, value) in expected {
        if request.header(name) != Some(value) {
            return Err(format!("the header {name} is {:?}", request.header(name)));
        }
    }
    let authorization = request.header("authorization").unwrap_or_default();
    if !authorization.starts_with("Bearer ") {
        return Err("no credential".to_owned());
    }
    Ok(())
}

fn query(description: &Value, operation: &Value, request: &Request) -> Result<(), String> {
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let described: Vec<_> = parameters.iter().map(|one| resolved(description, one)).collect();
    let url = reqwest::Url::parse(&format!("http://host{}", request.target)).unwrap();
    for (name, value) in url.query_pairs() {
        let known = described.iter().find(|one| one["in"] == "query" && one["name"] == *name);
        let known = known.ok_or_else(|| format!("there is no parameter {name}"))?;
        let schema = inlined(description, &known["schema"]);
        let value = match schema["type"].as_str() {
            Some("integer") => value.parse::<i64>().map_or(json!(value), |number| json!(number)),
            _ => json!(value),
        };
        valid(&schema, &value).map_err(|why| format!("the parameter {name}: {why}"))?;
    }
    Ok(())
}

fn body(description: &Value, operation: &Value, request: &Request) -> Result<Value, String> {
    if request.body.is_empty() {
        return Ok(Value::Null);
    }
    let described = resolved(description, &operation["requestBody"]);
    let schema = inlined(description, &described["content"]["application/json"]["schema"]);
    if schema.is_null() {
        return Err("a body that is not described".to_owned());
    }
    let body: Value = serde_json::from_str(&request.body).map_err(|error| error.to_string())?;
    valid(&schema, &body)?;
    let known = |field: &String| schema["properties"].get(field).is_some();
    match body.as_object().and_then(|body| body.keys().find(|field| !known(field))) {
        Some(field) => Err(format!("the field {field} is not described")),
        None => Ok(body),
    }
}

fn valid(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = jsonschema::validator_for(schema).map_err(|error| error.to_string())?;
    match validator.iter_errors(value).next() {
        Some(error) => Err(format!("{}: {error}", error.instance_path())),
        None => Ok(()),
    }
}

/// What a reference leads to.
fn resolved<'a>(description: &'a Value, mut value: &'a Value) -> &'a Value {
    while let Some(reference) = value.get("$ref").and_then(Value::as_str) {
        value = description.pointer(reference.trim_start_matches('#')).unwrap();
    }
    value
}

/// A schema of OpenAPI 3.0 without references, as JSON Schema: `nullable` is a type there.
fn inlined(description: &Value, schema: &Value) -> Value {
    match resolved(description, schema) {
        Value::Object(fields) => {
            let mut plain: Map<_, _> =
                fields.iter().map(|(key, value)| (key.clone(), inlined(description, value))).collect();
            if plain.remove("nullable") == Some(json!(true))
                && let Some(kind) = plain.get("type").cloned()
            {
                plain.insert("type".to_owned(), json!([kind, "null"]));
            }
            Value::Object(plain)
        }
        Value::Array(items) => items.iter().map(|item| inlined(description, item)).collect(),
        other => other.clone(),
    }
}
