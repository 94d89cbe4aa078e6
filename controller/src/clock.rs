//! The time that people read: the wall clock, to the second, and its text (RFC 3339, UTC).

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use weft_model::Timestamp;

/// What the wall clock shows.
pub(crate) fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs()))
}

/// `2026-11-21T00:31:37Z`.
pub(crate) fn text(at: Timestamp) -> String {
    let seconds = i64::try_from(at.0).unwrap_or(i64::MAX);
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| "9999-12-31T23:59:59Z".into())
}

/// Reads RFC 3339 in any zone; times before 1970 are none.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(moment.unix_timestamp()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        assert_eq!(text(Timestamp(0)), "1970-01-01T00:00:00Z");
        assert_eq!(text(Timestamp(1_795_220_000)), "2026-11-21T00:13:20Z");
        assert_eq!(parse("2026-11-21T01:13:20+01:00"), Some(Timestamp(1_795_220_000)));
        assert_eq!(text(Timestamp(u64::MAX)), "9999-12-31T23:59:59Z");
        for wrong in ["", "tomorrow", "1969-12-31T23:59:59Z", "2026-11-21"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
