//! The methods of [`Channel`] that are generated from the specification: one for each method of the
//! protocol that a client may call.

use super::{Call, Channel, SendMethod};

include!(concat!(env!("OUT_DIR"), "/asynchronous.rs"));
