//! What is restored: all that is recorded after a loss, or one queue.

use std::time::Duration;

use super::replay::{Restoring, Void};
use crate::driver::runtime::Runtime;
use crate::engine::Entity;
use crate::recovery::{Pace, Replay, Suspects, Topology};
use crate::wire::ShortString;

/// How long another connection may hold a queue if there are no heartbeats by which the broker
/// would find it lost.
const HELD: Duration = Duration::from_secs(180);

impl<R: Runtime> Restoring<'_, R> {
    /// The plan for what is recorded. A consumer that is not recorded ends with the loss.
    pub(super) fn plan(&mut self) -> Option<Replay> {
        let mut recorded = self.watch.shared().with(|state| {
            let topology = state.topology.as_ref()?;
            for (key, _) in state.engine.lost_consumers() {
                if !topology.is_recorded(key)
                    && let Some(cause) = state.engine.recovering().cloned()
                {
                    state.engine.end_stopped(key, cause);
                }
            }
            Some(topology.snapshot())
        })?;
        // Without the lock, because it is the program's.
        let removed = recorded.retain(|entity| self.parameters.keeps_recorded(entity));
        self.watch.shared().with(|state| {
            let cause = state.engine.recovering().cloned();
            removed.into_iter().zip(std::iter::repeat(cause)).for_each(|(consumer, cause)| {
                if let Some(cause) = cause {
                    state.engine.end_stopped(consumer, cause);
                }
            });
        });
        Some(Replay::new(recorded, std::mem::take(&mut self.progress.suspects), &self.pace()))
    }

    fn pace(&self) -> Pace {
        let heartbeat = self.watch.shared().with(|state| state.engine.negotiated().heartbeat);
        let held = if heartbeat == 0 { HELD } else { Duration::from_secs(3 * u64::from(heartbeat)) };
        Pace { base: self.terms.delay, max: self.terms.max_delay, held, seed: fastrand::u64(..) }
    }

    /// Declares a queue again that is missing, with its bindings. The consumer that it is for is
    /// started when the queue is seen.
    pub(super) async fn restore_queue(&mut self, queue: &ShortString) -> Result<(), Void> {
        let snapshot = self.watch.shared().with(|state| state.topology.as_ref().map(Topology::snapshot));
        let Some(mut recorded) = snapshot else { return Ok(()) };
        recorded.retain(|recorded| match recorded.entity() {
            Entity::Queue(name) => name == *queue,
            Entity::Binding { destination, to_exchange, .. } => !to_exchange && destination == *queue,
            _ => false,
        });
        self.progress.replay = Some(Replay::new(recorded, Suspects::default(), &self.pace()));
        self.perform().await?;
        self.progress.replay = None;
        self.release_private();
        Ok(())
    }
}
