//! Those who waited, and wait no more.

use super::{ChannelKey, Engine, GatePlace, WaiterId};

/// What a waiter waits for, which is where the engine knows it from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitsFor {
    /// The answer to a request, or the confirm of a publish. Its place among the requests stays, so
    /// that answers stay in step: see [`Engine::handle_abandoned`] for what comes of it.
    Answer,
    /// Its turn at the gate ([`Engine::wait_to_publish`]): it gives up the place, and the message
    /// is not published.
    Turn(GatePlace),
    /// All confirms of a channel ([`Engine::wait_for_confirms`]).
    Confirms(ChannelKey),
    /// Room for what waits for the socket ([`Engine::wait_for_room`]).
    Room,
}

impl Engine {
    /// A waiter is gone. One that had heard already is forgotten too, which is harmless.
    pub fn forget(&mut self, waiter: WaiterId, waits_for: WaitsFor) {
        match waits_for {
            WaitsFor::Answer => {}
            WaitsFor::Turn(place) => self.leave_gate(place),
            WaitsFor::Confirms(key) => self.stop_waiting_for_confirms(key, waiter),
            WaitsFor::Room => self.stop_waiting_for_room(waiter),
        }
    }
}
