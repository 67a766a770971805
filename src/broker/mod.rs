//! An in-memory broker for tests and first steps.
#![allow(dead_code, reason = "being built")]

mod basic_methods;
mod bindings;
mod channel;
mod channel_frames;
mod closing;
mod connection;
mod dead_letter;
mod deadlines;
mod delivering;
mod event;
mod exchange;
mod exchange_methods;
mod faults;
mod handshake;
mod inbound;
mod inspection;
mod keys;
mod link;
mod message;
mod octets_text;
mod operating;
mod perform;
mod permissions;
mod publishing;
mod queue;
mod queue_methods;
mod random;
mod refusal;
mod replies;
mod routing;
mod server;
mod settings;
mod state;
mod virtual_host;

pub use event::{Event, Transport};
pub use faults::{Fault, Target};
pub use inspection::{
    BindingDestination, BindingInfo, ConnectionInfo, ConsumerInfo, ExchangeInfo, MessageInfo, QueueInfo,
};
pub use keys::ConnectionId;
pub use permissions::{Access, Permissions, PermissionsError};
pub use server::{Broker, Listener, StateGuard, Stream};
pub use settings::{Settings, User};
pub use state::State;
