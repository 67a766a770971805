//! Channels that the broker has closed alone: opens them again, unless the same close has ended
//! them too often.

use std::collections::BTreeMap;
use std::time::Duration;

use super::replay::Void;
use super::waiting::Watch;
use crate::config::RecoverySettings;
use crate::driver::runtime::Runtime;
use crate::engine::{ChannelKey, ChannelState, Failure, Scope};
use crate::link::Wait;
use crate::recovery::{Breaker, Killer};

/// The closes of each channel that was closed alone.
#[derive(Debug)]
pub(super) struct Closes {
    stable_after: Duration,
    breakers: BTreeMap<ChannelKey, Breaker>,
}

impl Closes {
    pub(super) fn new(terms: &RecoverySettings) -> Self {
        Self { stable_after: terms.stable_after, breakers: BTreeMap::new() }
    }

    /// Opens the channels again that were lost. A channel that the broker refuses is closed.
    pub(super) async fn reopen_channels<R: Runtime>(&mut self, watch: &Watch<R>) -> Result<(), Void> {
        self.decide(watch);
        let shared = watch.shared();
        let suspended = shared.with(|state| state.engine.suspended_channels());
        let reopen = |key| (key, Wait::begin(shared, |state, id, now| state.engine.reopen_channel(key, id, now)));
        let waits: Vec<_> = suspended.into_iter().map(reopen).collect();
        for (key, wait) in waits {
            match watch.answer(wait).await {
                Ok(_) => self.handle_reopened(watch, key),
                Err(Failure::Recovering { .. }) => {}
                Err(Failure::Closed { closure, .. })
                    if matches!(closure.scope, Scope::Channel(_)) || closure.is_requested() => {}
                Err(failure) => return Err(Void(failure.to_string())),
            }
        }
        let now = shared.now();
        shared.with(|state| state.engine.release_stranded(now));
        Ok(())
    }

    /// Ends the channels that were closed too often.
    fn decide<R: Runtime>(&mut self, watch: &Watch<R>) {
        let shared = watch.shared();
        let now = shared.now();
        shared.with(|state| {
            self.breakers.retain(|key, _| state.engine.channel_state(*key) != ChannelState::Closed);
            for (key, closure) in state.engine.take_channel_closes() {
                let stable_after = self.stable_after;
                let breaker = self.breakers.entry(key).or_insert_with(|| Breaker::new(stable_after));
                if breaker.handle_lost(Killer::of(&closure), now).is_some() {
                    state.engine.end_suspended(key, &closure, now);
                }
            }
        });
    }

    fn handle_reopened<R: Runtime>(&mut self, watch: &Watch<R>, key: ChannelKey) {
        let now = watch.shared().now();
        if let Some(breaker) = self.breakers.get_mut(&key) {
            breaker.handle_recovered(now);
        }
        watch.shared().with(|state| state.engine.resume_channel(key, now));
    }
}
