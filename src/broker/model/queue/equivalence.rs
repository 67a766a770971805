//! Whether a queue matches a later declaration, and whether a connection may use it.

use crate::broker::keys::ConnectionId;
use crate::broker::words::Refusal;
use crate::protocol::{ReplyCode, queue};
use crate::wire::FieldValue;

use super::{Queue, erlang};

/// The arguments that have to be equal, in RabbitMQ's order. Others are not compared.
const COMPARED: [&str; 13] = [
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-queue-mode",
    "x-queue-version",
    "x-single-active-consumer",
    "x-queue-type",
    "x-queue-master-locator",
];

impl Queue {
    /// Checks that a connection may use the queue.
    ///
    /// # Errors
    ///
    /// Refuses with 405 if the queue is exclusive to another connection.
    pub(in crate::broker) fn check_access(&self, connection: ConnectionId) -> Result<(), Refusal> {
        match self.owner {
            Some(owner) if owner != connection => Err(self.locked()),
            _ => Ok(()),
        }
    }

    /// Checks that the queue matches a later declaration.
    ///
    /// # Errors
    ///
    /// Refuses with 405 if exactly one of the queue and the declaration is exclusive, and otherwise
    /// with 406 for the first difference.
    pub(in crate::broker) fn check_equivalent(&self, declare: &queue::Declare) -> Result<(), Refusal> {
        if self.owner.is_some() != declare.exclusive {
            return Err(self.locked());
        }
        self.check_flag("durable", self.durable, Self::is_durable(declare))?;
        self.check_flag("auto_delete", self.auto_delete, declare.auto_delete)?;
        COMPARED.iter().try_for_each(|name| {
            let (current, received) = (self.arguments.get(name), declare.arguments.get(name));
            self.check_argument(name, current, received)
        })
    }

    fn check_flag(&self, name: &str, current: bool, received: bool) -> Result<(), Refusal> {
        if current == received {
            return Ok(());
        }
        Err(self.inequivalent(name, &format!("'{received}'"), &format!("'{current}'")))
    }

    fn check_argument(
        &self,
        name: &str,
        current: Option<&FieldValue>,
        received: Option<&FieldValue>,
    ) -> Result<(), Refusal> {
        let (received, current) = match (received, current) {
            (None, None) => return Ok(()),
            (Some(received), Some(current)) if erlang::is_same(received, current) => return Ok(()),
            (Some(received), Some(current)) => (quoted(received), quoted(current)),
            // A missing type stands for `classic`.
            (Some(only), None) | (None, Some(only)) if name == "x-queue-type" && only.as_str() == Some("classic") => {
                return Ok(());
            }
            (received, current) => (described(received), described(current)),
        };
        Err(self.inequivalent(name, &received, &current))
    }

    fn inequivalent(&self, name: &str, received: &str, current: &str) -> Refusal {
        let queue = self.described();
        Refusal::precondition(format!(
            "inequivalent arg '{name}' for {queue}: received {received} but current is {current}"
        ))
    }

    fn locked(&self) -> Refusal {
        let text = format!(
            "cannot obtain exclusive access to locked {}. It could be originally declared on another connection or the \
             exclusive property value does not match that of the original declaration.",
            self.described()
        );
        Refusal::channel(ReplyCode::RESOURCE_LOCKED, text)
    }
}

/// A value if both declarations have one.
fn quoted(value: &FieldValue) -> String {
    if value.is_void() { String::from("none") } else { format!("'{}'", erlang::display(value)) }
}

/// A value if only one declaration has one.
fn described(value: Option<&FieldValue>) -> String {
    value.map_or_else(
        || String::from("none"),
        |value| format!("the value '{}' of type '{}'", erlang::display(value), erlang::type_name(value)),
    )
}
