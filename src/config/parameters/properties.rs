//! The properties that the client sends to the broker.

use crate::config::ConnectionParameters;
use crate::wire::{FieldTable, FieldValue, ShortString};

/// The client's capabilities. A broker reports cancelled consumers, a blocked connection and
/// refused credentials only to a client that announces the capability.
const CAPABILITIES: [&str; 9] = [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
];

const CAPABILITIES_KEY: &str = "capabilities";

impl ConnectionParameters {
    /// Returns the client properties that are sent to the broker: the defaults, then the
    /// connection's name, then the user's
    /// [`client_properties`](Self#structfield.client_properties). A later value replaces an earlier
    /// one of the same name.
    ///
    /// The defaults are `product`, `version`, `platform` and the table `capabilities`. A table
    /// `capabilities` of the user is merged into the default one entry by entry: to remove a
    /// default capability, the user has to set it to `false`.
    ///
    /// ```
    /// use leveret::config::ConnectionParameters;
    ///
    /// let properties = ConnectionParameters::default().connection_name("invoices").announced_properties();
    /// assert_eq!(properties.get("product").and_then(|value| value.as_str()), Some("leveret"));
    /// assert_eq!(properties.get("connection_name").and_then(|value| value.as_str()), Some("invoices"));
    /// ```
    pub fn announced_properties(&self) -> FieldTable {
        let mut properties = FieldTable::new();
        let mut set = |key: &'static str, value: FieldValue| properties.insert(ShortString::from_static(key), value);
        set("product", FieldValue::from("leveret"));
        set("version", FieldValue::from(env!("CARGO_PKG_VERSION")));
        set("platform", FieldValue::from("Rust"));
        set(CAPABILITIES_KEY, FieldValue::Table(capabilities()));
        if let Some(name) = &self.connection_name {
            set("connection_name", FieldValue::from(name.as_str()));
        }
        merge(&mut properties, &self.client_properties);
        properties
    }
}

fn capabilities() -> FieldTable {
    let announced = |name| (ShortString::from_static(name), FieldValue::Bool(true));
    CAPABILITIES.into_iter().map(announced).collect()
}

/// Merges the user's properties into the defaults.
fn merge(properties: &mut FieldTable, theirs: &FieldTable) {
    for (key, value) in theirs {
        match (properties.get_mut(CAPABILITIES_KEY), value) {
            (Some(FieldValue::Table(ours)), FieldValue::Table(theirs)) if *key == CAPABILITIES_KEY => {
                for (name, value) in theirs {
                    ours.insert(name.clone(), value.clone());
                }
            }
            _ => {
                properties.insert(key.clone(), value.clone());
            }
        }
    }
}
