#![doc = include_str!("../README.md")]

mod command;
mod status;

use countersign_core::active::{BundleConfiguration, ConfigurationCache};
use countersign_core::configuration::Configuration;
use countersign_core::digest::Digest;
use countersign_core::event::Event;
use countersign_core::keys;
use countersign_core::message::{Message, QueueName};
use countersign_core::names::HostName;
use countersign_core::ports::PortError;
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::secrets::Secrets;
use countersign_core::ports::signer::PublicKey;
use countersign_core::ports::store::Store;
use countersign_core::time::Timestamp;
use countersign_forge::headers::Headers;
use countersign_forge::{verify, webhook};

/// The most bytes that a body may have. On Lambda the platform's own limit of 6 MB is lower.
pub const MAX_BODY: usize = 25 * 1024 * 1024;

/// The stage, with the ports that it touches the world through.
pub struct Receiver<'a, S, Q, K> {
    /// The active configuration, delivery marks, statements.
    pub store: &'a S,
    /// Where events are sent.
    pub queue: &'a Q,
    /// Webhook secrets.
    pub secrets: &'a K,
    /// The configuration that was read last.
    pub configurations: &'a ConfigurationCache,
    /// The offline key that alone can sign a recovery.
    pub root_key: &'a PublicKey,
}

/// A request to `POST /webhooks/{host}`.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The host, from the path.
    pub host: &'a str,
    /// The headers.
    pub headers: &'a Headers,
    /// The raw body.
    pub body: &'a [u8],
    /// When it arrived.
    pub received: Timestamp,
}

/// What is answered, and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The name under which it is counted.
    pub counted_as: &'static str,
    /// One line for whoever reads the forge's delivery log.
    pub text: String,
}

impl Answer {
    fn new(status: u16, counted_as: &'static str, text: impl Into<String>) -> Self {
        Self { status, counted_as, text: text.into() }
    }
}

impl<S: Store, Q: Queue, K: Secrets> Receiver<'_, S, Q, K> {
    /// Takes a webhook: cap, verify, parse, enqueue, mark. Every way it can end is an answer.
    pub async fn webhook(&self, request: Request<'_>) -> Answer {
        let answer = match self.accept(request).await {
            Ok(answer) | Err(answer) => answer,
        };
        tracing::info!(host = request.host, status = answer.status, answer = answer.text, "webhook");
        answer
    }

    async fn accept(&self, request: Request<'_>) -> Result<Answer, Answer> {
        if request.body.len() > MAX_BODY {
            let text = format!("the body has {} bytes, at most {MAX_BODY} are taken", request.body.len());
            return Err(Answer::new(413, "too_large", text));
        }
        let active = self.active().await?;
        let unknown = || Answer::new(404, "unknown_host", "no such host in countersign.yaml");
        let name: HostName = request.host.parse().map_err(|_| unknown())?;
        let host = active.configuration.hosts.get(&name).ok_or_else(unknown)?;
        let secret = self.secrets.read(&host.webhook_secret).await.map_err(unavailable)?;
        verify::verify(host.kind, &secret, request.headers, request.body)
            .map_err(|error| Answer::new(401, "bad_signature", error.to_string()))?;
        let parsed = webhook::parse(host.kind, &name, request.headers, request.body, request.received)
            .map_err(|error| Answer::new(400, "malformed", error.to_string()))?;
        if !parsed.understood {
            let text = format!("event {:?} is not one that Countersign acts on", parsed.name);
            return Ok(Answer::new(200, "unknown_event", text));
        }
        let delivery = Digest::of_parts(&["delivery", name.as_str(), &parsed.delivery]);
        let mark = keys::delivery(&delivery);
        if self.store.get(&mark).await.map_err(unavailable)?.is_some() {
            return Ok(Answer::new(200, "repeated", "this delivery was taken before"));
        }
        let answer = self.enqueue(&active.configuration, &delivery, parsed.events).await?;
        // Marked after it is enqueued: a crash in between repeats the delivery, and repeats are no-ops.
        self.store.put(&mark, request.received.to_string().as_bytes()).await.map_err(unavailable)?;
        Ok(answer)
    }

    async fn enqueue(
        &self,
        configuration: &Configuration,
        delivery: &Digest,
        events: Vec<Event>,
    ) -> Result<Answer, Answer> {
        let (known, unknown): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| configuration.knows(&event.repository));
        if let (Some(event), true) = (unknown.first(), known.is_empty()) {
            let text = format!("repository {} is not in countersign.yaml: nothing is done", event.repository);
            return Ok(Answer::new(202, "unknown_repository", text));
        }
        let told = known.len();
        let known: Vec<_> =
            known.into_iter().flat_map(|event| status::with_what_it_changes(configuration, event)).collect();
        if told > 0 && known.is_empty() {
            return Ok(Answer::new(200, "unasked_status", "no environment here asks for this status"));
        }
        let trace: String = delivery.hex().chars().take(16).collect();
        self.send(&trace, &known).await?;
        tracing::info!(trace, events = known.len(), "enqueued");
        Ok(Answer::new(200, "accepted", format!("accepted, trace {trace}")))
    }

    async fn send(&self, trace: &str, events: &[Event]) -> Result<(), Answer> {
        let outgoing = events
            .iter()
            .map(|event| {
                Ok(Outgoing {
                    group: event.group(),
                    deduplication: event.id.clone(),
                    body: serde_json::to_string(&Message::new(trace, event))?,
                    delay: std::time::Duration::ZERO,
                })
            })
            .collect::<Result<Vec<_>, serde_json::Error>>()
            .map_err(|error| Answer::new(500, "failed", format!("an event cannot be written: {error}")))?;
        self.queue.send(&QueueName::Events, &outgoing).await.map_err(unavailable)
    }

    async fn active(&self) -> Result<BundleConfiguration, Answer> {
        let active = self.configurations.active(self.store).await.map_err(unavailable)?;
        active.ok_or_else(|| Answer::new(503, "unavailable", "no bundle is active yet"))
    }
}

/// A forge delivers again after a 5xx, or `poll` finds what it did not.
fn unavailable(error: PortError) -> Answer {
    tracing::error!(%error, "cannot take a request now");
    Answer::new(503, "unavailable", "cannot be taken now, deliver again")
}
