//! Input from the broker: bytes become frames, frames become methods and content, and content
//! becomes messages; violations of the protocol; and when to read.

mod content;
mod frames;
mod message;
mod methods;
mod pieces;
mod reading;
mod violation;

pub use message::Message;
pub use pieces::LentBody;
pub use violation::Violation;

pub(super) use content::{Assembly, Gathering, Oversize};
#[cfg(test)]
pub(super) use message::Head;
pub(super) use pieces::Partial;
pub(super) use reading::Reading;
