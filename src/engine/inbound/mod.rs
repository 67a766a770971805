//! What the broker sends: bytes to frames, frames to methods and content, content to messages; and
//! what breaks the protocol.

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
