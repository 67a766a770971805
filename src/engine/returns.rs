//! Messages that come back: how one is recognised, and where one goes that nobody is waiting for.

use std::collections::VecDeque;

use super::confirms::Mandatory;
use super::{Message, Returned, WaiterId};
use crate::protocol::{ContentProperties, basic::Properties};
use crate::wire::{FieldTable, FieldValue, Reader, ShortString};

/// Returned messages that belong to no confirmed publish, for whoever listens.
#[derive(Debug, Default)]
pub(super) struct Returns {
    pub(super) ready: VecDeque<Returned>,
    pub(super) listener: Option<WaiterId>,
    /// Messages dropped because the listener did not keep up.
    pub(super) lost: u64,
}

impl Returns {
    /// Messages kept for a listener that does not keep up.
    const KEEP: usize = 4096;

    /// Keeps a message for the listener, and names the listener where there is one.
    pub(super) fn push(&mut self, returned: Returned) -> Option<WaiterId> {
        let listener = self.listener?;
        if self.ready.len() >= Self::KEEP {
            self.ready.pop_front();
            self.lost += 1;
        }
        self.ready.push_back(returned);
        Some(listener)
    }
}

/// The message is the one that was published, as far as one can tell from outside.
///
/// RabbitMQ 4 re-encodes and sorts headers, and all versions strip `BCC`, so properties are compared decoded.
pub(super) fn same_message(published: &Mandatory, message: &Message) -> bool {
    published.exchange == message.exchange()
        && published.routing_key == message.routing_key()
        && published.body == message.body()
        && same_properties(&published.properties, message.property_octets())
}

fn same_properties(published: &[u8], returned: &[u8]) -> bool {
    if published == returned {
        return true;
    }
    let decode = |octets| Properties::decode(&mut Reader::new(octets));
    match (decode(published), decode(returned)) {
        (Ok(mut published), Ok(mut returned)) => {
            let headers = (published.headers.take(), returned.headers.take());
            published == returned && same_headers(headers.0.as_ref(), headers.1.as_ref())
        }
        _ => false,
    }
}

fn same_headers(published: Option<&FieldTable>, returned: Option<&FieldTable>) -> bool {
    match (published, returned) {
        (None, None) => true,
        (None, Some(table)) | (Some(table), None) => comparable(table) == 0,
        (Some(published), Some(returned)) => {
            // Of a name that comes twice the broker keeps the first, which is what look-up gives.
            let same = |key: &ShortString| match (published.get(key), returned.get(key)) {
                (Some(published), Some(returned)) => same_value(published, returned),
                _ => false,
            };
            published.keys().chain(returned.keys()).filter(|key| key.as_bytes() != b"BCC").all(same)
        }
    }
}

/// How many headers take part in the comparison.
fn comparable(table: &FieldTable) -> usize {
    table.iter().filter(|(key, _)| key.as_bytes() != b"BCC").count()
}

/// Equal values, whatever integer type a broker chose to write them with.
fn same_value(published: &FieldValue, returned: &FieldValue) -> bool {
    match (published, returned) {
        (FieldValue::Table(published), FieldValue::Table(returned)) => same_headers(Some(published), Some(returned)),
        (FieldValue::Array(published), FieldValue::Array(returned)) => {
            published.len() == returned.len() && published.iter().zip(returned).all(|(a, b)| same_value(a, b))
        }
        (published, returned) => {
            published == returned || published.as_i64().is_some_and(|value| returned.as_i64() == Some(value))
        }
    }
}
