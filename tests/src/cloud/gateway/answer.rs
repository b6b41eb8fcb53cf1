//! Errors, as each service of AWS writes them.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::json;

/// An error of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The name of the error.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Refusal {
    /// What a role does not allow.
    #[must_use]
    pub fn denied(service: &str, message: String) -> Self {
        match service {
            "s3" => Self { status: 403, code: "AccessDenied", message },
            "sqs" => Self { status: 403, code: "AccessDenied", message },
            _ => Self { status: 400, code: "AccessDeniedException", message },
        }
    }

    /// Too many requests.
    #[must_use]
    pub fn throttled(service: &str) -> Self {
        let message = "slow down: the tests ask for it".to_owned();
        match service {
            "s3" => Self { status: 503, code: "SlowDown", message },
            "sqs" => Self { status: 403, code: "RequestThrottled", message },
            _ => Self { status: 400, code: "ThrottlingException", message },
        }
    }

    /// Another conditional write of the same object is at work.
    #[must_use]
    pub fn conflicted() -> Self {
        let message = "another write is at work: the tests ask for it".to_owned();
        Self { status: 409, code: "ConditionalRequestConflict", message }
    }

    /// A failure of the service itself.
    #[must_use]
    pub fn unavailable(service: &str) -> Self {
        let message = "out of order: the tests ask for it".to_owned();
        match service {
            "s3" => Self { status: 503, code: "ServiceUnavailable", message },
            _ => Self { status: 500, code: "InternalFailure", message },
        }
    }

    /// The answer of this service.
    #[must_use]
    pub fn response(&self, service: &str) -> Response<Body> {
        let Self { status, code, message } = self;
        let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let answer = Response::builder().status(status);
        let (answer, body) = if service == "s3" {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            );
            (answer.header(header::CONTENT_TYPE, "application/xml"), body)
        } else {
            let body = json!({ "__type": code, "message": message }).to_string();
            let answer = answer.header(header::CONTENT_TYPE, "application/x-amz-json-1.1");
            (answer.header("x-amzn-errortype", *code), body)
        };
        answer.body(Body::from(body)).unwrap_or_default()
    }
}

/// An answer that breaks off: what was asked for was done, and nobody learns of it.
#[must_use]
pub fn broken() -> Response<Body> {
    let end = Err::<Vec<u8>, _>(std::io::Error::other("the tests break the connection"));
    let body = Body::from_stream(futures_util::stream::iter([end]));
    Response::builder().header(header::CONTENT_LENGTH, 1000).body(body).unwrap_or_default()
}
