//! Scripted peers: what stands at the other end of a connection in the tests.
//!
//! | module | what is in it |
//! |---|---|
//! | [`frames`] | frames by hand: built, right and wrong, and read; all that tests without I/O need |
//! | [`transport`] | what a script runs over: tokio's streams, or a stream that blocks its thread |
//! | [`Peer`] | one end of a connection, of which every octet is the script's |
//! | [`broker`] | a [`Peer`] that shakes hands as a broker does, and one that obliges |
//! | [`client`] | a [`Peer`] that speaks to a broker as a client, for what a client cannot or will not send |
//! | [`relay`] | a TCP relay that cuts, resets, swallows, stalls, trickles and delays |
//! | [`attention`] | futures that are polled a little, and then no more |
//! | [`endings`] | what a test leaves behind, looked at when its thread ends |
//!
//! # Which `leveret` this is
//!
//! The tests have the crate up to three times: as integration tests link it, as it is compiled with
//! its unit tests, and as `tests/regenerated` makes it. Their types are not the same. This package
//! depends on the first, whose methods scripts are written in, and gives no test a client: each
//! opens its own, over a stream of which this package holds the other end. So unit tests and
//! regenerated bindings use a [`Peer`] as well, with the methods of this copy, which it re-exports
//! as [`protocol`], or with octets.
//!
//! Of `leveret` it uses the structs of methods and properties, and their arguments' codec, which
//! `tests/golden` holds to bytes that others wrote. Frames, their sizes, their order and the
//! handshake are done here once more, by hand: an error of the client's is not repeated by its
//! peer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "what a script does not expect has to fail the test"
)]

pub mod attention;
pub mod broker;
pub mod client;
pub mod endings;
pub mod frames;
mod peer;
pub mod relay;
pub mod transport;

pub use broker::{Heard, oblige, start, tune};
pub use frames::{FRAME_MAX, Received};
pub use leveret::protocol;
pub use peer::{Content, Peer, Published};
