//! Every public name of Pika, and what it is here. To look for one, search this page for it.
//!
//! Each table is about the classes or the module that the sentence above it names. A method stands
//! with all its parameters, those of Pika 0.12 and of 1.3.
//!
//! Where the other side of a table gives a method of [`Channel`] or of another handle without
//! saying of which API, all three have it.
#![doc = include_str!("adapters.md")]
#![doc = include_str!("parameters.md")]
#![doc = include_str!("connections.md")]
#![doc = include_str!("channels.md")]
#![doc = include_str!("messages.md")]
#![doc = include_str!("errors.md")]
#![doc = include_str!("inside.md")]

#[allow(unused_imports, reason = "the page links to them")]
use crate::{
    Acker, Attempt, Channel, ChannelState, Confirm, Connection, ConnectionEvent, ConnectionParameters, ConnectionState,
    Consumer, Credentials, Delivery, DeliveryMode, Error, ErrorKind, ExchangeKind, FieldTable, FieldValue, Phase,
    Properties, Publisher, ReplyCode, Returned, Returns, asynchronous, blocking, callback, config, protocol, readiness,
    wire,
};
