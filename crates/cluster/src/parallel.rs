//! Several requests in flight.

use futures_util::StreamExt;

/// So many requests that a large change is quick, and so few that an API server does not throttle us.
const IN_FLIGHT: usize = 8;

/// Runs all of `tasks`, a few at once, and returns what they answered, in their order. A failure stops
/// none of the others: what was begun on a cluster is seen to its end.
pub async fn run<F: Future>(tasks: Vec<F>) -> Vec<F::Output> {
    some(IN_FLIGHT, tasks).await
}

/// As [`run`], with at most so many at once.
pub async fn some<F: Future>(in_flight: usize, tasks: Vec<F>) -> Vec<F::Output> {
    futures_util::stream::iter(tasks).buffered(in_flight).collect().await
}
