//! Publishing: the gate, confirms, and returned messages.

mod confirms;
mod detector;
mod gate;
mod likeness;
mod publishing;
mod recognition;
mod returns;

pub use gate::GatePlace;
pub use publishing::Admission;

pub(super) use confirms::{Confirms, Verdict};
pub(super) use detector::Detector;
pub(super) use gate::Gate;
pub(super) use returns::Returns;
