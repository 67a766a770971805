//! The keys of a URL's query: for each its name, its bounds, and how it is read, checked and printed.

use std::time::Duration;

use super::values::{NONE, Refusal, optional, print_seconds, seconds, whole};
use super::{ConnectionParameters, Heartbeat};

/// One key. A field that has two keys is printed and checked by the first.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What may be given, to complete "allowed is …".
    pub(super) allowed: &'static str,
    /// Takes a text over into the field.
    pub(super) read: fn(&mut ConnectionParameters, &str) -> Result<(), Refusal>,
    /// The field is within its bounds.
    pub(super) check: fn(&ConnectionParameters) -> bool,
    /// The field as text; none where it is not set, or has no text.
    pub(super) print: fn(&ConnectionParameters) -> Option<String>,
    /// A key that sets the same field, and that cannot be given together with this one.
    pub(super) rival: Option<&'static str>,
}

/// Every key, in the order of the fields.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "channel_max",
        allowed: "a whole number from 1 to 65535",
        read: |p, text| whole(text).map(|value| p.channel_max = value),
        check: |p| p.channel_max > 0,
        print: |p| Some(p.channel_max.to_string()),
        rival: None,
    },
    Key {
        name: "frame_max",
        allowed: "a whole number from 4096 to 4294967295",
        read: |p, text| whole(text).map(|value| p.frame_max = value),
        check: |p| p.frame_max >= 4096,
        print: |p| Some(p.frame_max.to_string()),
        rival: None,
    },
    Key {
        name: "heartbeat",
        allowed: "a whole number of seconds from 0 (no heartbeats) to 65535",
        read: |p, text| whole(text).map(|value| p.heartbeat = Heartbeat::every(value)),
        check: |_| true,
        print: |p| p.heartbeat.wanted().map(|seconds| seconds.to_string()),
        rival: None,
    },
    Key {
        name: "socket_timeout",
        allowed: SECONDS_OR_NONE,
        read: |p, text| optional(text, seconds).map(|value| p.connect_timeout = value),
        check: |p| p.connect_timeout.is_none_or(is_deadline),
        print: |p| Some(print_optional(p.connect_timeout)),
        rival: Some("connection_timeout"),
    },
    Key {
        name: "connection_timeout",
        allowed: "a whole number of milliseconds from 1 to 31536000000 (a year), or none",
        read: |p, text| optional(text, milliseconds).map(|value| p.connect_timeout = value),
        check: |_| true,
        print: |_| None,
        rival: Some("socket_timeout"),
    },
    Key {
        name: "stack_timeout",
        allowed: SECONDS_OR_NONE,
        read: |p, text| optional(text, seconds).map(|value| p.open_timeout = value),
        check: |p| p.open_timeout.is_none_or(is_deadline),
        print: |p| Some(print_optional(p.open_timeout)),
        rival: None,
    },
    Key {
        name: "call_timeout",
        allowed: SECONDS_OR_NONE,
        read: |p, text| optional(text, seconds).map(|value| p.call_timeout = value),
        check: |p| p.call_timeout.is_none_or(is_deadline),
        print: |p| Some(print_optional(p.call_timeout)),
        rival: None,
    },
    Key {
        name: "close_timeout",
        allowed: "seconds above 0, such as 0.25, up to 31536000 (a year)",
        read: |p, text| seconds(text).map(|value| p.close_timeout = value),
        check: |p| is_deadline(p.close_timeout),
        print: |p| Some(print_seconds(p.close_timeout)),
        rival: None,
    },
    Key {
        name: "locale",
        allowed: "a name of 1 to 255 octets, such as en_US",
        read: |p, text| {
            text.clone_into(&mut p.locale);
            Ok(())
        },
        check: |p| (1..=255).contains(&p.locale.len()),
        print: |p| Some(p.locale.clone()),
        rival: None,
    },
    Key {
        name: "connection_name",
        allowed: "a name of at least one character",
        read: |p, text| {
            p.connection_name = Some(text.to_owned());
            Ok(())
        },
        check: |p| p.connection_name.as_ref().is_none_or(|name| !name.is_empty()),
        print: |p| p.connection_name.clone(),
        rival: None,
    },
    Key {
        name: "write_high_water",
        allowed: "a whole number of octets, at least 1",
        read: |p, text| whole(text).map(|value| p.write_high_water = value),
        check: |p| p.write_high_water > 0,
        print: |p| Some(p.write_high_water.to_string()),
        rival: None,
    },
    Key {
        name: "write_low_water",
        allowed: "a whole number of octets, less than write_high_water",
        read: |p, text| whole(text).map(|value| p.write_low_water = Some(value)),
        check: |p| p.low_water() < p.write_high_water,
        print: |p| p.write_low_water.map(|octets| octets.to_string()),
        rival: None,
    },
    Key {
        name: "max_unconfirmed",
        allowed: "a whole number from 1 to 4294967295",
        read: |p, text| whole(text).map(|value| p.max_unconfirmed = Some(value)),
        check: |p| p.max_unconfirmed != Some(0),
        print: |p| p.max_unconfirmed.map(|count| count.to_string()),
        rival: None,
    },
    Key {
        name: "max_message_size",
        allowed: "a whole number of octets, at least 1",
        read: |p, text| whole(text).map(|value| p.max_message_size = value),
        check: |p| p.max_message_size > 0,
        print: |p| Some(p.max_message_size.to_string()),
        rival: None,
    },
];

const SECONDS_OR_NONE: &str = "seconds above 0, such as 0.25, up to 31536000 (a year), or none";

/// The longest deadline: adding it to a point in time cannot overflow.
const YEAR: Duration = Duration::from_secs(31_536_000);

fn is_deadline(duration: Duration) -> bool {
    !duration.is_zero() && duration <= YEAR
}

/// Checks its bounds itself, so that an error names this key and not the other one of its field.
fn milliseconds(text: &str) -> Result<Duration, Refusal> {
    let duration = whole(text).map(Duration::from_millis)?;
    if is_deadline(duration) { Ok(duration) } else { Err(Refusal::OutOfRange) }
}

fn print_optional(duration: Option<Duration>) -> String {
    duration.map_or_else(|| NONE.to_owned(), print_seconds)
}

/// The key that is called so.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The name of the key that takes the fewest changes to get to; upper or lower case is no change.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    // What is much longer than any key is as far from one as from another.
    let wanted: String = name.chars().take(64).map(|letter| letter.to_ascii_lowercase()).collect();
    KEYS.iter().map(|key| key.name).min_by_key(|known| strsim::levenshtein(&wanted, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found_whatever_its_case() {
        assert_eq!(nearest("Heartbeat"), Some("heartbeat"));
        assert_eq!(nearest("hartbeet"), Some("heartbeat"));
        assert_eq!(nearest("CHANNELMAX"), Some("channel_max"));
        assert_eq!(nearest("conection_timout"), Some("connection_timeout"));
    }

    #[test]
    fn names_are_unique_and_rivals_know_each_other() {
        for (index, key) in KEYS.iter().enumerate() {
            assert_eq!(KEYS.iter().position(|other| other.name == key.name), Some(index));
            if let Some(rival) = key.rival {
                assert_eq!(find(rival).and_then(|rival| rival.rival), Some(key.name));
            }
        }
    }

    #[test]
    fn every_default_is_within_its_bounds_and_reads_back() {
        let defaults = ConnectionParameters::default();
        for key in KEYS {
            assert!((key.check)(&defaults), "{}", key.name);
            if let Some(text) = (key.print)(&defaults) {
                let mut read = defaults.clone();
                assert_eq!((key.read)(&mut read, &text), Ok(()), "{}", key.name);
                assert_eq!((key.print)(&read), Some(text), "{}", key.name);
            }
        }
    }
}
