//! Tables and lists whose items are known by their places.

mod linked;
mod slab;

pub(super) use linked::LinkedSlab;
pub(crate) use slab::{Place, Slab};
