//! Waiters that are dropped before they complete.

use super::{ChannelKey, Engine, GatePlace, WaiterId};

/// What a waiter waits for, which determines where the engine has recorded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// The answer to a request, or the confirm of a publish. The place of the request stays, so
    /// that later answers are matched correctly. What the answer brings is handed to
    /// [`Engine::handle_abandoned`].
    Answer,
    /// Its turn at the gate ([`Engine::wait_to_publish`]). The place is given up, and the message
    /// is not published.
    Turn(GatePlace),
    /// All confirms of a channel ([`Engine::wait_for_confirms`]).
    Confirms(ChannelKey),
    /// Room below the limit of bytes that wait for the socket ([`Engine::wait_for_room`]).
    Room,
}

impl Engine {
    /// Forgets a waiter that was dropped. Forgetting one that has already completed has no effect.
    pub fn forget(&mut self, waiter: WaiterId, waits_for: WaitsFor) {
        match waits_for {
            WaitsFor::Answer => self.leave_parking(waiter),
            WaitsFor::Turn(place) => self.leave_gate(place),
            WaitsFor::Confirms(key) => self.stop_waiting_for_confirms(key, waiter),
            WaitsFor::Room => self.stop_waiting_for_room(waiter),
        }
    }
}
