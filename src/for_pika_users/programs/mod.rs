//! The programs of Pika's introduction and examples, each beside its translation.
//!
//! Pika's side is in the form of 0.12, shortened to what it shows. Of ours, each is compiled by the
//! tests of this crate, and all that need no certificates are run, on the embedded broker.
#![doc = include_str!("callbacks.md")]
#![doc = include_str!("blocking.md")]
#![doc = include_str!("publishing.md")]
#![doc = include_str!("connecting.md")]
#![doc = include_str!("threads.md")]

#[allow(unused_imports, reason = "the page links to them")]
use crate::{Connection, ConnectionParameters, Consumer, Error, ErrorKind, blocking, callback, config, readiness};
