//! Whether an exchange is declared again with the same attributes.

use std::fmt;

use super::{ALTERNATE_EXCHANGE, Exchange, ExchangeKind, title};
use crate::broker::words::{Refusal, term, type_name};
use crate::protocol::exchange;
use crate::wire::{FieldValue, ShortString};

impl Exchange {
    /// Refuses with 406 the first attribute that differs, in RabbitMQ's order. Of the arguments,
    /// only the alternate exchange counts.
    pub(in crate::broker) fn check_equivalent(
        &self,
        declare: &exchange::Declare,
        vhost: &ShortString,
    ) -> Result<(), Refusal> {
        let title = title(&self.name, vhost);
        check(&title, "type", &ExchangeKind::parse(&declare.kind)?, &self.kind)?;
        check(&title, "durable", &declare.durable, &self.durable)?;
        check(&title, "auto_delete", &declare.auto_delete, &self.auto_delete)?;
        check(&title, "internal", &declare.internal, &self.internal)?;
        check_alternate(&title, declare.arguments.get(ALTERNATE_EXCHANGE), self.arguments.get(ALTERNATE_EXCHANGE))
    }
}

/// Compares the names of alternate exchanges. A long string and a byte array with the same bytes
/// are the same name.
fn check_alternate(title: &str, received: Option<&FieldValue>, current: Option<&FieldValue>) -> Result<(), Refusal> {
    let (received, current) = match (received, current) {
        (None, None) => return Ok(()),
        (Some(received), Some(current)) if received.as_bytes() == current.as_bytes() => return Ok(()),
        (Some(received), Some(current)) => (format!("'{}'", plain(received)), format!("'{}'", plain(current))),
        (received, current) => (typed(received), typed(current)),
    };
    Err(inequivalent(title, ALTERNATE_EXCHANGE, &received, &current))
}

fn check<T: PartialEq + fmt::Display>(title: &str, name: &str, received: &T, current: &T) -> Result<(), Refusal> {
    if received == current {
        return Ok(());
    }
    Err(inequivalent(title, name, &format!("'{received}'"), &format!("'{current}'")))
}

fn inequivalent(title: &str, name: &str, received: &str, current: &str) -> Refusal {
    Refusal::precondition(format!(
        "inequivalent arg '{name}' for {title}: received {received} but current is {current}"
    ))
}

/// A value that only one of the declarations has.
fn typed(value: Option<&FieldValue>) -> String {
    value.map_or_else(
        || "none".to_owned(),
        |value| format!("the value '{}' of type '{}'", plain(value), type_name(value)),
    )
}

/// A string as it is, any other value as a term.
fn plain(value: &FieldValue) -> String {
    match value.as_bytes() {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => term(value),
    }
}
