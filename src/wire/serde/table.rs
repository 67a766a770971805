//! Serialisation of field tables: as maps in the order of their fields.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::wire::{FieldTable, FieldValue, ShortString};

impl Serialize for FieldTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for FieldTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TableVisitor)
    }
}

struct TableVisitor;

impl<'de> Visitor<'de> for TableVisitor {
    type Value = FieldTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of field values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<FieldTable, A::Error> {
        let mut table = FieldTable::new();
        while let Some((key, value)) = fields.next_entry::<ShortString, FieldValue>()? {
            table.push(key, value);
        }
        Ok(table)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn order_and_repeated_names_are_kept() {
        let json = r#"{"z":1,"a":"x","z":null}"#;
        let table: FieldTable = serde_json::from_str(json).unwrap();
        assert_eq!(format!("{table:?}"), r#"{"z": I64(1), "a": LongString("x"), "z": Void}"#);
        assert_eq!(serde_json::to_string(&table).unwrap(), json);
    }

    #[test]
    fn a_name_that_is_no_text_is_refused_where_names_are_text() {
        let table = FieldTable::from([(ShortString::from(b"\xff"), true)]);
        assert!(serde_json::to_string(&table).is_err());
    }

    #[test]
    fn a_name_over_255_octets_is_refused() {
        let json = format!(r#"{{"{}": 1}}"#, "x".repeat(256));
        assert!(serde_json::from_str::<FieldTable>(&json).is_err());
    }

    #[test]
    fn a_table_is_a_map_and_nothing_else() {
        assert_eq!(serde_json::from_str::<FieldTable>("{}").unwrap(), FieldTable::new());
        assert!(serde_json::from_str::<FieldTable>("[]").is_err());
    }
}
