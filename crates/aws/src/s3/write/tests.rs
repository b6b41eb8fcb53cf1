use std::sync::Mutex;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use countersign_core::ports::store::Store as _;

use super::*;
use crate::answering::{Service, answer};
use crate::s3::Buckets;

const KEY: &str = "state/settled";

const ETAG: &str = "\"1\"";

/// The header that the mark of a write travels in.
const MARKED: &str = "x-amz-meta-countersign-write";

fn error(status: u16, code: &str) -> Option<HttpResponse> {
    answer(status, &[], &format!("<Error><Code>{code}</Code><Message>the test says so</Message></Error>"))
}

/// What S3 answers while another conditional write of the key is at work.
fn busy() -> Option<HttpResponse> {
    error(409, "ConditionalRequestConflict")
}

fn stored() -> Option<HttpResponse> {
    answer(200, &[("etag", ETAG)], "")
}

async fn store(service: &Service) -> S3Store {
    let buckets = Buckets { data: Some("data".to_owned()), ..Buckets::default() };
    S3Store::new(&service.config().await, buckets, false)
}

/// A service that answers each request with the next of these.
fn in_turn<const N: usize>(answers: [fn() -> Option<HttpResponse>; N]) -> Service {
    let left = Mutex::new(answers.into_iter());
    Service::new(move |_| left.lock().unwrap().next().expect("nothing more is asked")())
}

fn methods(service: &Service) -> Vec<String> {
    service.asked().into_iter().map(|asked| asked.method).collect()
}

/// An object that keeps its first write, whose answer is `lost`. Reads answer with the next of `reads`, then well.
fn losing<const N: usize>(
    lost: fn() -> Option<HttpResponse>,
    reads: [fn() -> Option<HttpResponse>; N],
) -> Service {
    let kept: Mutex<Option<String>> = Mutex::default();
    let reads = Mutex::new(reads.into_iter());
    Service::new(move |asked| {
        let mut kept = kept.lock().unwrap();
        match (asked.method.as_str(), kept.as_deref()) {
            ("PUT", None) => {
                kept.clone_from(&asked.headers.get(MARKED).cloned());
                lost()
            }
            ("PUT", Some(_)) => error(412, "PreconditionFailed"),
            (_, mark) => match reads.lock().unwrap().next() {
                Some(read) => read(),
                None => answer(200, &[("etag", ETAG), (MARKED, mark.unwrap_or_default())], "1"),
            },
        }
    })
}

fn is_stored(written: &Result<Written, PortError>) -> bool {
    matches!(written, Ok(Written::Stored(version)) if version.0 == ETAG)
}

#[tokio::test(start_paused = true)]
async fn a_write_that_meets_another_one_is_made_after_it() {
    let absent = in_turn([busy, busy, stored]);
    let written = store(&absent).await.put_if_absent(KEY, b"1").await;
    assert!(is_stored(&written), "{written:?}");
    let tries = absent.asked();
    assert_eq!(methods(&absent), ["PUT"; 3], "nothing was written, so nothing is read back");
    assert!(tries.iter().all(|asked| asked.headers["if-none-match"] == "*"));
    assert!(tries.iter().all(|asked| asked.headers[MARKED] == tries[0].headers[MARKED]));

    let swap = in_turn([busy, stored]);
    let before = Version("\"0\"".to_owned());
    let written = store(&swap).await.compare_and_swap(KEY, &before, b"1").await;
    assert!(is_stored(&written), "{written:?}");
    assert!(swap.asked().iter().all(|asked| asked.headers["if-match"] == before.0));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_always_meets_another_one_may_be_tried_again_later() {
    let service = Service::new(|_| busy());
    let written = store(&service).await.put_if_absent(KEY, b"1").await;
    let says_why = |why: &str| why.contains(KEY) && why.contains("ConditionalRequestConflict");
    assert!(matches!(&written, Err(PortError::Unavailable(why)) if says_why(why)), "{written:?}");
    assert_eq!(service.asked().len(), TRIES as usize);
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_does_not_hold_is_a_conflict_at_once() {
    let broken: [fn() -> Option<HttpResponse>; 2] =
        [|| error(412, "PreconditionFailed"), || error(404, "NoSuchKey")];
    for says in broken {
        let service = in_turn([says]);
        let swapped = store(&service).await.compare_and_swap(KEY, &Version(ETAG.to_owned()), b"1").await;
        assert_eq!(swapped, Ok(Written::Conflict));
    }
    // The one that it met is there now.
    let service = in_turn([busy, || error(412, "PreconditionFailed")]);
    assert_eq!(store(&service).await.put_if_absent(KEY, b"1").await, Ok(Written::Conflict));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_is_found_to_be_ours_and_not_made_twice() {
    let lost: [fn() -> Option<HttpResponse>; 3] =
        [|| None, || error(500, "InternalError"), || error(503, "ServiceUnavailable")];
    for lost in lost {
        let service = losing(lost, []);
        let written = store(&service).await.put_if_absent(KEY, b"1").await;
        assert!(is_stored(&written), "{written:?}");
        assert_eq!(methods(&service), ["PUT", "GET"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_write_that_cannot_be_read_back_at_first_is_no_conflict_with_itself() {
    let service = losing(|| None, [|| error(403, "AccessDenied")]);
    let written = store(&service).await.put_if_absent(KEY, b"1").await;
    assert!(is_stored(&written), "{written:?}");
    assert_eq!(methods(&service), ["PUT", "GET", "PUT", "GET"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_write_where_anothers_value_is_found_is_neither_stored_nor_a_conflict() {
    let service = losing(|| None, [|| answer(200, &[("etag", ETAG), (MARKED, "another")], "2")]);
    let written = store(&service).await.put_if_absent(KEY, b"1").await;
    assert!(
        matches!(&written, Err(PortError::Unavailable(why)) if why.contains("look again")),
        "{written:?}"
    );
}
