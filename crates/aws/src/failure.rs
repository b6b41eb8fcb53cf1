//! What AWS answers, in the terms of the ports.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use countersign_core::ports::PortError;

/// The longest text that is handed on, in characters: proxies answer at any length.
const TEXT_LIMIT: usize = 1_000;

/// A call that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The name that the service gives the error; none where no service answered.
    code: Option<String>,
    /// The HTTP status; none where nothing answered.
    status: Option<u16>,
    text: String,
}

impl Failure {
    /// The failure of a call that `what` describes, as `s3: get log/checkpoint`.
    pub(crate) fn new<E>(what: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let service = error.as_service_error();
        let code = service.and_then(ProvideErrorMetadata::code).map(str::to_owned);
        let status = error.raw_response().map(|response| response.status().as_u16());
        let said = match (&code, service.and_then(ProvideErrorMetadata::message)) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.clone(),
            (None, _) => DisplayErrorContext(error).to_string(),
        };
        let text = format!("{what}: {}", said.chars().take(TEXT_LIMIT).collect::<String>());
        Self { code, status, text }
    }

    /// Whether the service gave the error this name.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the answer had this HTTP status.
    #[cfg(feature = "s3")]
    pub(crate) fn has_status(&self, status: u16) -> bool {
        self.status == Some(status)
    }

    /// Whether what was asked may have been done all the same: nothing answered, or a server that failed.
    #[cfg(feature = "s3")]
    pub(crate) fn may_have_been_done(&self) -> bool {
        self.status.is_none_or(|status| status >= 500)
    }

    /// The port's error: refused where the service gave one of these names, which no later try can mend. All else
    /// may work later, also what is forbidden: a role can be mended while the message waits.
    pub(crate) fn refused_if(self, codes: &[&str]) -> PortError {
        if codes.iter().any(|code| self.is(code)) {
            PortError::Refused(self.text)
        } else {
            PortError::Unavailable(self.text)
        }
    }
}
