//! What a kustomization says beside patches: names, labels, images, generators, variables, configuration.

use crate::draw::Draw;
use crate::layers::Writing;
use crate::objects::{NAMES, NAMESPACES};

pub fn name_prefix(layer: &mut Writing, draw: &mut Draw<'_>) {
    layer.set("namePrefix", draw.pick(&["a-", "b-", "\"1-\""]).to_owned());
}

pub fn name_suffix(layer: &mut Writing, draw: &mut Draw<'_>) {
    layer.set("nameSuffix", draw.pick(&["-z", "-y"]).to_owned());
}

pub fn namespace(layer: &mut Writing, draw: &mut Draw<'_>) {
    layer.set("namespace", draw.pick(&NAMESPACES).to_owned());
}

pub fn labels(layer: &mut Writing, draw: &mut Draw<'_>) {
    let value = draw.pick(&["web", "\"1\"", "'yes'", "db"]);
    let key = draw.pick(&["app", "tier", "app.kubernetes.io/name"]);
    let how = [
        "",
        "includeSelectors: true\n",
        "includeTemplates: true\n",
        "includeSelectors: true\nincludeTemplates: true\n",
        "includeTemplates: true\nincludeVolumeClaimTemplates: true\n",
        "fields:\n- path: spec/list/labels\n  create: true\n  kind: Widget\n",
    ];
    layer.add("labels", format!("pairs:\n  {key}: {value}\n{}", draw.pick(&how)));
}

pub fn common_labels(layer: &mut Writing, draw: &mut Draw<'_>) {
    layer.set(
        "commonLabels",
        format!("\n  {}: {}", draw.pick(&["app", "team"]), draw.pick(&["web", "\"7\"", "shop"])),
    );
}

pub fn common_annotations(layer: &mut Writing, draw: &mut Draw<'_>) {
    let value = draw.pick(&["x", "\"1\"", "'no'", "|\n    one\n    two"]);
    layer.set("commonAnnotations", format!("\n  {}: {value}", draw.pick(&["note", "example.com/note"])));
}

pub fn images(layer: &mut Writing, draw: &mut Draw<'_>) {
    let mut text =
        format!("name: {}\n", draw.pick(&["nginx", "busybox", "registry:5000/team/app", "redis", "n.*x"]));
    match draw.below(6) {
        0 => text += "newTag: v2\n",
        5 => text += "newTag: v3\ndigest: sha256:cdef\n",
        1 => text += "newTag: \"1.10\"\nnewName: other/nginx\n",
        2 => text += "digest: sha256:abcd\n",
        3 => text += "newName: mirror:5000/nginx\n",
        _ => text += "tagSuffix: -alpine\n",
    }
    layer.add("images", text);
}

/// The older name of `images`.
pub fn image_tags(layer: &mut Writing, draw: &mut Draw<'_>) {
    let changes = ["newTag: old", "digest: sha256:0456", "newName: other/name\nnewTag: \"7\""];
    let name = draw.pick(&["nginx", "busybox", "redis"]);
    layer.add("imageTags", format!("name: {name}\n{}\n", draw.pick(&changes)));
}

pub fn replicas(layer: &mut Writing, draw: &mut Draw<'_>) {
    layer.add("replicas", format!("name: {}\ncount: {}\n", draw.pick(&NAMES), draw.below(7)));
}

/// The sources of a generator, and its options. `there` is what is there already, to be merged into or replaced.
fn generator(layer: &mut Writing, draw: &mut Draw<'_>, there: &str) -> String {
    let behavior = draw.pick(&[
        "",
        "",
        "behavior: merge\n",
        "behavior: replace\n",
        "behavior: create\n",
        "namespace: shop\n",
    ]);
    let name = match behavior {
        "behavior: merge\n" | "behavior: replace\n" if !draw.one_in(6) => there,
        _ => draw.pick(&["gen", "env", "more", "key"]),
    };
    let mut text = format!("name: {name}\n{behavior}");
    let literals = ["a=1", "a=x=y", "b='quoted'", "c=\"twice\"", "d=", "\"e=a b\"", "\"f=yes # no comment\""];
    if draw.below(4) != 3 {
        text += &format!("literals:\n- {}\n{}", draw.pick(&literals), draw.maybe(2, "- z=last\n"));
    }
    if draw.one_in(3) {
        let contents = [
            "one\ntwo\n",
            "no end",
            "",
            "a: b\r\n",
            "\u{feff}x",
            "  lead\n\n\n",
            "tab\tand é\n",
            "trail \nx\n",
            "---\n# x\n",
        ];
        let file = layer.file("txt", draw.pick(&contents).to_owned());
        text += &format!("files:\n- {}{file}\n", draw.pick(&["", "named.txt=", "a="]));
    }
    if draw.one_in(6) {
        // Each character is a byte.
        let contents = ["caf\u{e9}", "\u{ff}\u{fe}a\0", "\0\u{1}\u{80}", "\u{ef}\u{bb}\u{bf}x\u{ff}"];
        let file = layer.file("latin1.bin", draw.pick(&contents).to_owned());
        text += &format!(
            "{}- {}{file}\n",
            if text.contains("files:") { "" } else { "files:\n" },
            draw.pick(&["", "b="])
        );
    }
    if draw.one_in(4) {
        let contents = [
            "A=1\nB=2\n",
            "# comment\n\nA=x y\n",
            "A=\"q\"\r\nB=\n",
            "\u{feff}A=1\n",
            "  A=1\n",
            "404_PAGE=x\n",
        ];
        let file = layer.file("env", draw.pick(&contents).to_owned());
        text += &format!("envs: [{file}]\n");
    }
    if draw.one_in(4) {
        let options = [
            "disableNameSuffixHash: true",
            "immutable: true",
            "labels: {gen: x}",
            "annotations: {gen: \"1\"}",
        ];
        text += &format!("options:\n  {}\n", draw.pick(&options));
    }
    text
}

pub fn config_map_generator(layer: &mut Writing, draw: &mut Draw<'_>) {
    let text = generator(layer, draw, "conf");
    layer.add("configMapGenerator", text);
}

pub fn secret_generator(layer: &mut Writing, draw: &mut Draw<'_>) {
    let text = generator(layer, draw, "key") + draw.maybe(3, "type: kubernetes.io/tls\n");
    layer.add("secretGenerator", text);
}

pub fn generator_options(layer: &mut Writing, draw: &mut Draw<'_>) {
    let options =
        ["disableNameSuffixHash: true", "labels: {all: x}", "annotations: {all: \"y\"}", "immutable: true"];
    layer.set("generatorOptions", format!("\n  {}", draw.pick(&options)));
}

pub fn variables(layer: &mut Writing, draw: &mut Draw<'_>) {
    let object = [
        "kind: Service, apiVersion: v1, name: web",
        "kind: ConfigMap, apiVersion: v1, name: conf",
        "kind: Deployment, apiVersion: apps/v1, name: web",
    ];
    let field = draw.pick(&[
        "",
        "",
        "fieldref: {fieldPath: metadata.namespace}\n",
        "fieldref: {fieldPath: data.a}\n",
        "fieldref: {fieldPath: 'spec.ports[0].port'}\n",
    ]);
    let name = draw.pick(&["VAR", "OTHER"]);
    if layer.is_new(name) {
        layer.add("vars", format!("name: {name}\nobjref: {{{}}}\n{field}", draw.pick(&object)));
    }
}

pub fn configurations(layer: &mut Writing, draw: &mut Draw<'_>) {
    let texts = [
        "nameReference:\n- kind: ConfigMap\n  version: v1\n  fieldSpecs:\n  - path: spec/configName\n    kind: Widget\n",
        "commonLabels:\n- path: spec/selector\n  create: true\n  kind: Widget\n",
        "images:\n- path: spec/image\n  kind: Widget\n",
        "commonAnnotations:\n- path: spec/list/annotations\n  create: true\n  group: example.com\n",
        "varReference:\n- path: spec/configName\n  kind: Widget\n- path: data\n  kind: ConfigMap\n",
        "namePrefix:\n- path: spec/configName\n  kind: Widget\n",
        "namespace:\n- path: spec/namespace\n  kind: Widget\n  create: true\n",
        "replicas:\n- path: spec/size\n  kind: Widget\n  create: true\n",
    ];
    let file = layer.file("yaml", draw.pick(&texts).to_owned());
    layer.add("configurations", file);
}

/// A schema of Kubernetes' own form, for a kind that is not built in, with an object that is patched by it; or what older
/// kustomizations say of such a kind.
pub fn definitions(layer: &mut Writing, draw: &mut Draw<'_>) {
    if draw.one_in(4) {
        let crd = r#"{"example.com/v1.Widget": {"Schema": {"properties": {
 "spec": {"$ref": "example.com/v1.WidgetSpec"}}}},
 "example.com/v1.WidgetSpec": {"Schema": {"properties": {
 "configName": {"type": "string", "x-kubernetes-object-ref-api-version": "v1", "x-kubernetes-object-ref-kind": "ConfigMap"}}}}}"#;
        let file = layer.file("json", crd.to_owned());
        layer.add("crds", file);
        return;
    }
    if draw.one_in(6) {
        layer.set("openapi", "\n  version: v1.21.2".to_owned());
    } else {
        let file = layer.file("json", schema(draw));
        layer.set("openapi", format!("\n  path: {file}"));
    }
    let head = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: merged\n";
    if layer.is_new("Widget merged") {
        let file = layer.file("yaml", format!("{head}spec:\n  list: [{{name: a, v: 1, w: 1}}, {{name: b}}]\n  deep:\n    k:\n    - name: a\n      v: 1\n"));
        layer.add("resources", file);
    }
    let changes = [
        "list: [{name: a, v: 2}, {name: c}]",
        "list: [{name: b, $patch: delete}]",
        "deep: {k: [{name: a, w: }, {name: n}]}",
        "deep: {k: [{name: x}], l: [{name: y}]}",
        "list: [{$patch: replace}, {name: only}]",
    ];
    layer.add(
        "patches",
        format!(
            "patch: |-\n  {}  spec:\n    {}\n",
            head.replace('\n', "\n  ").trim_end_matches(' '),
            draw.pick(&changes)
        ),
    );
}

/// A schema that says where it is used, or elsewhere, how the lists of a `Widget` are merged.
fn schema(draw: &mut Draw<'_>) -> String {
    let merged =
        r#""type": "array", "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge""#;
    let list = format!(r#"{{{merged}, "items": {{"type": "object"}}}}"#);
    let lists = [
        list.as_str(),
        r##"{"$ref": "#/definitions/List"}"##,
        r##"{"type": "array", "items": {"$ref": "#/definitions/Spec"}}"##,
    ];
    let inner = format!(
        r#"{{"type": "object", "properties": {{"list": {}, "deep": {{"additionalProperties": {}}}}}}}"#,
        draw.pick(&lists),
        draw.pick(&lists)
    );
    let specs = [inner.as_str(), r##"{"$ref": "#/definitions/Spec"}"##];
    let kind = r#"{"group": "example.com", "kind": "Widget", "version": "v1"}"#;
    let path = draw.pick(&[
        "",
        "/apis/example.com/v1/widgets/{name}",
        "/apis/example.com/v1/namespaces/{namespace}/widgets/{name}",
    ]);
    let paths = match path {
        "" => String::new(),
        path => {
            format!(r#", "paths": {{"{path}": {{"get": {{"x-kubernetes-group-version-kind": {kind}}}}}}}"#)
        }
    };
    format!(
        r#"{{"definitions": {{"List": {list}, "Spec": {inner}, "v1.Widget": {{"type": "object",
 "x-kubernetes-group-version-kind": [{kind}], "properties": {{"spec": {}}}}}}}{paths}}}"#,
        draw.pick(&specs)
    )
}

pub fn sort_options(layer: &mut Writing, draw: &mut Draw<'_>) {
    let orders = [
        "\n  order: fifo",
        "\n  order: legacy",
        "\n  order: legacy\n  legacySortOptions:\n    orderFirst: [Deployment, Namespace]\n    orderLast: [ConfigMap]",
        "\n  order: legacy\n  legacySortOptions: {orderFirst: [Deployment], orderLast: []}",
        "\n  order: legacy\n  legacySortOptions: {orderFirst: [Service, Widget], orderLast: [Secret]}",
    ];
    layer.set("sortOptions", draw.pick(&orders).to_owned());
}

pub fn build_metadata(layer: &mut Writing, draw: &mut Draw<'_>) {
    let options = [
        "[managedByLabel]",
        "[originAnnotations]",
        "[transformerAnnotations]",
        "[originAnnotations, transformerAnnotations]",
    ];
    layer.set("buildMetadata", draw.pick(&options).to_owned());
}

pub fn transformers(layer: &mut Writing, draw: &mut Draw<'_>) {
    let texts = [
        "kind: PrefixTransformer\nmetadata: {name: t}\nprefix: t-\nfieldSpecs: [{path: metadata/name}]\n",
        "kind: SuffixTransformer\nmetadata: {name: t}\nsuffix: -t\nfieldSpecs: [{path: metadata/name, kind: ConfigMap}]\n",
        "kind: LabelTransformer\nmetadata: {name: t}\nlabels: {t: \"1\"}\nfieldSpecs:\n- {path: metadata/labels, create: true}\n- {path: spec/template/metadata/labels}\n",
        "kind: AnnotationsTransformer\nmetadata: {name: t}\nannotations: {t: x}\nfieldSpecs: [{path: metadata/annotations, create: true}]\n",
        "kind: NamespaceTransformer\nmetadata: {name: t, namespace: shop}\nunsetOnly: true\nfieldSpecs: [{path: metadata/namespace, create: true}]\n",
        "kind: NamespaceTransformer\nmetadata: {name: t, namespace: shop}\nsetRoleBindingSubjects: allServiceAccounts\n",
        "kind: ImageTagTransformer\nmetadata: {name: t}\nimageTag: {name: nginx, newTag: t}\nfieldSpecs: [{path: spec/image}]\n",
        "kind: ReplicaCountTransformer\nmetadata: {name: t}\nreplica: {name: web, count: 9}\nfieldSpecs: [{path: spec/replicas, create: true, kind: Deployment}]\n",
        "kind: PatchTransformer\nmetadata: {name: t}\npatch: '[{\"op\": \"add\", \"path\": \"/metadata/annotations\", \"value\": {\"t\": \"x\"}}]'\ntarget: {kind: ConfigMap}\n",
        "kind: PatchJson6902Transformer\nmetadata: {name: t}\ntarget: {kind: ConfigMap, name: conf, version: v1}\njsonOp: '[{\"op\": \"add\", \"path\": \"/data/t\", \"value\": \"x\"}]'\n",
        "kind: HashTransformer\nmetadata: {name: t}\n",
        "kind: ValueAddTransformer\nmetadata: {name: t}\nvalue: added\ntargets: [{fieldPath: metadata/namespace}]\n",
        "kind: ReplacementTransformer\nmetadata: {name: t}\nreplacements:\n- source: {kind: ConfigMap, name: conf, fieldPath: data.a}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.t], options: {create: true}}]\n",
    ];
    let text = format!("apiVersion: builtin\n{}", draw.pick(&texts));
    add_plugin(layer, draw, "transformers", text);
}

pub fn validators(layer: &mut Writing, draw: &mut Draw<'_>) {
    let texts = [
        "kind: ImageTagTransformer\nmetadata: {name: v}\nimageTag: {name: none, newTag: t}\nfieldSpecs: [{path: spec/image}]\n",
        "kind: AnnotationsTransformer\nmetadata: {name: v}\nannotations: {v: x}\nfieldSpecs: [{path: spec/none/here}]\n",
        "kind: PatchTransformer\nmetadata: {name: v}\npatch: '[{\"op\": \"test\", \"path\": \"/kind\", \"value\": \"Secret\"}]'\ntarget: {kind: Secret, name: none}\n",
        "kind: LabelTransformer\nmetadata: {name: v}\nlabels: {v: x}\nfieldSpecs: [{path: metadata/labels, create: true, kind: Ingress}]\n",
    ];
    let text = format!("apiVersion: builtin\n{}", draw.pick(&texts));
    add_plugin(layer, draw, "validators", text);
}

pub fn generators(layer: &mut Writing, draw: &mut Draw<'_>) {
    let texts = [
        "kind: ConfigMapGenerator\nmetadata: {name: g}\nliterals: [a=b]\n",
        "kind: SecretGenerator\nmetadata: {name: g}\nliterals: [a=b]\ntype: x\n",
        "kind: ConfigMapGenerator\nmetadata: {name: g, namespace: shop}\nname: conf\nbehavior: merge\nliterals: [g=1]\n",
    ];
    let text = format!("apiVersion: builtin\n{}", draw.pick(&texts));
    add_plugin(layer, draw, "generators", text);
}

/// Adds a plugin's configuration: in a file, or in place.
fn add_plugin(layer: &mut Writing, draw: &mut Draw<'_>, field: &'static str, text: String) {
    if draw.one_in(2) {
        layer.add(field, format!("|\n  {}", text.trim_end().replace('\n', "\n  ")));
    } else {
        let file = layer.file("yaml", text);
        layer.add(field, file);
    }
}
