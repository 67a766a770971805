//! The text of single values: numbers and durations, read strictly and printed so that they read back.

use std::str::FromStr;
use std::time::Duration;

/// Why the text of a value was not taken.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    Malformed,
    OutOfRange,
}

/// Reads a whole number in decimal digits.
pub(super) fn whole<T: FromStr>(text: &str) -> Result<T, Refusal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(Refusal::Malformed);
    }
    // Only numbers get here: what does not parse is too small or too large.
    text.parse().map_err(|_| Refusal::OutOfRange)
}

/// Reads seconds, with at most nine decimals.
pub(super) fn seconds(text: &str) -> Result<Duration, Refusal> {
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if seconds.starts_with('-') && whole::<i64>(decimals).is_ok() {
        return whole::<i64>(seconds).and(Err(Refusal::OutOfRange));
    }
    if decimals.len() > 9 || decimals.starts_with('-') {
        return Err(Refusal::Malformed);
    }
    whole::<u32>(decimals)?;
    let nanoseconds = whole(&format!("{decimals:0<9}"))?;
    Ok(Duration::new(whole(seconds)?, nanoseconds))
}

/// Prints seconds as [`seconds`] reads them.
pub(super) fn print_seconds(duration: Duration) -> String {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    let decimals = format!("{nanoseconds:09}");
    match decimals.trim_end_matches('0') {
        "" => seconds.to_string(),
        decimals => format!("{seconds}.{decimals}"),
    }
}

/// How the absence of a limit is written.
pub(super) const NONE: &str = "none";

/// Reads a value that may be `none`.
pub(super) fn optional<T>(text: &str, read: impl FnOnce(&str) -> Result<T, Refusal>) -> Result<Option<T>, Refusal> {
    if text == NONE { Ok(None) } else { read(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_exactly_and_printed_back() {
        for text in ["0", "7", "0.25", "10.5", "31536000", "0.000000001"] {
            assert_eq!(seconds(text).map(print_seconds), Ok(text.to_owned()));
        }
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(seconds("1.50"), Ok(Duration::from_millis(1500)));
    }

    #[test]
    fn what_is_no_number_of_seconds_is_refused() {
        for text in ["", "nan", "inf", "1e3", "+1", " 1", "1.", ".5", "1.-5", "1.2.3", "0.0000000001", "١"] {
            assert_eq!(seconds(text), Err(Refusal::Malformed), "{text:?}");
        }
        for text in ["-1", "-0.5", "99999999999999999999"] {
            assert_eq!(seconds(text), Err(Refusal::OutOfRange), "{text:?}");
        }
    }

    #[test]
    fn a_number_that_is_too_large_is_told_from_what_is_no_number() {
        assert_eq!(whole("65535"), Ok(u16::MAX));
        assert_eq!(whole::<u16>("65536"), Err(Refusal::OutOfRange));
        assert_eq!(whole::<u16>("-1"), Err(Refusal::OutOfRange));
        for text in ["", "-", "--1", "+1", "1.5", "0x10", "1 "] {
            assert_eq!(whole::<u16>(text), Err(Refusal::Malformed), "{text:?}");
        }
    }
}
