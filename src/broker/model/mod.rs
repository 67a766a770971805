//! The contents of a broker: virtual hosts, exchanges, bindings, queues, messages and permissions,
//! without clients.

mod bindings;
mod dead_letter;
mod exchange;
mod message;
mod permissions;
mod queue;
mod random;
mod routing;
mod virtual_host;

pub use permissions::{Access, Permissions, PermissionsError};

pub(super) use bindings::{Binding, Destination};
pub(super) use dead_letter::{dead_letter, is_cycle};
pub(super) use exchange::{
    Exchange, ExchangeKind, RESERVED_PREFIX, alternate, check_declare, check_delete, entity_name,
};
pub(super) use message::{Entry, Message};
pub(super) use queue::{DropReason, Dropped, Queue, check_expiration};
pub(super) use random::Random;
pub(super) use routing::{routing_keys, strip_bcc};
pub(super) use virtual_host::VirtualHost;
