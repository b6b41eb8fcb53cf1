//! `receive` on Lambda, behind an HTTP API.

use countersign_aws::lambda::{Start, now, root_key};
use countersign_aws::s3::S3Store;
use countersign_aws::secrets::ManagedSecrets;
use countersign_aws::sqs::SqsQueue;
use countersign_core::active::ConfigurationCache;
use countersign_receive::{Answer, Receiver, Request};
use lambda_http::{Error, Response, service_fn};

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
    lambda_http::run(service_fn(|request| async move { respond(&answer(stage, request).await) })).await
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

fn respond(answer: &Answer) -> Result<Response<String>, Error> {
    Ok(Response::builder().status(answer.status).body(format!("{}\n", answer.text))?)
}
