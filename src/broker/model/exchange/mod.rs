//! An exchange: its attributes, and the reasons to refuse a declaration.

mod equivalence;
mod kind;

use crate::broker::words::{Refusal, type_name};
use crate::protocol::{ReplyCode, exchange};
use crate::wire::{FieldTable, FieldValue, ShortString};

pub(in crate::broker) use kind::ExchangeKind;

/// The argument that names the exchange for messages that are not routed.
const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

/// The prefix of the names of exchanges and queues that the broker itself declares.
pub(in crate::broker) const RESERVED_PREFIX: &[u8] = b"amq.";

/// An exchange of a virtual host.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::broker) struct Exchange {
    name: ShortString,
    kind: ExchangeKind,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    arguments: FieldTable,
}

impl Exchange {
    /// The exchanges of every virtual host, with names and attributes as in RabbitMQ.
    pub(super) fn predeclared() -> impl Iterator<Item = Self> {
        [
            ("", ExchangeKind::Direct, false),
            ("amq.direct", ExchangeKind::Direct, false),
            ("amq.fanout", ExchangeKind::Fanout, false),
            ("amq.headers", ExchangeKind::Headers, false),
            ("amq.match", ExchangeKind::Headers, false),
            ("amq.rabbitmq.trace", ExchangeKind::Topic, true),
            ("amq.topic", ExchangeKind::Topic, false),
        ]
        .into_iter()
        .map(|(name, kind, internal)| Self {
            name: ShortString::from_static(name),
            kind,
            durable: true,
            auto_delete: false,
            internal,
            arguments: FieldTable::new(),
        })
    }

    /// Creates the exchange of a declaration.
    pub(in crate::broker) fn declare(declare: &exchange::Declare, vhost: &ShortString) -> Result<Self, Refusal> {
        let kind = ExchangeKind::parse(&declare.kind)?;
        let name = entity_name(&declare.exchange);
        if is_reserved(&name) {
            let text = format!("exchange name '{name}' contains reserved prefix 'amq.*'");
            return Err(Refusal::channel(ReplyCode::ACCESS_REFUSED, text));
        }
        check_alternate(&declare.arguments, &name, vhost)?;
        Ok(Self {
            name,
            kind,
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            internal: declare.internal,
            arguments: declare.arguments.clone(),
        })
    }

    pub(in crate::broker) const fn name(&self) -> &ShortString {
        &self.name
    }

    pub(in crate::broker) const fn kind(&self) -> ExchangeKind {
        self.kind
    }

    pub(in crate::broker) const fn durable(&self) -> bool {
        self.durable
    }

    /// Whether it is deleted with the last binding of which it is the source.
    pub(in crate::broker) const fn auto_delete(&self) -> bool {
        self.auto_delete
    }

    /// Whether it gets messages only from other exchanges.
    pub(in crate::broker) const fn internal(&self) -> bool {
        self.internal
    }

    pub(in crate::broker) const fn arguments(&self) -> &FieldTable {
        &self.arguments
    }

    /// The exchange for messages that this one does not route. It need not exist.
    pub(in crate::broker) fn alternate(&self) -> Option<ShortString> {
        alternate(&self.arguments)
    }
}

/// Refuses what RabbitMQ refuses in a declaration before it checks permissions: an unknown type,
/// and the default exchange.
pub(in crate::broker) fn check_declare(declare: &exchange::Declare) -> Result<(), Refusal> {
    if !declare.passive {
        ExchangeKind::parse(&declare.kind)?;
    }
    check_not_default(&entity_name(&declare.exchange))
}

/// Refuses what RabbitMQ refuses in a deletion before it checks permissions: the exchanges that the
/// broker declares itself.
pub(in crate::broker) fn check_delete(name: &ShortString, vhost: &ShortString) -> Result<(), Refusal> {
    let name = entity_name(name);
    check_not_default(&name)?;
    if is_reserved(&name) {
        let text = format!("deletion of system {} not allowed", title(&name, vhost));
        return Err(Refusal::channel(ReplyCode::ACCESS_REFUSED, text));
    }
    Ok(())
}

/// Whether a name has the prefix that is reserved for the broker.
fn is_reserved(name: &ShortString) -> bool {
    name.as_bytes().starts_with(RESERVED_PREFIX)
}

/// Refuses the default exchange, which can be neither declared, deleted nor bound.
pub(super) fn check_not_default(name: &ShortString) -> Result<(), Refusal> {
    if name.is_empty() {
        let text = "operation not permitted on the default exchange";
        return Err(Refusal::channel(ReplyCode::ACCESS_REFUSED, text));
    }
    Ok(())
}

/// The alternate exchange that arguments name.
pub(in crate::broker) fn alternate(arguments: &FieldTable) -> Option<ShortString> {
    match arguments.get(ALTERNATE_EXCHANGE) {
        Some(FieldValue::LongString(name)) => Some(ShortString::from(name.as_bytes())),
        _ => None,
    }
}

/// A name as RabbitMQ reads it from a method that declares, deletes or binds: without carriage
/// returns and line feeds.
pub(in crate::broker) fn entity_name(name: &ShortString) -> ShortString {
    if name.as_bytes().iter().any(|octet| matches!(octet, b'\r' | b'\n')) {
        let bytes = name.as_bytes().iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n'));
        return ShortString::from(bytes.collect::<Vec<u8>>());
    }
    name.clone()
}

/// How refusals name an exchange.
pub(super) fn title(name: &ShortString, vhost: &ShortString) -> String {
    format!("exchange '{name}' in vhost '{vhost}'")
}

/// Refuses an alternate exchange that is not named by a string.
fn check_alternate(arguments: &FieldTable, name: &ShortString, vhost: &ShortString) -> Result<(), Refusal> {
    match arguments.get(ALTERNATE_EXCHANGE) {
        None | Some(FieldValue::LongString(_)) => Ok(()),
        Some(other) => Err(Refusal::precondition(format!(
            "invalid type '{}' for arg '{ALTERNATE_EXCHANGE}' in {}",
            type_name(other),
            title(name, vhost)
        ))),
    }
}
