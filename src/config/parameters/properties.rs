//! What the client tells the broker of itself.

use crate::config::ConnectionParameters;
use crate::wire::{FieldTable, FieldValue, ShortString};

/// What the client can do. A broker tells of cancelled consumers, of a blocked connection and of
/// refused credentials only a client that announces so.
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
    /// The client properties that the broker is told: the defaults, over them the connection's
    /// name, over these the user's [`client_properties`](Self#structfield.client_properties).
    ///
    /// The defaults are `product`, `version`, `platform` and the table `capabilities`. A user's
    /// `capabilities` table is laid over the default one entry by entry, so that leaving out one
    /// that the client relies on takes saying so.
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
        let mut tell = |key: &'static str, value: FieldValue| properties.insert(ShortString::from_static(key), value);
        tell("product", FieldValue::from("leveret"));
        tell("version", FieldValue::from(env!("CARGO_PKG_VERSION")));
        tell("platform", FieldValue::from("Rust"));
        tell(CAPABILITIES_KEY, FieldValue::Table(capabilities()));
        if let Some(name) = &self.connection_name {
            tell("connection_name", FieldValue::from(name.as_str()));
        }
        lay_over(&mut properties, &self.client_properties);
        properties
    }
}

fn capabilities() -> FieldTable {
    let announced = |name| (ShortString::from_static(name), FieldValue::Bool(true));
    CAPABILITIES.into_iter().map(announced).collect()
}

/// Puts the user's properties over the defaults.
fn lay_over(properties: &mut FieldTable, theirs: &FieldTable) {
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
