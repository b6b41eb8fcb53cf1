//! What a Kubernetes API answers, in the terms of the port.

use ::kube::core::Status;
use countersign_core::ports::cluster::ClusterError;

use super::chain;

/// The longest message that is handed on, in characters: webhooks and proxies answer at any length.
const MESSAGE_LIMIT: usize = 2_000;

/// What is told of a request whose path the server does not know, unlike one whose object it does not have.
pub const NOT_SERVED: &str = "the cluster does not serve this kind, or not in this version";

/// The error in the port's terms. What is not an answer of the API did not reach it, or did not come back:
/// that may work later.
pub fn from_kube(error: ::kube::Error) -> ClusterError {
    match error {
        ::kube::Error::Api(status) => from_status(&status),
        ::kube::Error::BuildRequest(error) => ClusterError::Invalid(chain(&error)),
        error => ClusterError::Unavailable(shortened(&chain(&error))),
    }
}

fn from_status(status: &Status) -> ClusterError {
    let message = shortened(if status.message.is_empty() { &status.reason } else { &status.message });
    match status.code {
        409 => ClusterError::Conflict(message),
        // Its namespace is on its way out: once that is gone it can be made again.
        403 if message.contains("because it is being terminated") => ClusterError::Unavailable(message),
        401 | 403 => ClusterError::Forbidden(message),
        404 if status.reason != "NotFound" => ClusterError::NotFound(NOT_SERVED.into()),
        404 => ClusterError::NotFound(message),
        400 | 405 | 406 | 413 | 415 | 422 => ClusterError::Invalid(message),
        // Server-side apply tells a field that its schema does not know by this, though no try can mend it.
        500 if message.contains("field not declared in schema") => ClusterError::Invalid(message),
        _ => ClusterError::Unavailable(message),
    }
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_LIMIT) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str) -> ClusterError {
        from_status(&Status::failure(message, "Reason").with_code(code))
    }

    #[test]
    fn an_answer_is_final_only_if_no_later_try_can_mend_it() {
        for code in [400, 413, 422] {
            assert!(matches!(status(code, "no"), ClusterError::Invalid(_)), "{code}");
        }
        for code in [429, 500, 502, 503, 504, 410, 0] {
            assert!(matches!(status(code, "later"), ClusterError::Unavailable(_)), "{code}");
        }
        assert!(matches!(status(500, ".spec.x: field not declared in schema"), ClusterError::Invalid(_)));
        assert!(matches!(status(401, ""), ClusterError::Forbidden(why) if why == "Reason"));
    }

    #[test]
    fn a_missing_object_is_told_from_a_missing_kind() {
        let missing = Status::failure("configmaps \"a\" not found", "NotFound").with_code(404);
        assert!(matches!(from_status(&missing), ClusterError::NotFound(why) if why.contains("configmaps")));
        assert_eq!(status(404, "404 page not found"), ClusterError::NotFound(NOT_SERVED.into()));
    }

    #[test]
    fn a_message_has_an_end() {
        let ClusterError::Invalid(message) = status(422, &"é".repeat(10_000)) else { panic!("not invalid") };
        assert_eq!(message.chars().count(), MESSAGE_LIMIT + 1);
    }
}
