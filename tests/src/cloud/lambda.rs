//! Lambda: functions with as many instances as their work needs and their reserved concurrency allows.

pub mod instance;
pub mod runtime_api;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::Notify;

use super::gateway::Credentials;
use crate::simulation::random::Random;
use instance::Instance;

/// Where everything is.
pub const REGION: &str = "us-east-1";

/// The account of everything.
pub const ACCOUNT: &str = "123456789012";

/// How many instances a function without a concurrency of its own may have.
const UNRESERVED: usize = 20;

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name in Lambda, as `shop-gather`.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// The variables of its template.
    pub environment: BTreeMap<String, String>,
    /// The credentials of its role.
    pub credentials: Credentials,
    /// The longest that one invocation may take.
    pub timeout: Duration,
    /// Memory in MB. Nothing here enforces it.
    pub memory: u32,
    /// The most instances, where its template reserves some.
    pub reserved: Option<usize>,
    /// Where its log lines go.
    pub log: PathBuf,
}

impl Function {
    fn arn(&self) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", self.name)
    }
}

/// Why an invocation has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// All instances are at work, and there may be no more.
    Throttled,
    /// The function answered with an error.
    Error(String),
    /// Its process ended.
    Crashed(String),
    /// It was not done in time, and was ended.
    TimedOut,
}

/// What happened to one function so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Invocations by how they ended: `done`, `error`, `crashed`, `timed out`, `throttled`.
    pub ended: BTreeMap<&'static str, u64>,
    /// How long each start took until the function asked for work.
    pub starts: Vec<Duration>,
    /// How long each invocation that was done took.
    pub durations: Vec<Duration>,
    /// The most memory that a process was seen to hold, in KiB.
    pub peak_memory: u64,
}

/// All functions.
#[derive(Debug, Default)]
pub struct Lambda {
    functions: BTreeMap<String, Managed>,
    requests: AtomicU64,
}

#[derive(Debug)]
struct Managed(Mutex<State>);

#[derive(Debug)]
struct State {
    /// As it was deployed last.
    function: Arc<Function>,
    idle: Vec<Instance>,
    /// What ends the process of each invocation that is under way.
    busy: BTreeMap<u64, Arc<Notify>>,
    statistics: Statistics,
}

impl Lambda {
    /// These functions, none of which runs yet.
    #[must_use]
    pub fn new(functions: Vec<Function>) -> Self {
        let managed = |function: Function| (function.name.clone(), Managed::new(function));
        Self { functions: functions.into_iter().map(managed).collect(), requests: AtomicU64::new(0) }
    }

    /// Lets a function work on an event, in an instance that is idle or a new one.
    ///
    /// # Errors
    /// Why there is no result.
    pub async fn invoke(&self, name: &str, payload: &[u8]) -> Result<Vec<u8>, Failed> {
        let managed = self.functions.get(name).ok_or_else(|| Failed::Error(format!("no function {name}")))?;
        let id = self.requests.fetch_add(1, Ordering::Relaxed);
        let kill = Arc::new(Notify::new());
        let taken = managed.take(id, &kill);
        let done = match taken {
            Err(failed) => Err(failed),
            Ok((function, idle)) => managed.run(id, (function, idle), payload, &kill).await,
        };
        managed.count(&done);
        done
    }

    /// Ends the process of an instance, at work or not, with SIGKILL; whether there was one.
    pub fn kill(&self, name: &str, random: &mut Random) -> bool {
        let Some(managed) = self.functions.get(name) else { return false };
        let mut state = managed.state();
        let count = u64::try_from(state.busy.len()).unwrap_or(0);
        if count > 0 {
            let chosen = usize::try_from(random.below(count)).unwrap_or(0);
            if let Some(kill) = state.busy.values().nth(chosen) {
                kill.notify_one();
            }
            return true;
        }
        state.idle.pop().is_some()
    }

    /// Whether an instance of a function is at work.
    #[must_use]
    pub fn is_at_work(&self, name: &str) -> bool {
        self.functions.get(name).is_some_and(|managed| !managed.state().busy.is_empty())
    }

    /// Gives a function other values for some of its variables, as a new deployment does: what is at work ends with the
    /// old ones.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn deploy(&self, name: &str, variables: &[(&str, String)]) -> Result<()> {
        let managed = self.functions.get(name).with_context(|| format!("no function {name}"))?;
        let mut state = managed.state();
        let mut function = Function::clone(&state.function);
        let changes = variables.iter().map(|(variable, value)| ((*variable).to_owned(), value.clone()));
        function.environment.extend(changes);
        state.function = Arc::new(function);
        state.idle.clear();
        Ok(())
    }

    /// The names of all functions.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.functions.keys().map(String::as_str).collect()
    }

    /// What happened to a function so far.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn statistics(&self, name: &str) -> Result<Statistics> {
        let managed = self.functions.get(name).with_context(|| format!("no function {name}"))?;
        Ok(managed.state().statistics.clone())
    }

    /// Ends every instance that is idle: each function starts anew at its next invocation.
    pub fn cool_down(&self) {
        for managed in self.functions.values() {
            managed.state().idle.clear();
        }
    }
}

/// A function as it is deployed, and an idle instance of it if there is one.
type Taken = (Arc<Function>, Option<Instance>);

impl Managed {
    fn new(function: Function) -> Self {
        Self(Mutex::new(State {
            function: Arc::new(function),
            idle: Vec::new(),
            busy: BTreeMap::new(),
            statistics: Statistics::default(),
        }))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle instance, or room for a new one.
    fn take(&self, id: u64, kill: &Arc<Notify>) -> Result<Taken, Failed> {
        let mut state = self.state();
        let most = state.function.reserved.unwrap_or(UNRESERVED);
        if state.busy.len() >= most {
            return Err(Failed::Throttled);
        }
        state.busy.insert(id, Arc::clone(kill));
        let function = Arc::clone(&state.function);
        // One that died while it was idle is not given work.
        while let Some(mut idle) = state.idle.pop() {
            if !idle.has_ended() {
                return Ok((function, Some(idle)));
            }
        }
        Ok((function, None))
    }

    async fn run(
        &self,
        id: u64,
        (function, idle): Taken,
        payload: &[u8],
        kill: &Notify,
    ) -> Result<Vec<u8>, Failed> {
        let (is_new, begun) = (idle.is_none(), Instant::now());
        let started = match idle {
            Some(idle) => Ok(idle),
            None => Instance::start(&function).await,
        };
        let done = match started {
            Ok(mut instance) => {
                let request = format!("00000000-0000-4000-8000-{id:012x}");
                let done = instance.invoke(&request, payload, function.timeout, kill).await;
                self.back(id, (&function, instance), &done, is_new, begun);
                done
            }
            Err(error) => Err(Failed::Crashed(format!("{error:#}"))),
        };
        self.state().busy.remove(&id);
        done
    }

    /// Keeps an instance that answered, and what is to be known of it.
    fn back(
        &self,
        id: u64,
        (function, instance): (&Arc<Function>, Instance),
        done: &Result<Vec<u8>, Failed>,
        is_new: bool,
        begun: Instant,
    ) {
        let memory = instance.process().map_or(0, peak_memory);
        let mut state = self.state();
        state.busy.remove(&id);
        state.statistics.peak_memory = state.statistics.peak_memory.max(memory);
        if let Some(start) = instance.first_poll().filter(|_| is_new) {
            state.statistics.starts.push(start);
        }
        if done.is_ok() {
            state.statistics.durations.push(begun.elapsed());
        }
        let is_current = Arc::ptr_eq(function, &state.function);
        if is_current && matches!(done, Ok(_) | Err(Failed::Error(_))) {
            state.idle.push(instance);
        }
    }

    fn count(&self, done: &Result<Vec<u8>, Failed>) {
        let ended = match done {
            Ok(_) => "done",
            Err(Failed::Throttled) => "throttled",
            Err(Failed::Error(_)) => "error",
            Err(Failed::Crashed(_)) => "crashed",
            Err(Failed::TimedOut) => "timed out",
        };
        *self.state().statistics.ended.entry(ended).or_default() += 1;
    }
}

/// The most memory that a process ever held, in KiB.
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}
