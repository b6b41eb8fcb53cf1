//! One instance of a function: the real program as a child process, with the environment that Lambda gives it.

use std::fs::OpenOptions;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot};

use super::runtime_api::{Answered, Invocation, RuntimeApi};
use super::{Failed, Function};

/// How long a function may take until it asks for work, as Lambda limits it.
const INIT: Duration = Duration::from_secs(10);

/// A running program that takes one invocation at a time.
#[derive(Debug)]
pub struct Instance {
    child: Child,
    api: RuntimeApi,
    /// What is `/tmp` to it. It goes after the process.
    _disk: TempDir,
}

impl Instance {
    /// Starts the program. It ends with this value, and with this process at the latest: then nobody answers it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(function: &Function) -> Result<Self> {
        let api = RuntimeApi::start(&function.arn()).await?;
        let log = OpenOptions::new().create(true).append(true).open(&function.log)?;
        let disk = tempfile::Builder::new().prefix("countersign-lambda-").tempdir()?;
        let own = disk.path().display().to_string();
        let mut command = Command::new(&function.program);
        command
            .env_clear()
            .envs(function.environment.iter().map(|(name, value)| (name, on_disk(value, &own))))
            .envs(of_lambda(function))
            .env("TMPDIR", &own)
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        let place = function.program.display();
        let child = command.spawn().with_context(|| format!("{place} cannot be started: is it built?"))?;
        Ok(Self { child, api, _disk: disk })
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// How long after its start it asked for work.
    #[must_use]
    pub fn first_poll(&self) -> Option<Duration> {
        self.api.first_poll()
    }

    /// Lets it work on an event. Where it fails otherwise than by an answer, it is gone afterwards.
    ///
    /// # Errors
    /// What became of it instead of an answer.
    pub async fn invoke(
        &mut self,
        request: &str,
        payload: &[u8],
        timeout: Duration,
        kill: &Notify,
    ) -> Result<Vec<u8>, Failed> {
        let (answer, answered) = oneshot::channel();
        let is_cold = self.first_poll().is_none();
        let limit = if is_cold { timeout + INIT } else { timeout };
        let invocation = Invocation {
            request: request.to_owned(),
            deadline: SystemTime::now() + limit,
            payload: payload.to_vec(),
            answer,
        };
        if self.api.invocations.send(invocation).await.is_err() {
            return Err(Failed::Crashed("its API is gone".to_owned()));
        }
        tokio::select! {
            answered = answered => match answered {
                Ok(Answered::Response(bytes)) => Ok(bytes),
                Ok(Answered::Error(text)) => Err(Failed::Error(text)),
                Err(_) => Err(Failed::Crashed("its API is gone".to_owned())),
            },
            status = self.child.wait() => {
                let why = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                Err(self.api.init_error().map_or(Failed::Crashed(why), Failed::Crashed))
            }
            () = kill.notified() => {
                let _ = self.child.kill().await;
                Err(Failed::Crashed("killed by the tests".to_owned()))
            }
            () = tokio::time::sleep(limit) => {
                let _ = self.child.kill().await;
                Err(Failed::TimedOut)
            }
        }
    }

    /// Whether its process has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

/// A value, with the disk of one instance in the place of the folder that each has for itself on Lambda.
fn on_disk(value: &str, disk: &str) -> String {
    value.strip_prefix("/tmp/").map_or_else(|| value.to_owned(), |rest| format!("{disk}/{rest}"))
}

/// What Lambda itself adds to the environment of a custom runtime.
fn of_lambda(function: &Function) -> Vec<(String, String)> {
    let credentials = &function.credentials;
    let log = format!("/{}", function.name);
    let pairs = [
        ("_HANDLER", "bootstrap"),
        ("AWS_REGION", super::REGION),
        ("AWS_DEFAULT_REGION", super::REGION),
        ("AWS_ACCESS_KEY_ID", &credentials.access_key),
        ("AWS_SECRET_ACCESS_KEY", &credentials.secret),
        ("AWS_SESSION_TOKEN", &credentials.token),
        ("AWS_LAMBDA_FUNCTION_NAME", &function.name),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &function.memory.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &log),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "tests"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
        ("TZ", ":UTC"),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}
