//! The connection as a whole: its states and notices, its deadlines and secrets, and its end.

mod closing;
mod closure;
mod deadlines;
mod ending;
mod heartbeat;
mod leftovers;
mod observers;
mod renewal;
mod secrets;
mod state;
mod words;

pub use closure::{Closure, Fate, Initiator, Reason, Scope};
#[doc(hidden)]
pub use leftovers::Leftovers;
pub use observers::Interest;
pub use state::{ChannelNotice, ChannelState, ConnectionNotice, ConnectionState};

pub(crate) use words::Words;

pub(super) use closing::{ConnectionLife, broker_closure};
pub(super) use deadlines::{Awaited, Deadlines};
pub(super) use heartbeat::Heartbeat;
pub(super) use observers::Observers;
pub(super) use renewal::Renewal;
pub use renewal::Wanted;
pub(super) use secrets::SecretUpdates;
