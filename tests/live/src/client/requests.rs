//! The friendly methods of [`Channel`], generated from the specification.

use super::{Call, Channel, SendMethod};

include!(concat!(env!("OUT_DIR"), "/requests.rs"));
