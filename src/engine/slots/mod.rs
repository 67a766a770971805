//! Tables and lists whose items are identified by their places.

mod linked;
mod slab;

pub(super) use linked::LinkedSlab;
pub(crate) use slab::{Place, Slab};
