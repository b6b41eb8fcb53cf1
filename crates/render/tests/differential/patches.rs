//! Patches and replacements.

use crate::draw::{Draw, hanging};
use crate::layers::{Writing, styled};
use crate::objects::NAMES;
use crate::values::value;

/// What a strategic merge may change, by kind.
const WORKLOAD: [&str; 21] = [
    "spec:\n  replicas: 5\n",
    "spec:\n  replicas: null\n",
    "spec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: patched:1\n",
    "spec:\n  template:\n    spec:\n      containers:\n      - name: new\n        image: new:1\n",
    "spec:\n  template:\n    spec:\n      containers:\n      - name: app\n        env:\n        - name: A\n          value: patched\n        - {name: C, value: \"3\"}\n",
    "spec:\n  template:\n    spec:\n      containers:\n      - $patch: delete\n        name: side\n",
    "spec:\n  template:\n    spec:\n      containers:\n      - $patch: replace\n      - name: only\n        image: only:1\n",
    "spec:\n  template:\n    spec:\n      $patch: replace\n      containers:\n      - name: only\n        image: only:1\n",
    "spec:\n  template:\n    spec:\n      containers:\n      - name: app\n        ports:\n        - containerPort: 80\n          name: web\n        - {containerPort: 53, protocol: TCP}\n",
    "spec:\n  template:\n    spec:\n      volumes:\n      - name: v\n        emptyDir: {}\n        configMap: null\n      - {name: w, emptyDir: {}}\n",
    "spec:\n  template:\n    spec:\n      containers:\n      - name: app\n        args: [one]\n        resources:\n          limits: {cpu: null, x: 1}\n",
    "spec:\n  template:\n    spec:\n      tolerations:\n      - {key: a, operator: Exists}\n",
    "spec:\n  template:\n    metadata:\n      annotations: {p: \"1\"}\n      labels: {app: null}\n",
    "spec:\n  template:\n    spec:\n      initContainers:\n      - {name: init, image: init:2}\n      - {name: before, image: b}\n",
    "metadata:\n  labels: {app: null, patched: \"yes\"}\n",
    "metadata:\n  annotations: {note: patched}\n",
    "metadata:\n  annotations: {note: SHORT, more: SHORT}\n",
    "metadata:\n  labels: {app: SHORT}\n",
    "spec:\n  template:\n    spec:\n      containers:\n      - name: app\n        env:\n        - {name: A, value: SHORT}\n",
    "$patch: delete\n",
    "spec:\n  selector:\n    matchLabels: {$patch: replace, only: x}\n",
];

const PLAIN: [&str; 10] = [
    "data:\n  a: patched\n",
    "data:\n  a: null\n  new: VALUE\n",
    "data:\n  a: VALUE\n",
    "data:\n  b.txt: VALUE\n  json: 7\n",
    "data: null\n",
    "data: {$patch: replace, only: x}\n",
    "metadata:\n  labels: {app: null, patched: \"1\"}\n",
    "metadata:\n  annotations: {note: null, patched: 'no'}\n",
    "$patch: delete\n",
    "$patch: replace\ndata: {only: x}\n",
];

const WIDGET: [&str; 4] = [
    "spec:\n  list:\n  - {name: a, v: 3}\n  - {name: c}\n",
    "spec:\n  size: VALUE\n",
    "spec:\n  list: null\n  more: {a: {}}\n",
    "spec: {$patch: delete}\n",
];

/// Values of one line whose meaning is easily changed, for labels, annotations and variables.
const SHORT: [&str; 12] =
    ["80", "yes", "\"on\"", "1.0", "'x'", "null", "", "2001-12-14", "0644", "\"80\"", "true", "a b"];

/// A strategic merge, with the kind, and the name of what it is for.
fn merge(draw: &mut Draw<'_>) -> (String, String) {
    let (version, kind, name, body) = match draw.below(12) {
        0..=4 => (
            "apps/v1",
            draw.pick(&["Deployment", "Deployment", "Deployment", "Deployment", "StatefulSet"]),
            draw.pick(&["web", "web", "web", "web", "db"]),
            draw.pick(&WORKLOAD),
        ),
        5..=8 => ("v1", "ConfigMap", draw.pick(&["conf", "conf", "conf", "conf", "env"]), draw.pick(&PLAIN)),
        9 => ("example.com/v1", "Widget", draw.pick(&NAMES), draw.pick(&WIDGET)),
        _ => (
            "v1",
            "Service",
            "web",
            draw.pick(&[
                "spec:\n  ports:\n  - {port: 80, name: p}\n  - {port: 443}\n",
                "spec: {type: LoadBalancer}\n",
            ]),
        ),
    };
    let value = exact(value(draw, 2));
    let body = body.replace("VALUE", &value).replace("SHORT", draw.pick(&SHORT));
    let rest = match body.strip_prefix("metadata:\n") {
        Some(metadata) => format!("metadata:\n  name: {name}\n{metadata}"),
        None => format!("metadata:\n  name: {name}\n{body}"),
    };
    (format!("apiVersion: {version}\nkind: {kind}\n{rest}"), kind.to_owned())
}

/// Which objects a patch is for.
fn target(draw: &mut Draw<'_>, kind: &str) -> String {
    let selectors = [
        "",
        "\n  name: web",
        "\n  name: .*",
        "\n  name: w.b|conf",
        "\n  labelSelector: app=web",
        "\n  annotationSelector: note",
        "\n  namespace: shop",
        "\n  version: v1",
        "\n  labelSelector: \"app in (web, db),tier!=y\"",
    ];
    format!(
        "target:\n  kind: {}{}\n",
        draw.pick(&[kind, kind, kind, kind, kind, kind, "Deployment|ConfigMap", ".*"]),
        draw.pick(&selectors)
    )
}

/// A patch's text, in a file or in place.
fn source(layer: &mut Writing, draw: &mut Draw<'_>, text: String, extension: &str) -> String {
    if draw.one_in(2) {
        return format!("patch: |-\n  {}\n", hanging(text.trim_end(), 2));
    }
    let text = styled(text, draw);
    format!("path: {}\n", layer.file(extension, text))
}

pub fn strategic(layer: &mut Writing, draw: &mut Draw<'_>) {
    let (mut text, kind) = merge(draw);
    let target = if draw.one_in(3) { target(draw, &kind) } else { String::new() };
    if target.is_empty() && draw.one_in(6) {
        text = format!("{text}---\n{}", merge(draw).0);
    }
    let source = source(layer, draw, text, "yaml");
    let changes = ["", "", "", "options:\n  allowNameChange: true\n", "options:\n  allowKindChange: true\n"];
    // `docs/KUSTOMIZE.md` has what is different where a generated object becomes one of another kind.
    let options = if target.is_empty() { draw.pick(&changes) } else { "" };
    layer.add("patches", format!("{source}{target}{options}"));
}

pub fn strategic_old(layer: &mut Writing, draw: &mut Draw<'_>) {
    let (text, _) = merge(draw);
    if draw.one_in(2) {
        layer.add("patchesStrategicMerge", format!("|-\n  {}", hanging(text.trim_end(), 2)));
    } else {
        let text = styled(text, draw);
        let file = layer.file("yaml", text);
        layer.add("patchesStrategicMerge", file);
    }
}

const OPERATIONS: [&str; 7] = [
    "op: add\n  path: /metadata/labels\n  value: {j: x}",
    "op: add\n  path: /metadata/annotations\n  value: {j: \"1\"}",
    "op: replace\n  path: /metadata/name\n  value: renamed",
    "op: replace\n  path: /metadata/labels/app\n  value: SHORT",
    "op: add\n  path: /metadata/namespace\n  value: other",
    "op: add\n  path: /metadata/annotations/note\n  value: VALUE",
    "op: test\n  path: /metadata/name\n  value: web",
];

const WORKLOAD_OPERATIONS: [&str; 6] = [
    "op: add\n  path: /spec/replicas\n  value: 7",
    "op: replace\n  path: /spec/template/spec/containers/0/image\n  value: json:1",
    "op: add\n  path: /spec/template/spec/containers/-\n  value: {name: j, image: j}",
    "op: add\n  path: /spec/template/spec/containers/0/args\n  value: [a, \"1\", 2, true, null]",
    "op: remove\n  path: /spec/template/spec/containers/0/image",
    "op: copy\n  from: /metadata/name\n  path: /spec/template/spec/containers/0/image",
];

const PLAIN_OPERATIONS: [&str; 8] = [
    "op: add\n  path: /data/new\n  value: VALUE",
    "op: add\n  path: /data/a\n  value: VALUE",
    "op: remove\n  path: /data/a",
    "op: replace\n  path: /data/a\n  value: \"\"",
    "op: test\n  path: /kind\n  value: ConfigMap",
    "op: copy\n  from: /metadata/name\n  path: /data/copied",
    "op: move\n  from: /data/a\n  path: /data/moved",
    "op: add\n  path: /data/a~1b~0c\n  value: x",
];

/// A value that kustomize keeps as it is: of larger numbers it makes floating-point numbers, and hashes those.
fn exact(value: String) -> String {
    let large = ["9007199254740993", "18446744073709551615", "-9223372036854775808"];
    large.into_iter().fold(value, |value, large| value.replace(large, "9007199254740991"))
}

fn operations(draw: &mut Draw<'_>, kind: &str) -> String {
    let of_kind = if kind == "ConfigMap" { &PLAIN_OPERATIONS[..] } else { &WORKLOAD_OPERATIONS[..] };
    let mut text = String::new();
    for _ in 0..=draw.below(2) {
        let these = if draw.one_in(3) { &OPERATIONS } else { of_kind };
        let operation = draw.pick(these);
        let value = exact(value(draw, 2));
        text += &format!("- {}\n", operation.replace("VALUE", &value).replace("SHORT", draw.pick(&SHORT)));
    }
    text
}

pub fn json(layer: &mut Writing, draw: &mut Draw<'_>) {
    let kind = draw.pick(&["ConfigMap", "Deployment"]);
    let text = operations(draw, kind);
    let target = target(draw, kind);
    let source = source(layer, draw, text, "yaml");
    layer.add("patches", format!("{source}{target}"));
}

pub fn json_old(layer: &mut Writing, draw: &mut Draw<'_>) {
    let kind = draw.pick(&["ConfigMap", "Deployment"]);
    let text = operations(draw, kind);
    let target = match kind {
        "ConfigMap" => "version: v1\n  kind: ConfigMap\n  name: conf",
        _ => "group: apps\n  version: v1\n  kind: Deployment\n  name: web",
    };
    let source = source(layer, draw, text, "yaml");
    layer.add("patchesJson6902", format!("target:\n  {target}\n{source}"));
}

pub fn replacement(layer: &mut Writing, draw: &mut Draw<'_>) {
    let sources = [
        "source: {kind: ConfigMap, name: conf, fieldPath: data.a}",
        "source: {kind: Deployment, name: web}",
        "source: {kind: Service, name: web, fieldPath: 'spec.ports.0.port'}",
        "source: {kind: Deployment, name: web, fieldPath: 'spec.template.spec.containers.[name=app].image', options: {delimiter: ':', index: 0}}",
        "source: {kind: ConfigMap, name: conf, fieldPath: metadata.labels}",
        "sourceValue: given",
        "source: {kind: ConfigMap, name: conf}",
    ];
    let selects = [
        "{kind: ConfigMap}",
        "{kind: Deployment}",
        "{name: web}",
        "{kind: ConfigMap, name: conf}",
        "{kind: Widget}",
        "{version: v1, namespace: shop}",
        "{labelSelector: app=web}",
    ];
    let paths = [
        "[data.a]",
        "[metadata.annotations.r]",
        "['spec.template.spec.containers.[name=app].image']",
        "['spec.template.spec.containers.*.image']",
        "['metadata.labels.[app.kubernetes.io/name]']",
        "[data.json.h.i]",
        "[spec.replicas]",
        "[spec.size, spec.configName]",
        "[metadata.name]",
        "[data.b\\.txt]",
        "['spec.list.[name=b].v']",
        "['spec.template.spec.containers.[name=app].env.[name=A].value']",
        "[spec.list.0.name]",
        "[metadata.namespace]",
    ];
    let options = [
        ", options: {create: true}",
        "",
        ", options: {create: true}",
        ", options: {delimiter: ':', index: 1}",
        ", options: {delimiter: '/', index: -1}",
        ", options: {create: true}",
    ];
    let (source, path, options) = (draw.pick(&sources), draw.pick(&paths), draw.pick(&options));
    // What makes a field in its own source comes to something else there, as `docs/KUSTOMIZE.md` says.
    let in_its_source = path.contains("metadata.labels.") && source.contains("labels}");
    let path = if in_its_source { "[data.a]" } else { path };
    let reject = ["", "", ", reject: [{name: conf}]", ", reject: [{kind: Deployment, name: web}]"];
    let text = format!(
        "{}\ntargets:\n- {{select: {}, fieldPaths: {}{}{}}}\n",
        source,
        draw.pick(&selects),
        path,
        options,
        draw.pick(&reject)
    );
    if draw.one_in(4) {
        let file = layer.file("yaml", text);
        layer.add("replacements", format!("path: {file}"));
    } else {
        layer.add("replacements", text);
    }
}
