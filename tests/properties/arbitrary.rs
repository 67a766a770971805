//! Generated values: tables, properties, methods by their published layout, frames.

use std::io::IoSlice;

use bytes::Bytes;
use leveret::frame::Outbound;
use leveret::protocol::MethodId;
use leveret::protocol::basic::Properties;
use leveret::wire::{Decimal, FieldTable, FieldValue, LongString, ShortString, Timestamp, Writer};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::layouts::{Argument, layouts};

/// Text more often than octets that are no text.
fn any_octets(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let text = "[ -~üß\u{1F407}]{0,60}".prop_map(String::into_bytes);
    prop_oneof![3 => text, 1 => vec(any::<u8>(), 0..=most)]
}

fn any_short_string() -> impl Strategy<Value = ShortString> {
    any_octets(255).prop_map(|octets| ShortString::from(Bytes::from(octets)))
}

fn any_scalar() -> impl Strategy<Value = FieldValue> {
    let finite_single = prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO;
    let finite_double = prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO;
    prop_oneof![
        any::<bool>().prop_map(FieldValue::Bool),
        any::<i8>().prop_map(FieldValue::I8),
        any::<u8>().prop_map(FieldValue::U8),
        any::<i16>().prop_map(FieldValue::I16),
        any::<u16>().prop_map(FieldValue::U16),
        any::<i32>().prop_map(FieldValue::I32),
        any::<u32>().prop_map(FieldValue::U32),
        any::<i64>().prop_map(FieldValue::I64),
        finite_single.prop_map(FieldValue::F32),
        finite_double.prop_map(FieldValue::F64),
        any::<(u8, i32)>().prop_map(|(scale, value)| FieldValue::Decimal(Decimal { scale, value })),
        any_octets(300).prop_map(|octets| FieldValue::LongString(LongString::from(Bytes::from(octets)))),
        vec(any::<u8>(), 0..300).prop_map(|octets| FieldValue::ByteArray(Bytes::from(octets))),
        any::<u64>().prop_map(|seconds| FieldValue::Timestamp(Timestamp::from_secs(seconds))),
        Just(FieldValue::Void),
    ]
}

fn any_value() -> impl Strategy<Value = FieldValue> {
    any_scalar().prop_recursive(6, 48, 6, |inner| {
        prop_oneof![vec(inner.clone(), 0..6).prop_map(FieldValue::Array), table_of(inner).prop_map(FieldValue::Table),]
    })
}

/// Keys may come twice: the wire keeps both.
fn table_of(value: impl Strategy<Value = FieldValue>) -> impl Strategy<Value = FieldTable> {
    vec((any_short_string(), value), 0..6).prop_map(|entries| {
        let mut table = FieldTable::new();
        for (key, value) in entries {
            table.push(key, value);
        }
        table
    })
}

pub(crate) fn any_table() -> impl Strategy<Value = FieldTable> {
    table_of(any_value())
}

pub(crate) fn any_properties() -> impl Strategy<Value = Properties> {
    let strings = vec(option::of(any_short_string()), 10);
    let numbers = (option::of(any::<u8>()), option::of(any::<u8>()), option::of(any::<u64>()));
    (strings, option::of(any_table()), numbers).prop_map(|(strings, headers, (delivery_mode, priority, seconds))| {
        let mut strings = strings.into_iter();
        let mut next = || strings.next().flatten();
        let mut properties = Properties::default();
        properties.content_type = next();
        properties.content_encoding = next();
        properties.headers = headers;
        properties.delivery_mode = delivery_mode.map(Into::into);
        properties.priority = priority;
        properties.correlation_id = next();
        properties.reply_to = next();
        properties.expiration = next().map(Into::into);
        properties.message_id = next();
        properties.timestamp = seconds.map(Timestamp::from_secs);
        properties.kind = next();
        properties.user_id = next();
        properties.app_id = next();
        properties
    })
}

/// The arguments of any method as the published specification lays them out; reserved ones are
/// zero.
pub(crate) fn any_method() -> impl Strategy<Value = (MethodId, Vec<u8>)> {
    prop::sample::select(layouts()).prop_flat_map(|layout| {
        let arguments: Vec<_> = layout.arguments.iter().map(any_argument).collect();
        (Just(layout), arguments).prop_map(|(layout, values)| {
            let bits: Vec<bool> = layout.arguments.iter().map(|argument| argument.wire == "bit").collect();
            (layout.id, lay_out(&bits, &values))
        })
    })
}

/// One argument's octets; a bit is an octet of 0 or 1 until it is packed.
fn any_argument(argument: &Argument) -> BoxedStrategy<Vec<u8>> {
    let sized = |size| vec(any::<u8>(), size).boxed();
    match (argument.wire.as_str(), argument.reserved) {
        ("bit" | "octet" | "shortstr", true) => Just(vec![0]).boxed(),
        ("short", true) => Just(vec![0; 2]).boxed(),
        ("long" | "longstr" | "table", true) => Just(vec![0; 4]).boxed(),
        ("bit", false) => any::<bool>().prop_map(|bit| vec![u8::from(bit)]).boxed(),
        ("octet", false) => sized(1),
        ("short", false) => sized(2),
        ("long", false) => sized(4),
        ("longlong" | "timestamp", false) => sized(8),
        ("shortstr", false) => any_octets(255).prop_map(|text| [vec![text.len() as u8], text].concat()).boxed(),
        ("longstr", false) => {
            any_octets(500).prop_map(|text| [(text.len() as u32).to_be_bytes().to_vec(), text].concat()).boxed()
        }
        ("table", false) => any_table().prop_map(|table| table_octets(&table)).boxed(),
        (wire, _) => panic!("{wire} is no type of the specification"),
    }
}

fn table_octets(table: &FieldTable) -> Vec<u8> {
    let mut octets = Vec::new();
    Writer::new(&mut octets).table(table).unwrap();
    octets
}

/// Puts arguments behind each other and packs runs of bits, the first in the lowest bit.
fn lay_out(bits: &[bool], values: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut packed = 0;
    for (bit, value) in bits.iter().zip(values) {
        if !bit {
            octets.extend(value);
            packed = 0;
            continue;
        }
        if packed % 8 == 0 {
            octets.push(0);
        }
        let last = octets.len() - 1;
        octets[last] |= value[0] << (packed % 8);
        packed += 1;
    }
    octets
}

/// One frame, well formed or not.
pub(crate) fn any_piece() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![20 => 1u8..=3, 4 => Just(8), 1 => any::<u8>()];
    let end = prop_oneof![20 => Just(0xCE), 1 => any::<u8>()];
    (kind, any::<u16>(), vec(any::<u8>(), 0..100), end).prop_map(|(kind, channel, payload, end)| {
        let (channel, payload) = if kind == 8 { (0, Vec::new()) } else { (channel, payload) };
        let mut frame = vec![kind];
        frame.extend(channel.to_be_bytes());
        frame.extend((payload.len() as u32).to_be_bytes());
        frame.extend(payload);
        frame.push(end);
        frame
    })
}

/// Bodies on both sides of the size from which they are sent by reference.
pub(crate) fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 4000..9000)]
}

/// What `write` appends to an outbound buffer, as one run.
pub(crate) fn encoded(write: impl FnOnce(&mut Outbound)) -> Vec<u8> {
    let mut outbound = Outbound::new();
    write(&mut outbound);
    let mut octets = Vec::new();
    while !outbound.is_empty() {
        let mut slices = [IoSlice::new(&[]); 64];
        let filled = outbound.slices(&mut slices);
        let taken: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
        outbound.advance(taken.len());
        octets.extend(taken);
    }
    octets
}
