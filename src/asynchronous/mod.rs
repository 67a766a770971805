//! The async API on tokio, which most programs use. Its main types are re-exported at the root of
//! the crate.
//!
//! Handles ([`Connection`], [`Channel`], [`Publisher`]) are cheap to clone and can be used from any
//! task. Dropping the last handle of a connection or channel closes it.
//!
//! Futures of this module are cancel-safe. Dropping one at any point does not desynchronise the
//! connection, and the documentation of each says what then becomes of its request.

mod acker;
mod call;
mod channel;
mod connection;
mod consumer;
mod delivery;
#[cfg(feature = "readiness")]
mod driven;
mod events;
mod get;
mod hook;
mod passage;
mod publish;
mod publisher;
mod recovery;
mod requests;
mod returns;

#[cfg(feature = "tokio")]
pub use crate::driver::tokio::Connector;
pub use acker::{Acker, Requeue, SettleFuture};
pub use call::{Call, CallFuture, SendMethod};
pub use channel::Channel;
pub use connection::Connection;
#[cfg(feature = "blocking")]
pub(crate) use connection::Threads;
pub use consumer::{Consume, ConsumeFuture, Consumer};
pub use delivery::Delivery;
pub use events::{ChannelEvent, ChannelEvents, Closed, ConnectionEvent, ConnectionEvents};
pub use get::{Get, GetFuture, GetMessage};
pub use hook::Recovering;
pub use publish::{Confirmed, MessageProperties, Plain, Publish, PublishFuture, PublishKind};
pub use publisher::{Confirm, ConfirmedFuture, Publisher};
pub use recovery::Recovered;
pub use returns::Returns;
