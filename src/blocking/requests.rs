//! The friendly methods of [`Channel`], generated from the specification: one per method that a
//! client may call.

use super::{Call, Channel, SendMethod};

include!(concat!(env!("OUT_DIR"), "/asynchronous.rs"));
