//! Convenience methods of the properties of messages.

use super::DeliveryMode;
use super::basic::Properties;
use crate::wire::{FieldTable, FieldValue, ShortString};

impl Properties {
    /// Sets whether the message survives a restart of the broker in a durable queue, by
    /// [`delivery_mode`](Self#structfield.delivery_mode).
    ///
    /// ```
    /// use leveret::{DeliveryMode, Properties};
    ///
    /// let properties = Properties::default().persistent(true);
    /// assert_eq!(properties.delivery_mode, Some(DeliveryMode::PERSISTENT));
    /// assert!(properties.is_persistent() && !Properties::default().is_persistent());
    /// ```
    #[must_use]
    pub fn persistent(self, persistent: bool) -> Self {
        self.delivery_mode(if persistent { DeliveryMode::PERSISTENT } else { DeliveryMode::TRANSIENT })
    }

    /// Returns `true` if the message survives a restart of the broker in a durable queue. Without a
    /// delivery mode it does not.
    pub fn is_persistent(&self) -> bool {
        self.delivery_mode == Some(DeliveryMode::PERSISTENT)
    }

    /// Sets a header in [`headers`](Self#structfield.headers). It replaces one with the same name.
    ///
    /// ```
    /// use leveret::{FieldValue, Properties};
    ///
    /// let properties = Properties::default().header("retries", 3).header("origin", "shop");
    /// assert_eq!(properties.header_value("retries"), Some(&FieldValue::I32(3)));
    /// assert_eq!(properties.header_value("origin").and_then(FieldValue::as_str), Some("shop"));
    /// assert_eq!(properties.header_value("missing"), None);
    /// ```
    #[must_use]
    pub fn header(mut self, name: impl Into<ShortString>, value: impl Into<FieldValue>) -> Self {
        self.headers.get_or_insert_with(FieldTable::new).insert(name, value);
        self
    }

    /// Returns the value of a header, or `None` if the message does not have it.
    pub fn header_value(&self, name: impl AsRef<[u8]>) -> Option<&FieldValue> {
        self.headers.as_ref()?.get(name)
    }
}
