//! Field tables: arguments, headers and the properties of a peer.

use std::fmt;

use super::{FieldValue, ShortString};

/// A table of names and values, in the order of the wire (AMQP 0-9-1 §4.2.5.5).
///
/// A repeated name is kept as often as it occurs, and look-up returns the first, as in RabbitMQ 4.
/// Two tables are equal if names, values and order are equal.
///
/// ```
/// use std::time::Duration;
/// use leveret::wire::FieldTable;
///
/// let mut arguments = FieldTable::new();
/// arguments.insert("x-message-ttl", Duration::from_secs(60));
/// arguments.insert("x-dead-letter-exchange", "");
/// assert_eq!(format!("{arguments:?}"), r#"{"x-message-ttl": I64(60000), "x-dead-letter-exchange": LongString("")}"#);
///
/// let headers = FieldTable::from([("retries", 3), ("priority", 1)]);
/// assert_eq!(headers.get("retries").and_then(|value| value.as_i64()), Some(3));
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct FieldTable {
    fields: Vec<(ShortString, FieldValue)>,
}

impl FieldTable {
    /// Makes an empty table.
    pub const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    /// Makes an empty table with room for `capacity` fields.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { fields: Vec::with_capacity(capacity) }
    }

    /// Sets the value of the first field with this name and returns the value before, or appends a
    /// field if there is none.
    pub fn insert(&mut self, key: impl Into<ShortString>, value: impl Into<FieldValue>) -> Option<FieldValue> {
        let (key, value) = (key.into(), value.into());
        match self.get_mut(&key) {
            Some(place) => Some(std::mem::replace(place, value)),
            None => {
                self.fields.push((key, value));
                None
            }
        }
    }

    /// Appends a field, whether or not there is one with this name.
    pub fn push(&mut self, key: impl Into<ShortString>, value: impl Into<FieldValue>) {
        self.fields.push((key.into(), value.into()));
    }

    /// Returns the value of the first field with this name.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&FieldValue> {
        let key = key.as_ref();
        self.fields.iter().find(|(name, _)| name.as_bytes() == key).map(|(_, value)| value)
    }

    /// Returns a mutable reference to the value of the first field with this name.
    pub fn get_mut(&mut self, key: impl AsRef<[u8]>) -> Option<&mut FieldValue> {
        let key = key.as_ref();
        self.fields.iter_mut().find(|(name, _)| name.as_bytes() == key).map(|(_, value)| value)
    }

    /// Removes all fields with this name and returns the value of the first.
    pub fn remove(&mut self, key: impl AsRef<[u8]>) -> Option<FieldValue> {
        let key = key.as_ref();
        let mut first = None;
        for (_, value) in self.fields.extract_if(.., |(name, _)| name.as_bytes() == key) {
            first.get_or_insert(value);
        }
        first
    }

    /// Returns `true` if there is a field with this name.
    pub fn contains_key(&self, key: impl AsRef<[u8]>) -> bool {
        self.get(key).is_some()
    }

    /// Returns an iterator over names and values, in order.
    pub fn iter(&self) -> Fields<'_> {
        Fields(self.fields.iter())
    }

    /// Returns an iterator over the names, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &ShortString> + ExactSizeIterator {
        self.iter().map(|(key, _)| key)
    }

    /// Returns an iterator over the values, in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &FieldValue> + ExactSizeIterator {
        self.iter().map(|(_, value)| value)
    }

    /// Returns the number of fields.
    pub const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Returns `true` if there are no fields.
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl fmt::Debug for FieldTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// Repeated names are kept.
impl<K: Into<ShortString>, V: Into<FieldValue>> Extend<(K, V)> for FieldTable {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, fields: I) {
        self.fields.extend(fields.into_iter().map(|(key, value)| (key.into(), value.into())));
    }
}

/// Repeated names are kept.
impl<K: Into<ShortString>, V: Into<FieldValue>> FromIterator<(K, V)> for FieldTable {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(fields: I) -> Self {
        let mut table = Self::new();
        table.extend(fields);
        table
    }
}

/// Repeated names are kept.
impl<K: Into<ShortString>, V: Into<FieldValue>, const N: usize> From<[(K, V); N]> for FieldTable {
    fn from(fields: [(K, V); N]) -> Self {
        fields.into_iter().collect()
    }
}

impl IntoIterator for FieldTable {
    type Item = (ShortString, FieldValue);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.into_iter()
    }
}

impl<'a> IntoIterator for &'a FieldTable {
    type Item = (&'a ShortString, &'a FieldValue);
    type IntoIter = Fields<'a>;

    fn into_iter(self) -> Fields<'a> {
        self.iter()
    }
}

/// An iterator over the fields of a [`FieldTable`], in order.
#[derive(Debug, Clone)]
pub struct Fields<'a>(std::slice::Iter<'a, (ShortString, FieldValue)>);

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a ShortString, &'a FieldValue);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Fields<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(key, value)| (key, value))
    }
}

impl ExactSizeIterator for Fields<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn twice() -> FieldTable {
        FieldTable::from([("a", 1), ("b", 2), ("a", 3)])
    }

    #[test]
    fn a_name_that_comes_twice_is_kept_and_the_first_is_found() {
        assert_eq!(twice().len(), 3);
        assert_eq!(twice().get("a"), Some(&FieldValue::I32(1)));
        assert_eq!(format!("{:?}", twice()), r#"{"a": I32(1), "b": I32(2), "a": I32(3)}"#);
    }

    #[test]
    fn inserting_replaces_the_first_of_a_name_in_its_place() {
        let mut table = twice();
        assert_eq!(table.insert("a", 9), Some(FieldValue::I32(1)));
        assert_eq!(table.insert("c", true), None);
        assert_eq!(format!("{table:?}"), r#"{"a": I32(9), "b": I32(2), "a": I32(3), "c": Bool(true)}"#);
    }

    #[test]
    fn removing_takes_every_field_of_a_name() {
        let mut table = twice();
        assert_eq!(table.remove("a"), Some(FieldValue::I32(1)));
        assert_eq!(table.remove("a"), None);
        assert_eq!(table, FieldTable::from([("b", 2)]));
    }

    #[test]
    fn a_field_is_found_by_any_kind_of_string() {
        let table = twice();
        assert!(table.contains_key("b") && table.contains_key(String::from("b")) && table.contains_key(b"b"));
        assert!(table.contains_key(ShortString::from("b")) && !table.contains_key("B"));
    }

    #[test]
    fn a_value_is_changed_in_its_place() {
        let mut table = twice();
        if let Some(value) = table.get_mut("b") {
            *value = FieldValue::Void;
        }
        assert_eq!(table.get("b"), Some(&FieldValue::Void));
        assert_eq!(table.get_mut("c"), None);
    }

    #[test]
    fn fields_come_in_order_from_either_end() {
        let table = twice();
        assert!(table.keys().eq(["a", "b", "a"]));
        assert!(table.values().rev().eq([&FieldValue::I32(3), &FieldValue::I32(2), &FieldValue::I32(1)]));
        assert_eq!(table.iter().len(), 3);
        assert_eq!(table.clone().into_iter().collect::<FieldTable>(), table);
    }

    #[test]
    fn extending_appends() {
        let mut table = twice();
        table.extend([(String::from("b"), "x")]);
        assert_eq!(table.get("b"), Some(&FieldValue::I32(2)));
        assert_eq!(table.len(), 4);
    }

    #[test]
    fn order_matters_to_equality() {
        assert_ne!(FieldTable::from([("a", 1), ("b", 2)]), FieldTable::from([("b", 2), ("a", 1)]));
        assert!(FieldTable::with_capacity(9).is_empty());
    }
}
