//! Times of the day as text.

use std::time::{Duration, SystemTime};

/// `YYYY-MM-DDTHH-MM-SSZ`, in UTC: sorts by time, and every file system takes it.
pub(crate) fn folder_name(now: SystemTime) -> String {
    rfc3339(now).replace(':', "-")
}

/// RFC 3339 in UTC, whole seconds.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    // Before year 0 and after 9999 there is no such text; a clock that wrong is shown as the epoch.
    let known = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .min(Duration::from_secs(253_402_300_799));
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + known).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_its_time_in_utc() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_618_677_817);
        assert_eq!(folder_name(time), "2021-04-17T16-43-37Z");
    }
}
