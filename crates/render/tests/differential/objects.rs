//! Objects of the kinds that kustomize knows something about, spelled in the ways that people spell them.

use crate::draw::{Draw, hanging, indented};
use crate::values::value;

/// What objects are called, so that they often name each other.
pub const NAMES: [&str; 3] = ["db", "web", "job"];
pub const CONFIGS: [&str; 3] = ["env", "conf", "web"];
pub const SECRETS: [&str; 2] = ["key", "web"];
pub const ACCOUNTS: [&str; 3] = ["default", "robot", "web"];
pub const NAMESPACES: [&str; 3] = ["shop", "default", "other"];

/// What every composition has, for patches and references to find.
pub const STOCK: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: app
        image: nginx:1.25
        env: [{name: A, value: $(VAR)}]
        envFrom: [{configMapRef: {name: conf}}]
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: conf
data:
  a: one
  json: '{\"h\": {\"i\": 1}}'
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports: [{port: 80}]
";

/// The metadata of an object.
pub fn metadata(draw: &mut Draw<'_>, name: &str) -> String {
    let mut text = format!("metadata:\n  name: {name}\n");
    if draw.one_in(5) {
        text += &format!("  namespace: {}\n", draw.pick(&NAMESPACES));
    }
    match draw.below(6) {
        3 => text += "  labels: {app: , tier: x}\n",
        4 | 5 => {
            let value = draw.pick(&["web", "\"1\"", "'true'", "db"]);
            let key = draw.pick(&["tier", "app.kubernetes.io/name"]);
            text += &format!("  labels:\n    app: {value}\n    {key}: x\n");
        }
        _ => {}
    }
    if draw.one_in(4) {
        text += &format!(
            "  annotations:\n    note: {}\n",
            draw.pick(&["x", "\"1\"", "'yes'", "|\n      one\n      two\n"])
        );
    }
    text
}

/// What an object is called: its first lines, up to where its name or its namespace ends.
pub fn name(object: &str) -> &str {
    let end = object.find("  labels:").or_else(|| object.find("  annotations:")).unwrap_or(object.len());
    let end = end.min(object.find("data:").unwrap_or(end)).min(object.find("spec:").unwrap_or(end));
    &object[..end]
}

/// An object, as one document.
pub fn object(draw: &mut Draw<'_>) -> String {
    let kind = draw.below(KINDS.len());
    (KINDS[kind])(draw)
}

type Kind = fn(&mut Draw<'_>) -> String;

const KINDS: [Kind; 30] = [
    config_map,
    deployment,
    service,
    secret,
    stateful_set,
    daemon_set,
    job,
    cron_job,
    pod,
    ingress,
    autoscaler,
    network_policy,
    account,
    role,
    role_binding,
    cluster_role,
    cluster_role_binding,
    namespace,
    widget,
    definition,
    volume_claim,
    volume,
    storage_class,
    disruption_budget,
    webhook,
    api_service,
    list,
    replica_set,
    priority_class,
    deployment,
];

fn head(draw: &mut Draw<'_>, version: &str, kind: &str, names: &[&str]) -> String {
    let name = draw.pick(names);
    format!("apiVersion: {version}\nkind: {kind}\n{}", metadata(draw, name))
}

pub fn config_map(draw: &mut Draw<'_>) -> String {
    let mut text = head(draw, "v1", "ConfigMap", &CONFIGS) + "data:\n";
    for key in ["a", "b.txt", "json"].iter().take(1 + draw.below(3)) {
        let value = match *key {
            "json" => draw.pick(&["'{\"h\": {\"i\": 1}, \"l\": [1, 2]}'", "\"{}\"", "x"]).to_owned(),
            _ => value(draw, 2),
        };
        text += &format!("  {key}: {value}\n");
    }
    text
}

fn secret(draw: &mut Draw<'_>) -> String {
    let head = head(draw, "v1", "Secret", &SECRETS);
    format!(
        "{head}type: Opaque\ndata:\n  password: {}\n",
        draw.pick(&["c2VjcmV0", "\"c2VjcmV0\"", "|\n    c2Vj\n    cmV0"])
    )
}

/// A pod's specification, without `spec:` itself.
fn pod_spec(draw: &mut Draw<'_>) -> String {
    let image = draw.pick(&[
        "nginx",
        "nginx:1.25",
        "registry:5000/team/app:v1",
        "busybox@sha256:0123",
        "\"redis:7\"",
    ]);
    let mut text = format!("containers:\n- name: app\n  image: {image}\n");
    if draw.one_in(2) {
        text +=
            &format!("  env:\n  - name: A\n    value: {}\n", draw.pick(&["x", "\"1\"", "$(VAR)", "'yes'"]));
        if draw.one_in(2) {
            let (kind, name) = (draw.pick(&["configMap", "secret"]), draw.pick(&["conf", "key", "web"]));
            text += &format!("  - name: B\n    valueFrom:\n      {kind}KeyRef: {{name: {name}, key: a}}\n");
        }
    }
    if draw.one_in(3) {
        text += &format!("  envFrom:\n  - configMapRef:\n      name: {}\n", draw.pick(&CONFIGS));
    }
    text += draw.maybe(
        3,
        "  ports:\n  - containerPort: 80\n    name: http\n  - containerPort: 53\n    protocol: UDP\n",
    );
    text += draw.maybe(4, "  args: [\"--x\", $(VAR), \"-c\"]\n");
    text += draw.maybe(4, "  resources:\n    limits: {cpu: 100m, memory: 1Gi}\n");
    text +=
        draw.maybe(3, "- name: side\n  image: nginx\n  volumeMounts:\n  - mountPath: /data\n    name: v\n");
    text += draw.maybe(4, "initContainers:\n- name: init\n  image: busybox:1\n");
    if draw.one_in(3) {
        let volumes = [
            "emptyDir: {}",
            "emptyDir: {medium: }",
            "configMap:\n    name: conf",
            "secret:\n    secretName: key",
            "persistentVolumeClaim:\n    claimName: web",
            "projected:\n    sources:\n    - configMap: {name: env}\n    - secret: {name: key}",
        ];
        text += &format!("volumes:\n- name: v\n  {}\n", draw.pick(&volumes));
    }
    if draw.one_in(4) {
        text += &format!("serviceAccountName: {}\n", draw.pick(&ACCOUNTS));
    }
    text += draw.maybe(5, "imagePullSecrets:\n- name: key\n");
    text += draw.maybe(5, "nodeSelector: {node-role.kubernetes.io/control-plane: , zone}\n");
    text += draw.maybe(6, "affinity:\n  podAntiAffinity:\n    requiredDuringSchedulingIgnoredDuringExecution:\n    - labelSelector:\n        matchLabels: {app: web}\n      topologyKey: zone\n");
    text
}

fn template(draw: &mut Draw<'_>) -> String {
    let labels = draw.pick(&["app: web", "app: db", "{}"]);
    let labels = if labels == "{}" { "{}".to_owned() } else { format!("\n      {labels}") };
    format!("template:\n  metadata:\n    labels: {labels}\n  spec:\n{}", indented(&pod_spec(draw), 4))
}

fn workload(draw: &mut Draw<'_>, version: &str, kind: &str, more: &str) -> String {
    let mut text = head(draw, version, kind, &NAMES) + "spec:\n";
    if kind != "DaemonSet" && draw.one_in(2) {
        text += &format!("  replicas: {}\n", draw.below(4));
    }
    text += draw.maybe(2, "  selector:\n    matchLabels:\n      app: web\n");
    text + more + &indented(&template(draw), 2)
}

fn deployment(draw: &mut Draw<'_>) -> String {
    workload(draw, "apps/v1", "Deployment", "")
}

fn replica_set(draw: &mut Draw<'_>) -> String {
    workload(draw, "apps/v1", "ReplicaSet", "")
}

fn daemon_set(draw: &mut Draw<'_>) -> String {
    workload(draw, "apps/v1", "DaemonSet", "")
}

fn stateful_set(draw: &mut Draw<'_>) -> String {
    let claims =
        "  volumeClaimTemplates:\n  - metadata:\n      name: v\n    spec:\n      storageClassName: fast\n";
    let more = format!("  serviceName: {}\n{}", draw.pick(&NAMES), draw.maybe(2, claims));
    workload(draw, "apps/v1", "StatefulSet", &more)
}

fn job(draw: &mut Draw<'_>) -> String {
    head(draw, "batch/v1", "Job", &NAMES) + "spec:\n" + &indented(&template(draw), 2)
}

fn cron_job(draw: &mut Draw<'_>) -> String {
    let head = head(draw, "batch/v1", "CronJob", &NAMES);
    format!(
        "{head}spec:\n  schedule: \"* * * * *\"\n  jobTemplate:\n    spec:\n{}",
        indented(&template(draw), 6)
    )
}

fn pod(draw: &mut Draw<'_>) -> String {
    head(draw, "v1", "Pod", &NAMES) + "spec:\n" + &indented(&pod_spec(draw), 2)
}

fn service(draw: &mut Draw<'_>) -> String {
    let head = head(draw, "v1", "Service", &NAMES);
    let ports = draw.pick(&[
        "- port: 80",
        "- port: 80\n    targetPort: http\n  - {port: 53, protocol: UDP}",
        "- port: 080",
    ]);
    format!("{head}spec:\n  {}ports:\n  {ports}\n", draw.maybe(2, "selector:\n    app: web\n  "))
}

fn ingress(draw: &mut Draw<'_>) -> String {
    let head = head(draw, "networking.k8s.io/v1", "Ingress", &NAMES);
    let (tls, service) =
        (draw.maybe(2, "  tls:\n  - hosts: [a.example]\n    secretName: key\n"), draw.pick(&NAMES));
    format!(
        "{head}spec:\n{tls}  rules:\n  - host: a.example\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n        backend:\n          service: {{name: {service}, port: {{number: 80}}}}\n"
    )
}

fn autoscaler(draw: &mut Draw<'_>) -> String {
    let head = head(draw, "autoscaling/v2", "HorizontalPodAutoscaler", &NAMES);
    format!(
        "{head}spec:\n  maxReplicas: 3\n  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: {}\n    name: {}\n",
        draw.pick(&["Deployment", "StatefulSet"]),
        draw.pick(&NAMES)
    )
}

fn network_policy(draw: &mut Draw<'_>) -> String {
    head(draw, "networking.k8s.io/v1", "NetworkPolicy", &NAMES)
        + "spec:\n  podSelector:\n    matchLabels: {app: web}\n  ingress:\n  - from:\n    - podSelector:\n        matchLabels: {app: db}\n"
}

fn account(draw: &mut Draw<'_>) -> String {
    head(draw, "v1", "ServiceAccount", &ACCOUNTS) + draw.maybe(2, "imagePullSecrets:\n- name: key\n")
}

fn rules(draw: &mut Draw<'_>) -> String {
    let names = draw.maybe(2, "  resourceNames: [conf, key]\n");
    format!(
        "rules:\n- apiGroups: [\"\"]\n  resources: [{}]\n  verbs: [get]\n{names}",
        draw.pick(&["configmaps", "secrets", "\"*\""])
    )
}

fn role(draw: &mut Draw<'_>) -> String {
    head(draw, "rbac.authorization.k8s.io/v1", "Role", &NAMES) + &rules(draw)
}

fn cluster_role(draw: &mut Draw<'_>) -> String {
    head(draw, "rbac.authorization.k8s.io/v1", "ClusterRole", &NAMES) + &rules(draw)
}

fn binding(draw: &mut Draw<'_>, kind: &str) -> String {
    let head = head(draw, "rbac.authorization.k8s.io/v1", kind, &NAMES);
    let role = if kind == "RoleBinding" { draw.pick(&["Role", "ClusterRole"]) } else { "ClusterRole" };
    let mut text = format!(
        "{head}roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {role}\n  name: {}\nsubjects:\n",
        draw.pick(&NAMES)
    );
    for _ in 0..=draw.below(2) {
        let namespace = draw.pick(&["", ", namespace: shop", ", namespace: default"]);
        text += &format!("- {{kind: ServiceAccount, name: {}{namespace}}}\n", draw.pick(&ACCOUNTS));
    }
    text + draw.maybe(4, "- {kind: User, name: ada}\n")
}

fn role_binding(draw: &mut Draw<'_>) -> String {
    binding(draw, "RoleBinding")
}

fn cluster_role_binding(draw: &mut Draw<'_>) -> String {
    binding(draw, "ClusterRoleBinding")
}

fn namespace(draw: &mut Draw<'_>) -> String {
    head(draw, "v1", "Namespace", &NAMESPACES)
}

fn widget(draw: &mut Draw<'_>) -> String {
    let head = head(draw, "example.com/v1", "Widget", &NAMES);
    format!(
        "{head}spec:\n  configName: {}\n  image: nginx:1\n  list: [{{name: a, v: 1}}, {{name: b, v: 2}}]\n  size: {}\n",
        draw.pick(&CONFIGS),
        value(draw, 2)
    )
}

fn definition(draw: &mut Draw<'_>) -> String {
    let head = head(draw, "apiextensions.k8s.io/v1", "CustomResourceDefinition", &["widgets.example.com"]);
    format!(
        "{head}spec:\n  group: example.com\n  names: {{kind: Widget, plural: widgets}}\n  scope: Namespaced\n  versions:\n  - {{name: v1, served: true, storage: true}}\n"
    )
}

fn volume_claim(draw: &mut Draw<'_>) -> String {
    head(draw, "v1", "PersistentVolumeClaim", &NAMES)
        + "spec:\n  storageClassName: fast\n"
        + draw.maybe(2, "  volumeName: web\n")
}

fn volume(draw: &mut Draw<'_>) -> String {
    head(draw, "v1", "PersistentVolume", &NAMES)
        + "spec:\n  storageClassName: fast\n  capacity: {storage: 1Gi}\n"
}

fn storage_class(draw: &mut Draw<'_>) -> String {
    head(draw, "storage.k8s.io/v1", "StorageClass", &["fast"]) + "provisioner: example.com/disk\n"
}

fn disruption_budget(draw: &mut Draw<'_>) -> String {
    head(draw, "policy/v1", "PodDisruptionBudget", &NAMES)
        + "spec:\n  minAvailable: 1\n  selector:\n    matchLabels: {app: web}\n"
}

fn webhook(draw: &mut Draw<'_>) -> String {
    let kind = draw.pick(&["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"]);
    let head = head(draw, "admissionregistration.k8s.io/v1", kind, &NAMES);
    format!(
        "{head}webhooks:\n- name: a.example.com\n  clientConfig:\n    service: {{name: {}, namespace: {}, path: /x}}\n",
        draw.pick(&NAMES),
        draw.pick(&NAMESPACES)
    )
}

fn api_service(draw: &mut Draw<'_>) -> String {
    head(draw, "apiregistration.k8s.io/v1", "APIService", &["v1.example.com"])
        + "spec:\n  group: example.com\n  version: v1\n  service: {name: web, namespace: default}\n"
}

fn priority_class(draw: &mut Draw<'_>) -> String {
    head(draw, "scheduling.k8s.io/v1", "PriorityClass", &NAMES) + "value: 1000000\n"
}

fn list(draw: &mut Draw<'_>) -> String {
    let item = |text: String| format!("- {}\n", hanging(text.trim_end(), 2));
    let items: String = (0..=draw.below(2)).map(|_| item(config_map(draw))).collect();
    format!("apiVersion: v1\nkind: {}\nitems:\n{items}", draw.pick(&["List", "ConfigMapList"]))
}
