//! The keys of a URL's query that do not map to one value of one field, and the search for keys.

use std::time::Duration;

use super::{REDACTED_ADVICE, json};
use crate::config::credentials::{Choice, REDACTED};
use crate::config::parameters::{
    Access, Form, Key, NONE, ROWS, Refusal, either, is_deadline, optional, print_seconds, seconds, whole,
};
use crate::config::{ConnectionParameters, Pem, Secret, Tls};

/// Every key, in the order of the fields.
pub(in crate::config) fn keys() -> impl Iterator<Item = &'static Key> {
    ROWS.iter().flat_map(|row| row.keys)
}

/// The key of this name.
pub(in crate::config) fn find(name: &str) -> Option<&'static Key> {
    keys().find(|key| key.name == name)
}

/// The keys of which a name may be a misspelling.
pub(super) fn nearest(name: &str) -> Vec<&'static str> {
    nearest_of(name, keys().map(|key| key.name))
}

/// The known names with the smallest edit distance from `name`, if that distance is small. Two
/// swapped neighbours count as one change; upper or lower case and separators between words do not
/// count.
pub(in crate::config) fn nearest_of<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let plain = |name: &str| -> String {
        // A bound on the cost: what is much longer than any known name is near none.
        let letters = name.chars().take(64).filter(|letter| !matches!(letter, '_' | '-'));
        letters.map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let wanted = plain(name);
    // One change per four letters: with more, `foo` would be near `locale`.
    let mut fewest = (wanted.chars().count() / 4).clamp(1, 3);
    let mut nearest = Vec::new();
    for known in known {
        let changes = strsim::osa_distance(&wanted, &plain(known));
        if changes < fewest {
            nearest.clear();
            fewest = changes;
        }
        if changes == fewest {
            nearest.push(known);
        }
    }
    nearest
}

pub(in crate::config) const SOCKET_TIMEOUT: Access = Access {
    read: |p, text| optional(text, seconds).map(|value| p.connect_timeout = value),
    check: |p| p.connect_timeout.is_none_or(is_deadline),
    print: |p| vec![p.connect_timeout.map_or_else(|| NONE.to_owned(), print_seconds)],
    conflicts: &["connection_timeout"],
    form: Form::NumberOrNone,
    ..Access::PLAIN
};

/// It checks its bounds when it reads, so that an error names this key and not `socket_timeout`,
/// the other key of its field.
pub(in crate::config) const CONNECTION_TIMEOUT: Access = Access {
    read: |p, text| {
        let timeout = optional(text, |text| whole(text).map(Duration::from_millis))?;
        if !timeout.is_none_or(is_deadline) {
            return Err(Refusal::OutOfRange);
        }
        p.connect_timeout = timeout;
        Ok(())
    },
    conflicts: &["socket_timeout"],
    form: Form::NumberOrNone,
    ..Access::PLAIN
};

/// Names are in lower case, as in RabbitMQ's URIs.
pub(in crate::config) const AUTH_MECHANISM: Access = Access {
    read: |p, text| {
        let choice = |name| match name {
            "plain" => Ok(Choice::Plain),
            "amqplain" => Ok(Choice::AmqPlain),
            "external" => Ok(Choice::External),
            _ => Err(Refusal::Malformed),
        };
        let choices = text.split(REPEATED).map(choice).collect::<Result<_, _>>()?;
        p.credentials.set_choices(choices);
        Ok(())
    },
    print: |p| match p.credentials.choices() {
        [Choice::Plain] => Vec::new(),
        choices => choices.iter().filter_map(named).map(str::to_owned).collect(),
    },
    repeats: true,
    ..Access::PLAIN
};

/// The separator of the texts of a key that was given several times.
pub(super) const REPEATED: char = ',';

/// The name of a mechanism in a URL. A custom mechanism has none.
fn named(choice: &Choice) -> Option<&'static str> {
    match choice {
        Choice::Plain => Some("plain"),
        Choice::AmqPlain => Some("amqplain"),
        Choice::External => Some("external"),
        Choice::Custom(_) => None,
    }
}

pub(in crate::config) const ERASE_ON_CONNECT: Access = Access {
    read: |p, text| {
        let erase = either(text, "false", "true")?;
        p.credentials = std::mem::take(&mut p.credentials).erase_on_connect(erase);
        Ok(())
    },
    print: |p| vec![p.credentials.erases_on_connect().to_string()],
    form: Form::TRUE_OR_FALSE,
    ..Access::PLAIN
};

/// The settings of TLS, which exist if the URL begins with `amqps`.
fn tls(parameters: &mut ConnectionParameters) -> Result<&mut Tls, Refusal> {
    parameters.tls.as_mut().ok_or(Refusal::Needs("it is about TLS: begin the URL with amqps://, or leave it out"))
}

/// The path of a file. PEM in memory has none.
fn path(pem: Option<&Pem>) -> Vec<String> {
    match pem {
        Some(pem) if pem.is_misplaced() => Vec::new(),
        Some(Pem::File(path)) => path.to_str().map(str::to_owned).into_iter().collect(),
        Some(Pem::Memory(_)) | None => Vec::new(),
    }
}

fn tls_text(parameters: &ConnectionParameters, print: impl FnOnce(&Tls) -> Vec<String>) -> Vec<String> {
    parameters.tls.as_ref().map(print).unwrap_or_default()
}

const ALL_TLS: &[&str] = &["ssl_options"];

pub(in crate::config) const CA_FILE: Access = Access {
    read: |p, text| tls(p).map(|tls| tls.ca = Some(Pem::file(text))),
    print: |p| tls_text(p, |tls| path(tls.ca.as_ref())),
    conflicts: ALL_TLS,
    ..Access::PLAIN
};

pub(in crate::config) const CERTIFICATE_FILE: Access = Access {
    read: |p, text| tls(p).map(|tls| tls.certificate = Some(Pem::file(text))),
    print: |p| tls_text(p, |tls| path(tls.certificate.as_ref())),
    conflicts: ALL_TLS,
    ..Access::PLAIN
};

pub(in crate::config) const KEY_FILE: Access = Access {
    read: |p, text| tls(p).map(|tls| tls.key = Some(Pem::file(text))),
    print: |p| tls_text(p, |tls| path(tls.key.as_ref())),
    conflicts: ALL_TLS,
    ..Access::PLAIN
};

pub(in crate::config) const KEY_PASSWORD: Access = Access {
    read: |p, text| {
        if text == REDACTED {
            return Err(Refusal::Because(REDACTED_ADVICE.to_owned()));
        }
        tls(p).map(|tls| tls.key_password = Some(Secret::from(text)))
    },
    print: |p| tls_text(p, |tls| tls.key_password.iter().map(ToString::to_string).collect()),
    conflicts: ALL_TLS,
    secret: true,
    ..Access::PLAIN
};

pub(in crate::config) const VERIFY: Access = Access {
    read: |p, text| {
        let verify = either(text, "verify_none", "verify_peer")?;
        tls(p).map(|tls| tls.verify = verify)
    },
    print: |p| tls_text(p, |tls| if tls.verify { Vec::new() } else { vec!["verify_none".to_owned()] }),
    ..Access::PLAIN
};

pub(in crate::config) const FAIL_IF_NO_PEER_CERT: Access = Access {
    read: |p, text| {
        let fail = either(text, "false", "true")?;
        tls(p).map(|tls| tls.fail_if_no_peer_cert = Some(fail))
    },
    print: |p| tls_text(p, |tls| tls.fail_if_no_peer_cert.iter().map(bool::to_string).collect()),
    form: Form::TRUE_OR_FALSE,
    ..Access::PLAIN
};

/// Erlang's word for not sending a name.
pub(in crate::config) const DISABLE: &str = "disable";

pub(in crate::config) const SERVER_NAME: Access = Access {
    read: |p, text| {
        tls(p).map(|tls| match text {
            DISABLE => tls.send_server_name = false,
            name => tls.server_name = Some(name.to_owned()),
        })
    },
    print: |p| {
        tls_text(p, |tls| match &tls.server_name {
            Some(name) => vec![name.clone()],
            None if !tls.send_server_name => vec![DISABLE.to_owned()],
            None => Vec::new(),
        })
    },
    conflicts: ALL_TLS,
    ..Access::PLAIN
};

/// Printed only for a name that is verified and not sent. If no name is set, [`SERVER_NAME`]
/// expresses both.
pub(in crate::config) const SEND_SERVER_NAME: Access = Access {
    read: |p, text| {
        let send = either(text, "false", "true")?;
        tls(p).map(|tls| tls.send_server_name = send)
    },
    print: |p| {
        tls_text(p, |tls| match &tls.server_name {
            Some(_) if !tls.send_server_name => vec!["false".to_owned()],
            _ => Vec::new(),
        })
    },
    form: Form::TRUE_OR_FALSE,
    ..Access::PLAIN
};

pub(in crate::config) const SSL_OPTIONS: Access = Access {
    read: |p, text| json::read_tls(tls(p)?, text),
    conflicts: &["cacertfile", "certfile", "keyfile", "password", "server_name_indication"],
    secret: true,
    form: Form::Object,
    ..Access::PLAIN
};

pub(in crate::config) const TCP_OPTIONS: Access = Access {
    read: json::read_tcp_options,
    conflicts: &["tcp_keepalive_idle", "tcp_keepalive_interval", "tcp_keepalive_count", "tcp_user_timeout"],
    form: Form::Object,
    ..Access::PLAIN
};

pub(in crate::config) const CLIENT_PROPERTIES: Access = Access {
    read: |p, text| json::read_table(text).map(|properties| p.client_properties = properties),
    print: |p| json::print_table(&p.client_properties).into_iter().collect(),
    form: Form::Object,
    ..Access::PLAIN
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found_whatever_its_case_and_its_word_breaks() {
        assert_eq!(nearest("Heartbeat"), ["heartbeat"]);
        assert_eq!(nearest("hartbeet"), ["heartbeat"]);
        assert_eq!(nearest("CHANNELMAX"), ["channel_max"]);
        assert_eq!(nearest("channel-max"), ["channel_max"]);
        assert_eq!(nearest("conection_timout"), ["connection_timeout"]);
        assert_eq!(nearest("vreify"), ["verify"]);
    }

    #[test]
    fn keys_that_are_equally_near_are_all_named() {
        assert_eq!(nearest("tcp_sent_buffer"), ["tcp_send_buffer"]);
        assert_eq!(nearest("tcp_recv_buffer"), ["tcp_send_buffer", "tcp_receive_buffer"]);
    }

    #[test]
    fn what_is_near_no_key_is_taken_for_none() {
        let far =
            ["", "f", "foo", "timeout", "max", "key", "tls", "user", "vhost", "cafile", "unheard_of", "t", "hunter2"];
        for name in far.into_iter().chain([&*"heartbeat".repeat(20)]) {
            assert_eq!(nearest(name), [""; 0], "{name}");
        }
    }

    #[test]
    fn names_are_unique_and_conflicts_are_keys() {
        for (index, key) in keys().enumerate() {
            assert_eq!(keys().position(|other| other.name == key.name), Some(index), "{}", key.name);
            for conflict in key.access.conflicts {
                assert!(find(conflict).is_some(), "{conflict}");
            }
        }
    }

    #[test]
    fn every_default_is_within_its_bounds_and_reads_back() {
        let defaults = ConnectionParameters::default();
        for Key { name, access, .. } in keys() {
            assert!((access.check)(&defaults), "{name}");
            for text in (access.print)(&defaults) {
                let mut read = defaults.clone();
                assert_eq!((access.read)(&mut read, &text), Ok(()), "{name}");
                assert_eq!((access.print)(&read), [text], "{name}");
            }
        }
    }
}
