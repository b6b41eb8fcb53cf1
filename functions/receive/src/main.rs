//! `receive` on Lambda, behind an HTTP API.

use countersign_aws::lambda::deadline::within;
use countersign_aws::lambda::{Start, now, root_key};
use countersign_aws::s3::S3Store;
use countersign_aws::secrets::ManagedSecrets;
use countersign_aws::sqs::SqsQueue;
use countersign_core::active::ConfigurationCache;
use countersign_receive::{Answer, Receiver, Request};
use lambda_http::{Error, RequestExt as _, Response, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let start = Start::new().await?;
    let stage = &Receiver {
        store: &start.store(),
        queue: &start.queue()?,
        secrets: &ManagedSecrets::new(&start.config),
        configurations: &ConfigurationCache::default(),
        root_key: &root_key()?,
    };
    let handle = |request: lambda_http::Request| async move {
        let context = request.lambda_context();
        let answered = within(&context, answer(stage, request)).await;
        respond(&answered.unwrap_or_else(|error| too_late(&error)))
    };
    lambda_http::run(service_fn(handle)).await
}

async fn answer(
    stage: &Receiver<'_, S3Store, SqsQueue, ManagedSecrets>,
    request: lambda_http::Request,
) -> Answer {
    let (received, body) = (now(), request.body().as_ref());
    let path = request.uri().path().trim_matches('/');
    match path.split_once('/') {
        Some(("webhooks", host)) => {
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            let headers = request.headers().iter();
            let headers = headers.map(|(name, value)| (name.as_str(), text(value.as_bytes()))).collect();
            stage.webhook(Request { host, headers: &headers, body, received }).await
        }
        None if path == "commands" => stage.statement(body, received).await,
        _ => Answer { status: 404, counted_as: "unknown_path", text: "no such path".to_owned() },
    }
}

fn too_late(error: &impl std::fmt::Display) -> Answer {
    tracing::error!(%error, "cannot answer in time");
    Answer { status: 503, counted_as: "unavailable", text: "cannot be taken now, deliver again".to_owned() }
}

fn respond(answer: &Answer) -> Result<Response<String>, Error> {
    Ok(Response::builder().status(answer.status).body(format!("{}\n", answer.text))?)
}
