//! The destinations of a message by the bindings of an exchange, and the keys by which it is
//! routed.

pub(super) mod headers;
mod topic;

use super::bindings::{Bindings, Destination};
use super::exchange::{Exchange, ExchangeKind};
use super::message::Message;
use crate::broker::words::{Refusal, type_name};
use crate::protocol::basic::Properties;
use crate::wire::{FieldTable, FieldValue, ShortString};

/// The header with further keys that consumers see.
const CC: &str = "CC";
/// The header with further keys that no consumer sees.
const BCC: &str = "BCC";

/// The keys by which a message is routed: its own, then those in the headers `CC` and `BCC`.
pub(in crate::broker) fn routing_keys(message: &Message) -> Result<Vec<ShortString>, Refusal> {
    let mut keys = vec![message.routing_key.clone()];
    let Some(headers) = &message.properties.headers else { return Ok(keys) };
    for header in [CC, BCC] {
        match headers.get(header) {
            None => {}
            Some(FieldValue::Array(further)) => keys.extend(further.iter().filter_map(key)),
            Some(other) => {
                let text =
                    format!("invalid message: {{unacceptable_type_in_header,\"{header}\",{}}}", type_name(other));
                return Err(Refusal::precondition(text));
            }
        }
    }
    Ok(keys)
}

/// Removes the header `BCC` before consumers see a message.
pub(in crate::broker) fn strip_bcc(properties: &mut Properties) {
    if let Some(headers) = &mut properties.headers {
        headers.remove(BCC);
    }
}

/// The destinations of a message with these keys and headers by the bindings of one exchange.
pub(super) fn destinations<'a>(
    bindings: &'a Bindings,
    exchange: &Exchange,
    keys: &'a [ShortString],
    message_headers: Option<&'a FieldTable>,
) -> Vec<&'a Destination> {
    let source = exchange.name();
    match exchange.kind() {
        ExchangeKind::Direct => keys.iter().flat_map(|key| bindings.with_key(source, key)).collect(),
        ExchangeKind::Fanout => bindings.of(source).map(|binding| binding.destination).collect(),
        ExchangeKind::Topic => bindings
            .of(source)
            .filter(|binding| keys.iter().any(|key| topic::matches(binding.routing_key.as_bytes(), key.as_bytes())))
            .map(|binding| binding.destination)
            .collect(),
        ExchangeKind::Headers => bindings
            .of(source)
            .filter(|binding| headers::matches(binding.arguments, message_headers))
            .map(|binding| binding.destination)
            .collect(),
    }
}

/// A key from a header. Entries that are not strings are ignored.
fn key(value: &FieldValue) -> Option<ShortString> {
    match value {
        FieldValue::LongString(key) => Some(ShortString::from(key.as_bytes())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(headers: FieldTable) -> Message {
        let properties = Properties::default().headers(headers);
        Message {
            exchange: "x".into(),
            routing_key: "k".into(),
            properties,
            encoded_properties: None,
            body: "body".into(),
        }
    }

    fn strings(keys: &[&str]) -> FieldValue {
        FieldValue::Array(keys.iter().map(|key| FieldValue::from(*key)).collect())
    }

    #[test]
    fn a_message_is_routed_by_its_key_then_cc_then_bcc() {
        let headers =
            FieldTable::from([("BCC", strings(&["c"])), ("CC", strings(&["a", "b"])), ("cc", strings(&["d"]))]);
        assert_eq!(routing_keys(&published(headers)), Ok(["k", "a", "b", "c"].map(ShortString::from).to_vec()));
        assert_eq!(routing_keys(&published(FieldTable::new())), Ok(vec!["k".into()]));
    }

    #[test]
    fn entries_that_are_no_strings_are_no_keys() {
        let octets = FieldValue::ByteArray(b"x".as_slice().into());
        let mixed = FieldValue::Array(vec![1.into(), "a".into(), FieldValue::Void, octets]);
        assert_eq!(routing_keys(&published(FieldTable::from([("CC", mixed)]))), Ok(vec!["k".into(), "a".into()]));
    }

    #[test]
    fn further_keys_that_are_no_array_are_refused() {
        let text = |headers| routing_keys(&published(headers)).map_err(|refusal| refusal.text());
        let refused = |header: &str, kind: &str| {
            Err(format!("PRECONDITION_FAILED - invalid message: {{unacceptable_type_in_header,\"{header}\",{kind}}}"))
        };
        assert_eq!(text(FieldTable::from([("CC", "a")])), refused("CC", "longstr"));
        assert_eq!(text(FieldTable::from([("BCC", 5)])), refused("BCC", "signedint"));
        assert_eq!(text(FieldTable::from([("BCC", FieldValue::from(5)), ("CC", true.into())])), refused("CC", "bool"));
    }

    #[test]
    fn only_bcc_is_stripped_and_an_empty_table_stays() {
        let mut properties =
            published(FieldTable::from([("BCC", strings(&["a"])), ("CC", strings(&["b"]))])).properties;
        strip_bcc(&mut properties);
        assert_eq!(properties.headers, Some(FieldTable::from([("CC", strings(&["b"]))])));
        let mut properties = published(FieldTable::from([("BCC", strings(&["a"]))])).properties;
        strip_bcc(&mut properties);
        assert_eq!(properties.headers, Some(FieldTable::new()));
    }
}
