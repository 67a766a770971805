//! Output: what waits for a commit, and the limit on what waits for the socket.

mod holding;
mod passing;

pub(super) use holding::{DEFERRED, HELD, Held, Holding};
pub(super) use passing::Passing;
