//! The timers of a reactor's connections.
//!
//! A driver gives up a broker when an alarm has fired and nothing was read after it. The reports of
//! the loop do not prove that there is nothing to read: the loop may have been blocked, report
//! late, or report one source at a time. So an alarm that fires makes all streams be tried again,
//! and what has arrived at a socket is read before the driver decides.

use std::task::{Context, Poll};
use std::time::Instant;

use super::core::Core;
use crate::driver::runtime::Alarm;

/// An alarm. It fires in the first turn that begins at or after its time.
pub(crate) struct ReactorAlarm {
    core: Core,
    name: usize,
    /// When it fires; `None` after it has fired.
    at: Option<Instant>,
}

impl ReactorAlarm {
    pub(super) fn new(core: &Core) -> Self {
        let name = core.state().name();
        Self { core: core.clone(), name, at: None }
    }

    /// Removes it from the alarms that are set.
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
            state.reports.retry_all();
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
