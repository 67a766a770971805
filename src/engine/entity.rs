//! The description of an exchange, queue, binding or consumer, for events and errors.

use std::fmt;

use crate::wire::{Escaped, ShortString};

/// An exchange, queue, binding or consumer, by what identifies it. `Display` prints it in words,
/// such as `the queue tasks`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Entity {
    /// The exchange of this name.
    Exchange(ShortString),
    /// The queue of this name. If the broker chose the name, it is the present one.
    Queue(ShortString),
    /// A binding.
    #[non_exhaustive]
    Binding {
        /// The exchange from which it receives messages.
        source: ShortString,
        /// The queue or exchange to which it passes them.
        destination: ShortString,
        /// The routing key or pattern.
        routing_key: ShortString,
        /// Whether the destination is an exchange.
        to_exchange: bool,
    },
    /// A consumer.
    #[non_exhaustive]
    Consumer {
        /// Its queue.
        queue: ShortString,
        /// Its tag.
        tag: ShortString,
    },
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(name) => write!(f, "the exchange {}", Escaped(name)),
            Self::Queue(name) => write!(f, "the queue {}", Escaped(name)),
            Self::Binding { source, destination, routing_key, to_exchange } => {
                let kind = if *to_exchange { "exchange" } else { "queue" };
                write!(f, "the binding of the {kind} {} to the exchange {}", Escaped(destination), Escaped(source))?;
                if routing_key.is_empty() {
                    return Ok(());
                }
                write!(f, " by {}", Escaped(routing_key))
            }
            Self::Consumer { queue, tag } => {
                write!(f, "the consumer {} of the queue {}", Escaped(tag), Escaped(queue))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Entity;

    #[test]
    fn an_entity_prints_in_words_and_in_one_line() {
        let binding = |routing_key: &str, to_exchange| Entity::Binding {
            source: "events".into(),
            destination: "tasks".into(),
            routing_key: routing_key.into(),
            to_exchange,
        };
        let shown = [
            Entity::Exchange("events".into()),
            Entity::Queue("two\nlines".into()),
            binding("a.#", false),
            binding("", true),
            Entity::Consumer { queue: "tasks".into(), tag: "ctag".into() },
        ]
        .map(|entity| entity.to_string());
        let expected = [
            "the exchange events",
            r"the queue two\nlines",
            "the binding of the queue tasks to the exchange events by a.#",
            "the binding of the exchange tasks to the exchange events",
            "the consumer ctag of the queue tasks",
        ];
        assert_eq!(shown, expected);
    }
}
