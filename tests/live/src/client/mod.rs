//! The client that scenarios use: the names and the shape of the async API, on whichever adapter
//! [`Adapter::chosen`] says. Each request reaches the crate by the call that the adapter has for
//! it: awaited, made on a thread that may wait, or made on an event loop with a handler that sends
//! the answer.
//!
//! An adapter that lacks something says so by a panic; the scenario is then in
//! `tests/live/adapters.txt`, with the reason.

mod adapter;
mod call;
mod channel;
mod connection;
mod consume;
mod delivery;
mod event_loop;
mod foreign_loop;
mod get;
mod publish;
mod publisher;
mod requests;
mod streams;
mod threads;

use std::future::Future;
use std::pin::Pin;

pub use adapter::Adapter;
pub use call::{Call, SendMethod};
pub use channel::Channel;
pub use connection::Connection;
pub use consume::{Consume, Consumer};
pub use delivery::Delivery;
pub use get::{Get, GetMessage};
pub use publish::Publish;
pub use publisher::{Confirm, Publisher};
pub use streams::{ChannelEvents, Closed, ConnectionEvents, Returns};

/// What an adapter answers, when it is awaited.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
