//! Flux on a control plane of the tests: its source-controller and kustomize-controller as they are released, with
//! the settings that they come with.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http::Request;
use kube::Client;

use super::control_plane::ControlPlane;
use super::ports::Port;
use super::servers::ServerGroup;
use super::tools::Programs;

/// How long its kinds may take until they are served.
const DEADLINE: Duration = Duration::from_secs(60);

/// Where each controller's kinds are served.
const SERVED: [(&str, &str); 2] = [
    ("source-controller", "/apis/source.toolkit.fluxcd.io/v1"),
    ("kustomize-controller", "/apis/kustomize.toolkit.fluxcd.io/v1"),
];

/// Both controllers, running. They end when it is dropped.
#[derive(Debug)]
pub struct Flux {
    servers: ServerGroup,
    _storage: Port,
}

impl Flux {
    /// Builds the controllers if need be, which takes a quarter of an hour once on a machine, tells the API server of
    /// their kinds, and starts them. They heed only objects that `selector` selects by their labels.
    ///
    /// # Errors
    /// When they cannot be built, or the API server does not take their kinds.
    pub async fn start(world: &ControlPlane, selector: &str) -> Result<Self> {
        let tools = ["flux-source", "flux-kustomize"];
        let programs = tokio::task::spawn_blocking(move || Programs::of(&tools)).await??;
        let client = world.client().await?;
        for (program, place) in SERVED {
            install(&client, programs.path(program)?, place).await?;
        }
        let (mut servers, storage) = (ServerGroup::new("flux")?, Port::reserve()?);
        let address = format!("127.0.0.1:{}", storage.number());
        let store = ["--storage-path=.".to_owned(), format!("--storage-addr={address}")];
        let store = store.into_iter().chain([format!("--storage-adv-addr={address}")]);
        let source: Vec<_> = store.chain(common(selector)).collect();
        start(&mut servers, world, programs.path("source-controller")?, &source)?;
        start(&mut servers, world, programs.path("kustomize-controller")?, &common(selector))?;
        Ok(Self { servers, _storage: storage })
    }

    /// Fails when a controller has ended, and shows the end of its log.
    ///
    /// # Errors
    /// Names the controller.
    pub fn check(&self) -> Result<()> {
        self.servers.check()
    }

    /// The last lines of the controllers' logs.
    #[must_use]
    pub fn log_tails(&self) -> String {
        self.servers.log_tails()
    }

    /// The process ids of the controllers: those that work in their folder and run one of their programs.
    ///
    /// # Errors
    /// When the system does not say what runs.
    pub fn processes(&self) -> Result<Vec<u32>> {
        let folder = self.servers.folder().canonicalize()?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let place = entry?.path();
            let leads = |link: &str| std::fs::read_link(place.join(link)).unwrap_or_default();
            let program = leads("exe");
            let name = program.file_name().unwrap_or_default();
            if leads("cwd") == folder && SERVED.iter().any(|(program, _)| name == *program) {
                found.extend(place.file_name().and_then(|id| id.to_str()?.parse::<u32>().ok()));
            }
        }
        ensure!(found.len() == SERVED.len(), "not every controller runs:\n{}", self.log_tails());
        Ok(found)
    }
}

/// What both are told. Nobody else leads, and nobody asks for their metrics.
fn common(selector: &str) -> Vec<String> {
    let always = ["--metrics-addr=0", "--health-addr=0", "--log-level=info", "--log-encoding=json"];
    let label = format!("--watch-label-selector={selector}");
    always.map(str::to_owned).into_iter().chain([label]).collect()
}

fn start(
    servers: &mut ServerGroup,
    world: &ControlPlane,
    program: &Path,
    arguments: &[String],
) -> Result<()> {
    let text = |path: &Path| path.to_str().map(str::to_owned).context("a path is not UTF-8");
    let name =
        program.file_name().and_then(|name| name.to_str()).context("a program has no name")?.to_owned();
    let settings = [
        format!("KUBECONFIG={}", text(world.kubeconfig())?),
        "RUNTIME_NAMESPACE=default".to_owned(),
        // It removes what it finds there of its kind, which may be another one's.
        format!("TMPDIR={}", text(servers.folder())?),
        text(program)?,
    ];
    let words: Vec<_> = settings.iter().chain(arguments).map(String::as_str).collect();
    servers.start(&name, Path::new("env"), &words)
}

/// Tells the API server of the kinds that lie beside a program, and waits until they are served at `place`.
async fn install(client: &Client, program: &Path, place: &str) -> Result<()> {
    let folder = program.with_file_name("config").join("crd/bases");
    let files = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let files: Vec<PathBuf> = files.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    for file in files {
        let create = Request::post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
            .header("content-type", "application/yaml")
            .body(std::fs::read(&file)?)?;
        match client.request_text(create).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        }
    }
    let begun = Instant::now();
    loop {
        let served = client.request_text(Request::get(place).body(Vec::new())?).await;
        match served {
            Ok(_) => return Ok(()),
            Err(error) => ensure!(begun.elapsed() < DEADLINE, "{place} is not served: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
