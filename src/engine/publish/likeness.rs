//! How much a returned message resembles one that was published.
//!
//! Brokers change messages before they return them. RabbitMQ 4 encodes headers again and sorts
//! them, and every version removes `BCC`; `expiration` is returned as the number that was parsed
//! (`0060` as `60`); interceptors and plugins add a timestamp or headers. None of them changes
//! exchange, routing key or body.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use crate::protocol::{ContentProperties, basic::Properties};
use crate::wire::{Decimal, FieldTable, FieldValue, Reader, Writer};

/// The number of kinds of likeness. From the closest: the whole message; all but what brokers
/// change; all but the properties; only exchange and routing key.
pub(in crate::engine) const COUNT: usize = 4;

/// The hashes of a message, one for each kind.
pub(super) fn marks(
    hasher: &RandomState,
    exchange: &[u8],
    routing_key: &[u8],
    properties: &[u8],
    body: &[u8],
) -> [u64; COUNT] {
    let hash = Hash(hasher);
    let route = hasher.hash_one((3_u8, exchange, routing_key));
    let content = hasher.hash_one((2_u8, route, body));
    let Ok(mut properties) = Properties::decode(&mut Reader::new(properties)) else {
        return [hasher.hash_one((0_u8, content, properties)), hasher.hash_one((1_u8, content)), content, route];
    };
    let headers = hash.headers(properties.headers.take().as_ref());
    let expiration = properties.expiration.take().map(|text| whole_number(text.as_bytes()).ok_or(text));
    let stamped = (properties.timestamp.take(), properties.delivery_mode.take(), expiration, headers);
    let mut kept = Vec::new();
    // Properties that were decoded can be encoded.
    let encoded = properties.encode(&mut Writer::new(&mut kept));
    debug_assert!(encoded.is_ok(), "properties that were read can be written");
    let identity = hasher.hash_one((1_u8, content, kept));
    [hasher.hash_one((0_u8, identity, stamped)), identity, content, route]
}

/// The number that a broker parses from an expiration.
fn whole_number(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all_digits.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

/// Hashes values by their meaning: equal ones have equal hashes, whatever type and order a broker
/// encoded them with.
struct Hash<'a>(&'a RandomState);

impl Hash<'_> {
    /// Hashes a table of headers. An empty table counts as none. If a name occurs twice, the broker
    /// keeps the first.
    fn headers(&self, table: Option<&FieldTable>) -> u64 {
        let mut seen = BTreeSet::from([&b"BCC"[..]]);
        let mut sum = 0_u64;
        for (name, value) in table.into_iter().flat_map(FieldTable::iter) {
            if seen.insert(name.as_bytes()) {
                // A sum does not depend on the order.
                sum = sum.wrapping_add(self.0.hash_one((name.as_bytes(), self.value(value))));
            }
        }
        sum
    }

    fn value(&self, value: &FieldValue) -> u64 {
        if let Some(number) = value.as_i64() {
            return self.0.hash_one((0_u8, number));
        }
        if let Some(number) = value.as_f64() {
            // Adding 0.0 makes the two zeros equal.
            return self.0.hash_one((1_u8, (number + 0.0).to_bits()));
        }
        match value {
            FieldValue::Bool(value) => self.0.hash_one((2_u8, value)),
            FieldValue::Decimal(value) => self.0.hash_one((3_u8, shortest(*value))),
            FieldValue::LongString(value) => self.0.hash_one((4_u8, value.as_bytes())),
            FieldValue::ByteArray(value) => self.0.hash_one((5_u8, value)),
            FieldValue::Timestamp(value) => self.0.hash_one((6_u8, value)),
            FieldValue::Table(table) => self.0.hash_one((7_u8, self.headers(Some(table)))),
            FieldValue::Array(values) => {
                let values: Vec<u64> = values.iter().map(|value| self.value(value)).collect();
                self.0.hash_one((8_u8, values))
            }
            _ => self.0.hash_one(9_u8),
        }
    }
}

/// The same number with the fewest digits after the point.
fn shortest(mut decimal: Decimal) -> Decimal {
    while decimal.scale > 0 && decimal.value % 10 == 0 {
        decimal = Decimal::new(decimal.scale - 1, decimal.value / 10);
    }
    decimal
}
