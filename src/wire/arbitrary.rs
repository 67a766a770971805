//! Generated values of every type, for tests.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Decimal, FieldTable, FieldValue, LongString, ShortString, Timestamp};

/// The floating-point numbers that the wire can express.
#[derive(Debug, Clone, Copy)]
pub(super) enum Floats {
    /// Every finite one.
    Finite,
    /// Those that read back exactly from decimal notation in any reader.
    #[cfg(feature = "serde")]
    Short,
}

/// Nested tables of all types, with names that may be repeated.
pub(super) fn any_table(
    floats: Floats,
    key: impl Strategy<Value = ShortString> + Clone + 'static,
) -> BoxedStrategy<FieldTable> {
    let value = any_scalar(floats).prop_recursive(6, 48, 6, {
        let key = key.clone();
        move |value| {
            let table = table_of(key.clone(), value.clone()).prop_map(FieldValue::Table);
            prop_oneof![vec(value, 0..6).prop_map(FieldValue::Array), table]
        }
    });
    table_of(key, value).boxed()
}

/// Names of any bytes.
pub(super) fn any_key() -> impl Strategy<Value = ShortString> + Clone {
    any_octets().prop_map(ShortString::from)
}

/// Names that are text.
#[cfg(feature = "serde")]
pub(super) fn text_key() -> impl Strategy<Value = ShortString> + Clone {
    "[ -~üß\u{1F407}]{0,20}".prop_map(ShortString::from)
}

fn table_of(
    key: impl Strategy<Value = ShortString>,
    value: impl Strategy<Value = FieldValue>,
) -> impl Strategy<Value = FieldTable> {
    vec((key, value), 0..6).prop_map(FieldTable::from_iter)
}

/// Mostly text, and sometimes bytes that are not text.
fn any_octets() -> impl Strategy<Value = Bytes> + Clone {
    let text = "[ -~üß\u{1F407}]{0,40}".prop_map(Bytes::from);
    prop_oneof![3 => text, 1 => vec(any::<u8>(), 0..=255).prop_map(Bytes::from)]
}

fn any_scalar(floats: Floats) -> impl Strategy<Value = FieldValue> {
    use prop::num::{f32, f64};
    let (single, double) = match floats {
        Floats::Finite => {
            ((f32::NORMAL | f32::SUBNORMAL | f32::ZERO).boxed(), (f64::NORMAL | f64::SUBNORMAL | f64::ZERO).boxed())
        }
        #[cfg(feature = "serde")]
        Floats::Short => (
            any::<i16>().prop_map(|value| f32::from(value) / 4.0).boxed(),
            any::<i32>().prop_map(|value| f64::from(value) / 4.0).boxed(),
        ),
    };
    prop_oneof![
        any::<bool>().prop_map(FieldValue::Bool),
        any::<i8>().prop_map(FieldValue::I8),
        any::<u8>().prop_map(FieldValue::U8),
        any::<i16>().prop_map(FieldValue::I16),
        any::<u16>().prop_map(FieldValue::U16),
        any::<i32>().prop_map(FieldValue::I32),
        any::<u32>().prop_map(FieldValue::U32),
        any::<i64>().prop_map(FieldValue::I64),
        single.prop_map(FieldValue::F32),
        double.prop_map(FieldValue::F64),
        any::<(u8, i32)>().prop_map(|(scale, value)| FieldValue::Decimal(Decimal { scale, value })),
        any_octets().prop_map(|octets| FieldValue::LongString(LongString::from(octets))),
        any_octets().prop_map(FieldValue::ByteArray),
        any::<u64>().prop_map(|secs| FieldValue::Timestamp(Timestamp::from_secs(secs))),
        Just(FieldValue::Void),
    ]
}
