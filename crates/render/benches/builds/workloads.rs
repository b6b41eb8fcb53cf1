//! What is built: from one ConfigMap to 20,000 objects.

use std::collections::BTreeMap;
use std::path::Path;

/// A kustomization with all that it names.
pub struct Workload {
    pub name: &'static str,
    pub files: BTreeMap<String, String>,
    /// The folder that is built.
    pub run: &'static str,
    /// How many objects it has.
    pub objects: usize,
    /// How often it is built here; a tenth as often by kustomize's library.
    pub times: usize,
    /// How often kustomize is started.
    pub processes: usize,
}

impl Workload {
    /// Writes all files below a folder.
    pub fn write(&self, folder: &Path) {
        for (path, text) in &self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }
}

/// All workloads, the largest last.
pub fn workloads() -> Vec<Workload> {
    let workload = |name, files: Vec<(String, String)>, run, objects, times, processes| Workload {
        name,
        files: files.into_iter().collect(),
        run,
        objects,
        times,
        processes,
    };
    vec![
        workload("one ConfigMap", one(), "app", 1, 2_000, 20),
        workload("Deployment, one merge", merge(), "app", 1, 2_000, 20),
        workload("10 layers", layers(), "l9", 3, 500, 20),
        workload("2,000 objects", many(2_000), "app", 2_000, 10, 3),
        workload("20,000 objects", many(20_000), "app", 20_000, 2, 1),
    ]
}

fn file(path: impl Into<String>, text: impl Into<String>) -> (String, String) {
    (path.into(), text.into())
}

fn one() -> Vec<(String, String)> {
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  level: info\n";
    vec![file("app/kustomization.yaml", "resources:\n- all.yaml\n"), file("app/all.yaml", object)]
}

fn deployment(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  labels:\n    app: {name}\nspec:\n  \
         replicas: 1\n  selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        \
         app: {name}\n    spec:\n      containers:\n      - name: app\n        image: registry.example.com/team/{name}:1.0\n        \
         ports:\n        - containerPort: 8080\n          name: http\n        env:\n        - name: LEVEL\n          \
         value: info\n        resources:\n          limits:\n            cpu: 500m\n            memory: 256Mi\n        \
         readinessProbe:\n          httpGet:\n            path: /ready\n            port: http\n"
    )
}

fn service(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  selector:\n    app: {name}\n  ports:\n  \
         - port: 80\n    targetPort: http\n"
    )
}

fn config(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  level: info\n  url: https://{name}.example.com\n"
    )
}

fn merge() -> Vec<(String, String)> {
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 3\n  template:\n    spec:\n      \
                 containers:\n      - name: app\n        env:\n        - name: LEVEL\n          value: debug\n";
    vec![
        file("app/kustomization.yaml", "resources:\n- web.yaml\npatches:\n- path: patch.yaml\n"),
        file("app/web.yaml", deployment("web")),
        file("app/patch.yaml", patch),
    ]
}

/// A base with nine overlays on it, each of which changes something.
fn layers() -> Vec<(String, String)> {
    let mut files = vec![
        file(
            "l0/kustomization.yaml",
            "resources:\n- web.yaml\n- service.yaml\nconfigMapGenerator:\n- name: settings\n  literals:\n  - level=info\n",
        ),
        file(
            "l0/web.yaml",
            deployment("web") + "        envFrom:\n        - configMapRef:\n            name: settings\n",
        ),
        file("l0/service.yaml", service("web")),
    ];
    for layer in 1..10 {
        let says = match layer % 5 {
            0 => "namePrefix: p-\n".to_owned(),
            1 => format!("labels:\n- pairs:\n    layer: \"{layer}\"\n  includeSelectors: true\n"),
            2 => format!("images:\n- name: registry.example.com/team/web\n  newTag: \"{layer}.0\"\n"),
            3 => format!(
                "patches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata:\n      name: web\n    spec:\n      replicas: {layer}\n"
            ),
            _ => format!(
                "configMapGenerator:\n- name: settings\n  behavior: merge\n  literals:\n  - l{layer}=x\nnamespace: shop\n"
            ),
        };
        files.push(file(
            format!("l{layer}/kustomization.yaml"),
            format!("resources:\n- ../l{}\n{says}", layer - 1),
        ));
    }
    files
}

/// Many objects in files of a hundred, with an overlay that touches all of them.
fn many(objects: usize) -> Vec<(String, String)> {
    let mut base = String::from("resources:\n");
    let mut files = Vec::new();
    for first in (0..objects).step_by(100) {
        let all: String = (first..objects.min(first + 100))
            .map(|number| {
                let object = match number % 4 {
                    0 => deployment(&format!("web-{number}")),
                    1 => service(&format!("web-{}", number - 1)),
                    _ => config(&format!("settings-{number}")),
                };
                format!("---\n{object}")
            })
            .collect();
        base.push_str(&format!("- all-{first}.yaml\n"));
        files.push(file(format!("base/all-{first}.yaml"), all));
    }
    files.push(file("base/kustomization.yaml", base));
    let overlay = "resources:\n- ../base\nnamespace: shop\nnamePrefix: p-\nlabels:\n- pairs:\n    team: shop\n\
                   images:\n- name: registry.example.com/team/web-0\n  newTag: \"2.0\"\nreplicas:\n- name: web-0\n  count: 3\n";
    files.push(file("app/kustomization.yaml", overlay));
    files
}
