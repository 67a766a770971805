//! Tests of URLs: the lines of `urls.txt`, and the texts of errors.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::{base, everything, from_url, h, refused};
use crate::config::ConnectionParameters;
use crate::config::url::keys;

/// The lines of the data file: URL and expectation.
fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = include_str!("urls.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines = lines.map(|line| line.split_once(" =>").unwrap_or_else(|| panic!("no expectation: {line}")));
    // Without the feature, amqps is an error of its own.
    lines.filter(|(url, _)| cfg!(feature = "tls") || !url.to_ascii_lowercase().starts_with("amqps"))
}

/// All parts and keys as text.
fn texts(parameters: &ConnectionParameters) -> BTreeMap<&'static str, String> {
    let endpoints: Vec<_> = parameters.endpoints.iter().map(ToString::to_string).collect();
    let mut texts = BTreeMap::from([
        ("login.user", parameters.credentials.user().to_owned()),
        ("login.password", parameters.credentials.password().expose(str::to_owned)),
        ("endpoints", endpoints.join(",")),
        ("virtual_host", parameters.virtual_host.clone()),
        ("tls", if parameters.tls.is_some() { "yes" } else { "no" }.to_owned()),
    ]);
    texts.extend(keys().map(|key| (key.name, (key.access.print)(parameters).join(","))));
    texts
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

#[test]
fn urls_give_what_the_data_file_says() {
    let defaults = texts(&base());
    let mut count = 0;
    for (url, expectation) in lines() {
        count += 1;
        let expectation = expectation.trim();
        if let Some(error) = expectation.strip_prefix("! ") {
            let (kind, key) = error.split_once(' ').unwrap();
            let refusal = refused(url);
            assert_eq!(
                (format!("{:?}", refusal.kind()), refusal.key()),
                (kind.to_owned(), &*decoded(key)),
                "{url}: {refusal}"
            );
            continue;
        }
        let mut expected = defaults.clone();
        for pair in expectation.split_ascii_whitespace() {
            let (name, value) = pair.split_once('=').unwrap();
            let known = expected.get_mut(name).unwrap_or_else(|| panic!("{name} is no part and no key"));
            *known = decoded(value);
        }
        assert_eq!(texts(&from_url(url)), expected, "{url}");
    }
    assert!(count > 150, "{count} lines");
}

#[test]
fn every_url_of_the_data_file_is_printed_so_that_it_reads_back() {
    for (url, expectation) in lines().filter(|(_, expectation)| !expectation.contains('!')) {
        let parameters = from_url(url);
        let printed = parameters.to_string();
        // Only the secrets are missing.
        let password = parameters.credentials.password().expose(|text| text.replace('%', "%25").replace('/', "%2F"));
        let complete = printed.replacen(":<redacted>@", &format!(":{password}@"), 1).replace("=<redacted>", "=secret");
        let again = from_url(&complete);
        assert_eq!(texts(&again), texts(&parameters), "{url} {printed} {expectation}");
        assert_eq!(again.to_string(), printed, "{url}");
    }
}

#[test]
fn every_key_is_in_the_data_file() {
    for key in keys() {
        let used = format!("{}=", key.name);
        assert!(lines().any(|(url, _)| url.contains(&used)) || cfg!(not(feature = "tls")), "{} is untried", key.name);
    }
}

#[test]
fn a_url_that_is_no_line_of_text_is_refused() {
    for url in ["", "amqp://h\n", "amqp://h\t", "amqp://\0"] {
        refused(url);
    }
}

#[test]
fn an_error_says_what_was_given_and_what_to_do() {
    let cases = [
        ("ftp://h", "scheme is not valid: a URL begins with amqp:// or amqps://"),
        ("amqp://u:p@h:99999", "port is not valid: allowed is a whole number from 1 to 65535"),
        ("amqp://u:p@a,b:x", "port is not valid: allowed is a whole number from 1 to 65535 (endpoint 2)"),
        ("amqp://h/a/b", "virtual_host is not valid: write a `/` in it as %2F, as in /a%2Fb"),
        ("amqp://h?channel_max=0", "channel_max cannot be \"0\": allowed is a whole number from 1 to 65535"),
        (
            "amqp://h?max_unconfirmed=x",
            "max_unconfirmed cannot be \"x\": allowed is a whole number from 1 to 4294967295, or none",
        ),
        ("amqp://h?locale=", "locale is empty: allowed is a name of 1 to 255 bytes, such as en_US"),
        ("amqp://h?locale=a&locale=b", "the key locale is given twice: give it once"),
        (
            "amqp://h?verify=verify_none",
            "verify is not valid: it is about TLS: begin the URL with amqps://, or leave it out",
        ),
        (
            "amqp://h?tcp_options={\"TCP_KEEPIDEL\":1}",
            "tcp_options cannot be \"{\\\"TCP_KEEPIDEL\\\":1}\": the option \"TCP_KEEPIDEL\" is unknown, the nearest is \
             TCP_KEEPIDLE: known ones are TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT",
        ),
    ];
    for (url, expected) in cases {
        assert_eq!(refused(url).to_string(), expected, "{url}");
    }
    let unknown = refused("amqp://h?Heartbeat=1");
    assert_eq!(unknown.nearest(), ["heartbeat"]);
    let expected = "unknown key \"Heartbeat\", the nearest known one is heartbeat: number 1 in the query; the documentation of \
                    ConnectionParameters lists all keys";
    assert_eq!(unknown.to_string(), expected);
    let far = refused("amqp://h?heartbeat=1&timeout=1");
    assert_eq!(far.nearest(), [""; 0]);
    let expected = "a key of the query is unknown: number 2 in the query; the documentation of ConnectionParameters lists all \
                    keys";
    assert_eq!(far.to_string(), expected);
}

#[test]
fn a_long_value_is_shown_by_its_beginning() {
    let error = refused(&format!("amqp://h?heartbeat={}", "ü".repeat(1000))).to_string();
    assert!(error.starts_with(&format!("heartbeat cannot be \"{}\"…: ", "ü".repeat(60))), "{error}");
}

#[test]
fn parameters_convert_from_strings_of_every_kind() {
    let url = "amqp://h".to_owned();
    let expected = everything(&h());
    assert_eq!(everything(&url.parse().unwrap()), expected);
    assert_eq!(everything(&ConnectionParameters::try_from(url.as_str()).unwrap()), expected);
    assert_eq!(everything(&ConnectionParameters::try_from(&url).unwrap()), expected);
    assert_eq!(everything(&ConnectionParameters::try_from(url).unwrap()), expected);
}
