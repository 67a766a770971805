//! Alarms of a reactor.
//!
//! A driver gives a broker up when an alarm has fired and nothing was read after it. Whether there
//! is something to read is not left to what the loop has reported by then: it may have been
//! blocked, report late, or report one source at a time. So an alarm that fires has all streams
//! tried again, and what lies in a socket is read before anybody is judged.

use std::task::{Context, Poll};
use std::time::Instant;

use super::core::Core;
use crate::driver::runtime::Alarm;

/// Fires in the first turn that begins when it is due, or later.
pub(crate) struct ReactorAlarm {
    core: Core,
    name: usize,
    /// When it fires; none once it has.
    at: Option<Instant>,
}

impl ReactorAlarm {
    pub(super) fn new(core: &Core) -> Self {
        let name = core.state().name();
        Self { core: core.clone(), name, at: None }
    }

    /// Not among those that fire any more.
    fn unset(&self, at: Instant) {
        self.core.state().alarms.remove(&(at, self.name));
    }
}

impl Alarm for ReactorAlarm {
    fn set(&mut self, at: Instant) {
        if let Some(before) = self.at.replace(at) {
            self.unset(before);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Ready(()) };
        let mut state = self.core.state();
        if state.turned_at.is_some_and(|turned_at| at <= turned_at) {
            state.alarms.remove(&(at, self.name));
            state.reports.all_again();
            self.at = None;
            return Poll::Ready(());
        }
        state.alarms.insert((at, self.name), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for ReactorAlarm {
    fn drop(&mut self) {
        if let Some(at) = self.at {
            self.unset(at);
        }
    }
}
