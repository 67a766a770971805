//! The async API on tokio: what most programs use, re-exported at the root of the crate.
//!
//! Handles ([`Connection`], [`Channel`], [`Publisher`]) are cheap to clone and work from any task;
//! the last one that is dropped closes what it stands for. Futures of this module are cancel-safe:
//! dropping one at any point leaves the connection in step, and each says what then becomes of its
//! request.

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
mod passage;
mod publish;
mod publisher;
mod requests;
mod returns;

pub use acker::{Acker, Requeue, SettleFuture};
pub use call::{Call, CallFuture, SendMethod};
pub use channel::Channel;
pub use connection::Connection;
pub use consumer::{Consume, ConsumeFuture, Consumer};
pub use delivery::Delivery;
pub use events::{ChannelEvent, ChannelEvents, Closed, ConnectionEvent, ConnectionEvents};
pub use get::{Get, GetFuture, GetMessage};
pub use publish::{Confirmed, MessageProperties, Plain, Publish, PublishFuture, PublishKind};
pub use publisher::{Confirm, ConfirmedFuture, Publisher};
pub use returns::Returns;
