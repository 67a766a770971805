//! Consuming: consumers, their waiting deliveries, and how deliveries are settled (acknowledged,
//! rejected or returned).

mod consumers;
mod consuming;
mod prefetch;
mod ready;
mod settling;
mod table;
mod tags;

pub use consumers::{Comeback, ConsumerEnd, Delivery};
pub use consuming::Taken;
pub use settling::Settle;

pub(super) use consumers::{Consumer, ConsumerLife, Departed, Listener, Overflow, Restart, Stream, Terms};
pub(super) use prefetch::Prefetch;
pub(super) use settling::Unsettled;
pub(super) use table::Consumers;
pub(super) use tags::DeliveryTags;
