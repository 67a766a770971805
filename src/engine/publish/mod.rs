//! Publishing: the gate, confirms, and returned messages.

mod confirms;
mod detector;
mod gate;
mod keeping;
mod likeness;
mod publishing;
mod recognition;
mod returns;

pub use gate::GatePlace;
pub use publishing::Admission;

pub(super) use confirms::{Confirms, Entry, Verdict};
pub(super) use detector::Detector;
pub(super) use gate::{Gate, Waiting};
pub(super) use keeping::{Keeping, Kept};
pub(super) use returns::Returns;
