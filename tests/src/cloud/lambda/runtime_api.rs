//! The Lambda Runtime API, for one instance of a function: `next`, `response`, `error` and `init/error`, as AWS
//! documents them ("Using the Lambda runtime API for custom runtimes").

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The most bytes of an answer.
const MAX_ANSWER: usize = 6 << 20;

/// One call of a function.
#[derive(Debug)]
pub struct Invocation {
    /// Its id.
    pub request: String,
    /// When the function must be done.
    pub deadline: SystemTime,
    /// The event.
    pub payload: Vec<u8>,
    /// Takes what the function answers.
    pub answer: oneshot::Sender<Answered>,
}

/// What a function answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A result.
    Response(Vec<u8>),
    /// An error.
    Error(String),
}

/// The API of one instance.
#[derive(Debug)]
pub struct RuntimeApi {
    /// Where it listens.
    pub address: SocketAddr,
    /// Takes invocations, one after the other.
    pub invocations: mpsc::Sender<Invocation>,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    arn: String,
    waiting: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    current: Mutex<Option<(String, oneshot::Sender<Answered>)>>,
    begun: Instant,
    first_poll: Mutex<Option<Duration>>,
    init_error: Mutex<Option<String>>,
}

impl RuntimeApi {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(arn: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port")?;
        let address = listener.local_addr()?;
        let (invocations, waiting) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            arn: arn.to_owned(),
            waiting: tokio::sync::Mutex::new(waiting),
            current: Mutex::default(),
            begun: Instant::now(),
            first_poll: Mutex::default(),
            init_error: Mutex::default(),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{request}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{request}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(MAX_ANSWER))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, invocations, shared, server })
    }

    /// How long after its start the function asked for work; none if it did not yet.
    #[must_use]
    pub fn first_poll(&self) -> Option<Duration> {
        *self.shared.first_poll.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the function could not start, where it said so.
    #[must_use]
    pub fn init_error(&self) -> Option<String> {
        self.shared.init_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response<Body> {
    shared.first_poll.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(shared.begun.elapsed());
    let Some(Invocation { request, deadline, payload, answer }) = shared.waiting.lock().await.recv().await
    else {
        return status(StatusCode::GONE);
    };
    let milliseconds = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    // The root of a trace: version, time and id, as X-Ray writes them.
    let id: String = request.chars().filter(char::is_ascii_hexdigit).take(24).collect();
    let seconds = milliseconds / 1000;
    let trace = format!("Root=1-{seconds:08x}-{id:0<24};Parent={:0<16};Sampled=0", &id[..id.len().min(16)]);
    let answered = Response::builder()
        .header("Lambda-Runtime-Aws-Request-Id", &request)
        .header("Lambda-Runtime-Deadline-Ms", milliseconds.to_string())
        .header("Lambda-Runtime-Invoked-Function-Arn", &shared.arn)
        .header("Lambda-Runtime-Trace-Id", trace)
        .header("Content-Type", "application/json")
        .body(Body::from(payload));
    *shared.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((request, answer));
    answered.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn response(state: State<Arc<Shared>>, request: Path<String>, body: Bytes) -> Response<Body> {
    state.complete(&request, Answered::Response(body.to_vec()))
}

async fn error(state: State<Arc<Shared>>, request: Path<String>, body: Bytes) -> Response<Body> {
    state.complete(&request, Answered::Error(String::from_utf8_lossy(&body).into_owned()))
}

async fn init_error(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    let text = String::from_utf8_lossy(&body).into_owned();
    *shared.init_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    status(StatusCode::ACCEPTED)
}

impl Shared {
    /// Hands the answer to who waits for it. An id of another invocation is an error, as AWS answers it.
    fn complete(&self, request: &str, answered: Answered) -> Response<Body> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_none_or(|(id, _)| id != request) {
            return status(StatusCode::BAD_REQUEST);
        }
        if let Some((_, answer)) = current.take() {
            // Nobody waits for the answer of an invocation that was given up.
            let _ = answer.send(answered);
        }
        status(StatusCode::ACCEPTED)
    }
}

fn status(status: StatusCode) -> Response<Body> {
    Response::builder().status(status).body(Body::empty()).unwrap_or_default()
}
