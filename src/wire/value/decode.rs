//! Decoding of field values, tables and arrays.

use super::FieldValue;
use crate::wire::{Decimal, DecodeError, DecodeErrorKind, FieldTable, MAX_NESTING, Reader};

impl Reader<'_> {
    /// Reads a table that is nested in `around` tables and arrays.
    pub(in crate::wire) fn nested_table(&mut self, around: usize) -> Result<FieldTable, DecodeError> {
        let mut fields = self.nested(around)?;
        let mut table = FieldTable::new();
        while fields.remaining() > 0 {
            let key = fields.short_string()?;
            table.push(key, fields.field_value(around + 1)?);
        }
        Ok(table)
    }

    fn nested_array(&mut self, around: usize) -> Result<Vec<FieldValue>, DecodeError> {
        let mut items = self.nested(around)?;
        let mut array = Vec::new();
        while items.remaining() > 0 {
            array.push(items.field_value(around + 1)?);
        }
        Ok(array)
    }

    /// Returns a reader of the fields or items, which cannot read beyond them.
    fn nested(&mut self, around: usize) -> Result<Self, DecodeError> {
        if around >= MAX_NESTING {
            return Err(self.error(DecodeErrorKind::NestedTooDeep));
        }
        self.part()
    }

    fn field_value(&mut self, around: usize) -> Result<FieldValue, DecodeError> {
        let position = self.position();
        Ok(match self.octet()? {
            b't' => FieldValue::Bool(self.octet()? != 0),
            b'b' => FieldValue::I8(i8::from_be_bytes(self.chunk()?)),
            b'B' => FieldValue::U8(self.octet()?),
            b's' => FieldValue::I16(i16::from_be_bytes(self.chunk()?)),
            b'u' => FieldValue::U16(self.short()?),
            b'I' => FieldValue::I32(i32::from_be_bytes(self.chunk()?)),
            b'i' => FieldValue::U32(self.long()?),
            b'l' | b'L' => FieldValue::I64(i64::from_be_bytes(self.chunk()?)),
            b'f' => FieldValue::F32(f32::from_be_bytes(self.chunk()?)),
            b'd' => FieldValue::F64(f64::from_be_bytes(self.chunk()?)),
            b'D' => FieldValue::Decimal(Decimal { scale: self.octet()?, value: i32::from_be_bytes(self.chunk()?) }),
            b'S' => FieldValue::LongString(self.long_string()?),
            b'x' => FieldValue::ByteArray(self.byte_array()?),
            b'A' => FieldValue::Array(self.nested_array(around)?),
            b'T' => FieldValue::Timestamp(self.timestamp()?),
            b'F' => FieldValue::Table(self.nested_table(around)?),
            b'V' => FieldValue::Void,
            code => return Err(DecodeError::at(position, DecodeErrorKind::UnknownTypeCode(code))),
        })
    }
}
