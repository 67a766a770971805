//! Packing of bits into octets.

use crate::model::{Field, Slot, WireType};

/// The layout of fields on the wire: adjacent bits share an octet, at most eight, the first in the
/// lowest bit.
pub(super) fn slots(fields: &[Field]) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (position, field) in fields.iter().enumerate() {
        match slots.last_mut() {
            Some(Slot::Bits(bits)) if field.wire == WireType::Bit && bits.len() < 8 => {
                bits.push(position);
            }
            _ if field.wire == WireType::Bit => slots.push(Slot::Bits(vec![position])),
            _ => slots.push(Slot::Value(position)),
        }
    }
    slots
}
