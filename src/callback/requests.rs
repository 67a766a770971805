//! The methods of [`Channel`] for the methods of the protocol, generated from the specification:
//! one for each that a client may call.

use super::Channel;
use super::call::{Call, SendMethod};

include!(concat!(env!("OUT_DIR"), "/callback.rs"));
