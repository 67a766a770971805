//! The text form of single values: numbers, durations and words. Reading is strict, and what is
//! printed reads back as the same value.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use super::table::{Codec, Form};
use crate::config::{EndpointOrder, Heartbeat};

/// Why the text of a value was refused.
#[derive(Debug, PartialEq)]
pub(in crate::config) enum Refusal {
    Malformed,
    OutOfRange,
    /// It cannot be parsed, for a reason that `allowed` does not cover.
    Because(String),
    /// It goes with another setting that is not there. This is what to do.
    Needs(&'static str),
}

/// Reads a whole number in decimal digits.
pub(in crate::config) fn whole<T: FromStr>(text: &str) -> Result<T, Refusal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(Refusal::Malformed);
    }
    // The text is a number here, so that a failure means that it is too small or too large.
    text.parse().map_err(|_| Refusal::OutOfRange)
}

/// Reads seconds, with at most nine decimals.
pub(in crate::config) fn seconds(text: &str) -> Result<Duration, Refusal> {
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
pub(in crate::config) fn print_seconds(duration: Duration) -> String {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    let decimals = format!("{nanoseconds:09}");
    match decimals.trim_end_matches('0') {
        "" => seconds.to_string(),
        decimals => format!("{seconds}.{decimals}"),
    }
}

/// The word for the absence of a limit.
pub(in crate::config) const NONE: &str = "none";

/// Reads a value that may be `none`.
pub(in crate::config) fn optional<T>(
    text: &str,
    read: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    if text == NONE { Ok(None) } else { read(text).map(Some) }
}

/// Reads one of two words.
pub(in crate::config) fn either(text: &str, no: &str, yes: &str) -> Result<bool, Refusal> {
    if text == yes { Ok(true) } else { (text == no).then_some(false).ok_or(Refusal::Malformed) }
}

/// The longest deadline. Adding it to an `Instant` cannot overflow.
const YEAR: Duration = Duration::from_secs(31_536_000);

pub(in crate::config) fn is_deadline(duration: Duration) -> bool {
    !duration.is_zero() && duration <= YEAR
}

fn print_or_none<T>(value: Option<&T>, print: impl FnOnce(&T) -> String) -> Option<String> {
    Some(value.map_or_else(|| NONE.to_owned(), print))
}

macro_rules! whole_codec {
    ($type:ty, $check:expr) => {
        Codec::<$type> { read: whole, check: $check, print: |value| Some(value.to_string()), form: Form::Number }
    };
}

/// Any whole number of its type.
pub(super) const ANY_U16: Codec<u16> = whole_codec!(u16, |_| true);
pub(super) const POSITIVE_U16: Codec<u16> = whole_codec!(u16, |value| *value > 0);
pub(super) const POSITIVE_U32: Codec<u32> = whole_codec!(u32, |value| *value > 0);
pub(super) const POSITIVE_U64: Codec<u64> = whole_codec!(u64, |value| *value > 0);
pub(super) const POSITIVE_USIZE: Codec<usize> = whole_codec!(usize, |value| *value > 0);
pub(super) const FRAME_MAX: Codec<u32> = whole_codec!(u32, |value| *value >= 4096);

/// A number above zero. If it is not set, the key is not printed.
pub(super) const SOME_U32: Codec<Option<u32>> = Codec {
    read: |text| whole(text).map(Some),
    check: |value| *value != Some(0),
    print: |value| value.map(|value| value.to_string()),
    form: Form::Number,
};

/// A water mark, which may be zero.
pub(super) const MARK: Codec<Option<usize>> = Codec {
    read: |text| whole(text).map(Some),
    check: |_| true,
    print: |value| value.map(|value| value.to_string()),
    form: Form::Number,
};

/// The bytes of a socket option, which has 31 bits: of a larger number only the lower bits would
/// reach the system.
pub(super) const SOCKET_OCTETS: Codec<Option<usize>> =
    Codec { check: |value| value.is_none_or(|octets| (1..=0x7fff_ffff).contains(&octets)), ..MARK };

/// A limit, or `none`.
pub(super) const LIMIT: Codec<Option<u32>> = Codec {
    read: |text| optional(text, whole),
    check: |value| *value != Some(0),
    print: |value| print_or_none(value.as_ref(), u32::to_string),
    form: Form::NumberOrNone,
};

/// Seconds above zero, or `none`.
pub(super) const DEADLINE_OR_NONE: Codec<Option<Duration>> = Codec {
    read: |text| optional(text, seconds),
    check: |value| value.is_none_or(is_deadline),
    print: |value| print_or_none(value.as_ref(), |duration| print_seconds(*duration)),
    form: Form::NumberOrNone,
};

/// Seconds from zero, or `none`.
pub(super) const DELAY_OR_NONE: Codec<Option<Duration>> =
    Codec { check: |value| value.is_none_or(|delay| delay <= YEAR), ..DEADLINE_OR_NONE };

/// Seconds that RFC 8305 allows between two attempts to connect; zero or `none` means one attempt
/// at a time. The RFC's upper bound of two seconds is a recommendation. It is not enforced, because
/// a program that prefers the first of several endpoints may give it more time.
pub(super) const ATTEMPT_DELAY: Codec<Option<Duration>> = Codec {
    check: |value| value.is_none_or(|delay| delay.is_zero() || (SHORTEST_ATTEMPT_DELAY..=YEAR).contains(&delay)),
    ..DEADLINE_OR_NONE
};

/// The minimum of RFC 8305, section 5.
const SHORTEST_ATTEMPT_DELAY: Duration = Duration::from_millis(10);

/// Seconds above zero.
pub(super) const DEADLINE: Codec<Duration> = Codec {
    read: seconds,
    check: |value| is_deadline(*value),
    print: |value| Some(print_seconds(*value)),
    form: Form::Number,
};

/// Seconds from zero.
pub(super) const DELAY: Codec<Duration> = Codec {
    read: seconds,
    check: |value| *value <= YEAR,
    print: |value| Some(print_seconds(*value)),
    form: Form::Number,
};

/// The whole seconds of a socket option. If it is not set, the system's value applies.
pub(super) const SOCKET_SECONDS: Codec<Option<Duration>> = Codec {
    read: |text| whole::<u64>(text).map(Duration::from_secs).map(Some),
    check: |value| value.is_none_or(|it| it.subsec_nanos() == 0 && (1..=32_767).contains(&it.as_secs())),
    print: |value| value.map(print_seconds),
    form: Form::Number,
};

/// The seconds of a socket option that has whole milliseconds. If it is not set, the system's value
/// applies.
pub(super) const SOCKET_MILLISECONDS: Codec<Option<Duration>> = Codec {
    read: |text| seconds(text).map(Some),
    check: |value| {
        value.is_none_or(|it| it.subsec_nanos() % 1_000_000 == 0 && it <= LONGEST_USER_TIMEOUT && !it.is_zero())
    },
    print: |value| value.map(print_seconds),
    form: Form::Number,
};

/// The most that the 31 bits of milliseconds of the option can hold.
const LONGEST_USER_TIMEOUT: Duration = Duration::from_millis(2_147_483_647);

/// The number of probes of TCP, as the socket option allows it.
pub(super) const PROBES: Codec<Option<u32>> =
    Codec { check: |value| value.is_none_or(|probes| (1..=127).contains(&probes)), ..SOME_U32 };

pub(super) const TRUE_OR_FALSE: Codec<bool> = Codec {
    read: |text| either(text, "false", "true"),
    check: |_| true,
    print: |value| Some(value.to_string()),
    form: Form::TRUE_OR_FALSE,
};

/// Pika's words for `true` and `false`.
pub(super) const T_OR_F: Codec<bool> = Codec {
    read: |text| either(text, "f", "t"),
    check: |_| true,
    print: |value| Some(if *value { "t" } else { "f" }.to_owned()),
    form: Form::Flag { no: "f", yes: "t" },
};

pub(super) const HEARTBEAT: Codec<Heartbeat> = Codec {
    read: |text| whole(text).map(Heartbeat::every),
    check: |_| true,
    print: |heartbeat| heartbeat.wanted().map(|seconds| seconds.to_string()),
    form: Form::Number,
};

pub(super) const ORDER: Codec<EndpointOrder> = Codec {
    read: |text| {
        either(text, "in_order", "shuffled")
            .map(|shuffled| if shuffled { EndpointOrder::Shuffled } else { EndpointOrder::InOrder })
    },
    check: |_| true,
    print: |order| Some(if *order == EndpointOrder::Shuffled { "shuffled" } else { "in_order" }.to_owned()),
    form: Form::Text,
};

pub(super) const ADDRESS: Codec<Option<IpAddr>> = Codec {
    read: |text| text.parse().map(Some).map_err(|_| Refusal::Malformed),
    check: |_| true,
    print: |address| address.map(|address| address.to_string()),
    form: Form::Text,
};

pub(super) const LOCALE: Codec<String> = Codec {
    read: |text| Ok(text.to_owned()),
    check: |name| (1..=255).contains(&name.len()),
    print: |name| Some(name.clone()),
    form: Form::Text,
};

pub(super) const NAME: Codec<Option<String>> = Codec {
    read: |text| Ok(Some(text.to_owned())),
    check: |name| name.as_ref().is_none_or(|name| !name.is_empty()),
    print: Option::clone,
    form: Form::Text,
};

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
