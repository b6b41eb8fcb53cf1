//! When a forge takes requests again, as its headers say: `Retry-After` (RFC 9110, section 10.2.3), and the
//! primary and secondary limits of GitHub ("Rate limits for the REST API"), whose names others use too.

use std::time::Duration;

use countersign_core::time::Timestamp;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// How long to wait where a forge asks for patience and says nothing more, as GitHub advises.
pub(super) const DEFAULT: Duration = Duration::from_secs(60);

/// The longest wait that is believed: a header that says more is a mistake, and nothing waits for a mistake.
const LONGEST: Duration = Duration::from_secs(2 * 60 * 60);

/// Until when no request is to be sent after this answer.
pub(super) fn not_before(status: u16, headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let exhausted = number(headers, &["x-ratelimit-remaining", "ratelimit-remaining"]) == Some(0);
    let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let wait = match (status, retry_after) {
        (403 | 429 | 503, Some(text)) => after(text, headers, now),
        (403 | 429, None) if exhausted => until_reset(headers, now),
        (429, None) => DEFAULT,
        // The last request of the period was answered: the next one would not be.
        (_, None) if exhausted && status < 400 => until_reset(headers, now),
        _ => return None,
    };
    Some(now.plus(wait.clamp(Duration::from_secs(1), LONGEST)))
}

/// What `Retry-After` says: seconds, or a date, that is measured against the forge's own clock.
fn after(text: &str, headers: &HeaderMap, now: Timestamp) -> Duration {
    if let Ok(seconds) = text.trim().parse() {
        return Duration::from_secs(seconds);
    }
    let said_at = headers.get(DATE).and_then(|value| http_date(value.to_str().ok()?)).unwrap_or(now);
    http_date(text).map_or(DEFAULT, |time| time.since(said_at))
}

fn until_reset(headers: &HeaderMap, now: Timestamp) -> Duration {
    let reset = number(headers, &["x-ratelimit-reset", "ratelimit-reset"]);
    let reset = reset.and_then(|seconds| seconds.checked_mul(1000)).map(Timestamp::from_millis);
    let said_at = headers.get(DATE).and_then(|value| http_date(value.to_str().ok()?)).unwrap_or(now);
    reset.map_or(DEFAULT, |time| time.since(said_at))
}

fn number(headers: &HeaderMap, names: &[&str]) -> Option<i64> {
    names.iter().find_map(|name| headers.get(*name)?.to_str().ok()?.trim().parse().ok())
}

/// A date as HTTP writes it (RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    let parts: Vec<_> = text.split_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = parts.as_slice() else { return None };
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| name == month)? + 1;
    format!("{year}-{month:02}-{day:0>2}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_212_000_000);

    fn wait(status: u16, headers: &[(&'static str, &str)]) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()));
        not_before(status, &headers.collect::<HeaderMap>(), NOW).map(|time| time.since(NOW).as_secs())
    }

    #[test]
    fn a_forge_says_when_it_takes_requests_again() {
        assert_eq!(wait(429, &[("retry-after", "17")]), Some(17));
        assert_eq!(wait(503, &[("retry-after", "0")]), Some(1));
        assert_eq!(wait(429, &[]), Some(60));
        assert_eq!(wait(429, &[("retry-after", "soon")]), Some(60));
        assert_eq!(wait(403, &[("retry-after", "99999999")]), Some(7200), "a mistake is not waited for");
        let (remaining, reset) = (("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795212300"));
        assert_eq!(wait(403, &[remaining, reset]), Some(300));
        assert_eq!(wait(200, &[remaining, reset]), Some(300), "the next one would be refused");
        assert_eq!(wait(200, &[("x-ratelimit-remaining", "1"), reset]), None);
    }

    #[test]
    fn gitlabs_names_of_the_same_are_understood() {
        let (remaining, reset) = (("RateLimit-Remaining", "0"), ("RateLimit-Reset", "1795212300"));
        let others = [("RateLimit-Limit", "600"), ("RateLimit-Observed", "600"), ("RateLimit-Name", "api")];
        let all = [&[remaining, reset], others.as_slice()].concat();
        assert_eq!(wait(200, &all), Some(300), "the next one would be refused");
        assert_eq!(wait(429, &all), Some(300));
        assert_eq!(wait(429, &[&[("Retry-After", "17")], all.as_slice()].concat()), Some(17));
        assert_eq!(wait(200, &[("RateLimit-Remaining", "1"), reset]), None);
        assert_eq!(wait(429, &[remaining]), Some(60));
    }

    #[test]
    fn what_is_no_limit_is_none() {
        assert_eq!(wait(403, &[]), None);
        assert_eq!(wait(403, &[("x-ratelimit-remaining", "12")]), None);
        assert_eq!(wait(404, &[("x-ratelimit-remaining", "0")]), None);
        assert_eq!(wait(500, &[]), None);
    }

    #[test]
    fn a_date_is_measured_against_the_forges_own_clock() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wait(429, &[date, ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), Some(30));
        assert_eq!(
            wait(403, &[date, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "784111787")]),
            Some(10)
        );
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp::from_millis(784_111_777_000)));
        assert_eq!(http_date("Sunday, 06-Nov-94 08:49:37 GMT"), None);
    }
}
