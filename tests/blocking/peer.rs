//! Peers by the names that the table of misbehaviours knows them by.

pub(crate) use leveret_test_support::frames::octets_of_method as method_octets;
pub(crate) use leveret_test_support::{FRAME_MAX, Peer, start, tune};

pub(crate) use super::client::parameters;
