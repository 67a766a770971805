//! Timestamps: whole seconds since 1970.

use std::time::{Duration, SystemTime};
use std::{error, fmt};

/// A time in whole seconds since the beginning of 1970 in UTC, without leap seconds (AMQP 0-9-1
/// §4.2.5.4).
///
/// The wire has no fractions of seconds: conversions from finer times drop them.
///
/// ```
/// use std::time::SystemTime;
/// use leveret::wire::Timestamp;
///
/// let timestamp = Timestamp::from_secs(1_700_000_000);
/// assert_eq!(timestamp.to_string(), "2023-11-14T22:13:20Z");
/// assert_eq!(Timestamp::from(SystemTime::try_from(timestamp)?), timestamp);
/// # Ok::<(), leveret::wire::TimestampOutOfRange>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(::serde::Serialize, ::serde::Deserialize), serde(transparent))]
pub struct Timestamp(u64);

impl Timestamp {
    /// Makes a timestamp of `secs` seconds since 1970.
    #[inline]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Returns the number of seconds since 1970.
    #[inline]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Returns the current time.
    pub fn now() -> Self {
        SystemTime::now().into()
    }
}

/// Times before 1970, which the wire cannot express, become 1970.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().into()
    }
}

impl TryFrom<Timestamp> for SystemTime {
    type Error = TimestampOutOfRange;

    fn try_from(timestamp: Timestamp) -> Result<Self, TimestampOutOfRange> {
        Self::UNIX_EPOCH.checked_add(timestamp.into()).ok_or(TimestampOutOfRange(timestamp))
    }
}

/// The time since 1970.
impl From<Duration> for Timestamp {
    fn from(since_1970: Duration) -> Self {
        Self(since_1970.as_secs())
    }
}

/// The time since 1970.
impl From<Timestamp> for Duration {
    fn from(timestamp: Timestamp) -> Self {
        Self::from_secs(timestamp.0)
    }
}

/// Seconds since 1970.
impl From<u64> for Timestamp {
    fn from(secs: u64) -> Self {
        Self(secs)
    }
}

/// Seconds since 1970.
impl From<Timestamp> for u64 {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

/// Prints date and time in UTC in the format of RFC 3339.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({})", self.0)
    }
}

/// Returns year, month and day of the Gregorian calendar, `days` days after the first day of 1970.
///
/// Years are counted from the first of March of the year 0, so that a leap day is the last day of
/// its year, and the lengths of months are regular: five of them have 153 days.
fn date(days: u64) -> (u64, u64, u64) {
    const FROM_MARCH_0_TO_1970: u64 = 719_468;
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let days = days + FROM_MARCH_0_TO_1970;
    let (era, day_of_era) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let leap_days = day_of_era / 1460 + day_of_era / 146_096;
    let year_of_era = (day_of_era + day_of_era / 36_524 - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (400 * era + year_of_era + next_year, month, day)
}

/// The error of a timestamp that the platform's [`SystemTime`] cannot express.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampOutOfRange(Timestamp);

impl fmt::Display for TimestampOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} seconds since 1970 are beyond the system's time", self.0.as_secs())
    }
}

impl error::Error for TimestampOutOfRange {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_as_date_and_time() {
        let printed = |secs| Timestamp::from_secs(secs).to_string();
        assert_eq!(printed(0), "1970-01-01T00:00:00Z");
        assert_eq!(printed(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(printed(951_868_799), "2000-02-29T23:59:59Z");
        assert_eq!(printed(951_868_800), "2000-03-01T00:00:00Z");
        assert_eq!(printed(1_735_603_200), "2024-12-31T00:00:00Z");
        assert_eq!(printed(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(printed(4_107_542_399), "2100-02-28T23:59:59Z");
        assert_eq!(printed(253_402_300_799), "9999-12-31T23:59:59Z");
        assert_eq!(printed(u64::MAX), "584554051223-11-09T07:00:15Z");
    }

    #[test]
    fn every_day_follows_the_day_before() {
        let mut before = date(0);
        for days in 1..=DAYS_IN_800_YEARS {
            let (year, month, day) = date(days);
            let next = match before {
                (year, 12, 31) => (year + 1, 1, 1),
                (year, month, day) if day == length(year, month) => (year, month + 1, 1),
                (year, month, day) => (year, month, day + 1),
            };
            assert_eq!((year, month, day), next);
            before = next;
        }
        assert_eq!(before, (2770, 1, 1));
    }

    const DAYS_IN_800_YEARS: u64 = 292_194;

    fn length(year: u64, month: u64) -> u64 {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        match month {
            2 => 28 + u64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    #[test]
    fn its_notation_is_the_number_of_seconds() {
        assert_eq!(format!("{:?}", Timestamp::from_secs(1_700_000_000)), "Timestamp(1700000000)");
    }

    #[test]
    fn a_system_time_loses_its_fraction_alone() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
        let timestamp = Timestamp::from(time);
        assert_eq!(timestamp.as_secs(), 1_700_000_000);
        assert_eq!(SystemTime::try_from(timestamp), Ok(time - Duration::from_millis(999)));
    }

    #[test]
    fn a_system_time_before_1970_becomes_1970() {
        assert_eq!(Timestamp::from(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), Timestamp::default());
    }

    #[test]
    fn a_timestamp_beyond_the_systems_time_is_refused() {
        let error = SystemTime::try_from(Timestamp::from_secs(u64::MAX)).map_err(|error| error.to_string());
        assert_eq!(error, Err("18446744073709551615 seconds since 1970 are beyond the system's time".to_owned()));
    }

    #[test]
    fn numbers_and_durations_are_seconds_since_1970() {
        let timestamp = Timestamp::from(7_u64);
        assert_eq!((u64::from(timestamp), Duration::from(timestamp)), (7, Duration::from_secs(7)));
        assert_eq!(Timestamp::from(Duration::from_millis(7999)), timestamp);
        assert!(timestamp < Timestamp::from(8_u64));
    }
}
