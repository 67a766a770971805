//! Encoding of field values, tables and arrays.

use super::FieldValue;
use crate::wire::{EncodeError, EncodeErrorKind, FieldTable, MAX_NESTING, Writer};

impl Writer<'_> {
    /// Appends a table that is nested in `around` tables and arrays.
    pub(in crate::wire) fn nested_table(&mut self, table: &FieldTable, around: usize) -> Result<(), EncodeError> {
        check_nesting(around)?;
        self.part(|writer| {
            for (key, value) in table {
                writer.short_string(key)?;
                writer.field_value(value, around + 1).map_err(|error| error.in_field(key))?;
            }
            Ok(())
        })
    }

    fn nested_array(&mut self, array: &[FieldValue], around: usize) -> Result<(), EncodeError> {
        check_nesting(around)?;
        self.part(|writer| {
            for (index, value) in array.iter().enumerate() {
                writer.field_value(value, around + 1).map_err(|error| error.in_item(index))?;
            }
            Ok(())
        })
    }

    fn field_value(&mut self, value: &FieldValue, around: usize) -> Result<(), EncodeError> {
        self.octet(value.type_code());
        match value {
            FieldValue::Bool(value) => self.octet(u8::from(*value)),
            FieldValue::I8(value) => self.octets(&value.to_be_bytes()),
            FieldValue::U8(value) => self.octet(*value),
            FieldValue::I16(value) => self.octets(&value.to_be_bytes()),
            FieldValue::U16(value) => self.short(*value),
            FieldValue::I32(value) => self.octets(&value.to_be_bytes()),
            FieldValue::U32(value) => self.long(*value),
            FieldValue::I64(value) => self.octets(&value.to_be_bytes()),
            FieldValue::F32(value) if value.is_finite() => self.octets(&value.to_be_bytes()),
            FieldValue::F64(value) if value.is_finite() => self.octets(&value.to_be_bytes()),
            FieldValue::F32(_) | FieldValue::F64(_) => return Err(EncodeError::new(EncodeErrorKind::NotFinite)),
            FieldValue::Decimal(value) => {
                self.octet(value.scale);
                self.octets(&value.value.to_be_bytes());
            }
            FieldValue::LongString(value) => self.long_string(value)?,
            FieldValue::ByteArray(value) => self.byte_array(value)?,
            FieldValue::Array(values) => self.nested_array(values, around)?,
            FieldValue::Timestamp(value) => self.timestamp(*value),
            FieldValue::Table(value) => self.nested_table(value, around)?,
            FieldValue::Void => {}
        }
        Ok(())
    }
}

fn check_nesting(around: usize) -> Result<(), EncodeError> {
    if around < MAX_NESTING { Ok(()) } else { Err(EncodeError::new(EncodeErrorKind::NestedTooDeep)) }
}
