//! The friendly methods of [`Channel`], generated from the specification: one per method that a
//! client may call.

use super::Channel;
use super::call::{Call, SendMethod};

include!(concat!(env!("OUT_DIR"), "/callback.rs"));
