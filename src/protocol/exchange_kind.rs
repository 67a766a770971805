//! The kinds of exchanges.

use std::borrow::Cow;
use std::fmt;

use crate::wire::ShortString;

/// The kind of an exchange, which determines how it routes messages (AMQP 0-9-1 §3.1.3): one that
/// every broker has, or any other by its name.
///
/// `exchange_declare` accepts a kind or its name.
///
/// ```no_run
/// # async fn example(channel: leveret::Channel) -> leveret::Result<()> {
/// use leveret::ExchangeKind;
///
/// channel.exchange_declare("logs", ExchangeKind::TOPIC).durable(true).await?;
/// // A kind of a plugin.
/// channel.exchange_declare("later", "x-delayed-message").await?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "ExchangeType")]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeKind(Cow<'static, str>);

impl ExchangeKind {
    /// Routes to the queues that are bound with exactly the routing key.
    pub const DIRECT: Self = Self(Cow::Borrowed("direct"));
    /// Routes to all bound queues, whatever the routing key.
    pub const FANOUT: Self = Self(Cow::Borrowed("fanout"));
    /// Routes by patterns of words, such as `kern.*` or `audit.#`: `*` matches one word, `#` any
    /// number of words.
    pub const TOPIC: Self = Self(Cow::Borrowed("topic"));
    /// Routes by the headers of the message instead of the routing key.
    pub const HEADERS: Self = Self(Cow::Borrowed("headers"));

    /// Returns the name on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExchangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for ExchangeKind {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ExchangeKind {
    fn from(name: &str) -> Self {
        let known = [Self::DIRECT, Self::FANOUT, Self::TOPIC, Self::HEADERS];
        let known = known.into_iter().find(|kind| kind.as_str() == name);
        known.unwrap_or_else(|| Self(Cow::Owned(name.to_owned())))
    }
}

impl From<String> for ExchangeKind {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

/// The kinds with constants need no allocation.
impl From<ExchangeKind> for ShortString {
    fn from(kind: ExchangeKind) -> Self {
        match kind.0 {
            Cow::Borrowed(name) => Self::from_static(name),
            Cow::Owned(name) => name.into(),
        }
    }
}

impl From<&ExchangeKind> for ShortString {
    fn from(kind: &ExchangeKind) -> Self {
        kind.clone().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_its_name_on_the_wire() {
        assert_eq!(ShortString::from(ExchangeKind::TOPIC), "topic");
        assert_eq!(ShortString::from(&ExchangeKind::from("x-delayed-message")), "x-delayed-message");
        assert_eq!(ExchangeKind::HEADERS.to_string(), "headers");
    }

    #[test]
    fn a_kind_equals_the_one_of_the_same_name() {
        assert_eq!(ExchangeKind::from("direct"), ExchangeKind::DIRECT);
        assert_eq!(ExchangeKind::from(String::from("fanout")), ExchangeKind::FANOUT);
        assert_ne!(ExchangeKind::from("x-modulus-hash"), ExchangeKind::DIRECT);
    }
}
