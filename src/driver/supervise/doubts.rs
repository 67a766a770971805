//! Consumers that the broker has ended, by a cancel or with their channel alone: asks whether their
//! queue is gone, and starts them again if it is not.

use std::collections::BTreeMap;
use std::time::Instant;

use super::closes::Closes;
use super::private::Private;
use super::replay::Void;
use super::waiting::Watch;
use crate::config::RecoverySettings;
use crate::driver::runtime::Runtime;
use crate::engine::{ConsumerKey, Failure, Scope, Stopped};
use crate::link::Wait;
use crate::protocol::{Method, ReplyCode, Request, queue};
use crate::wire::ShortString;

/// The consumers of which it is not known yet, with when they are looked at again.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    later: BTreeMap<ConsumerKey, (Instant, u32)>,
}

/// What follows when nothing more can be settled.
pub(super) enum Next {
    /// To look again at this time, if any.
    Until(Option<Instant>),
    /// To declare this queue again, and to look then.
    Missing(ShortString),
}

/// What is known of a queue.
enum Known {
    Gone,
    There,
    /// It is away, and nobody says until when.
    Away,
}

impl Doubts {
    /// Settles what can be settled now. Returns when to look again, or at once if a queue is to be
    /// declared again first.
    pub(super) async fn settle<R: Runtime>(
        &mut self,
        watch: &Watch<R>,
        terms: &RecoverySettings,
        closes: &mut Closes,
    ) -> Result<Next, Void> {
        let shared = watch.shared();
        loop {
            let now = shared.now();
            let doubted = shared.with(|state| state.engine.doubted_consumers());
            self.later.retain(|key, _| doubted.iter().any(|(doubted, _)| doubted == key));
            let due = doubted.into_iter().find(|(key, _)| self.later.get(key).is_none_or(|(at, _)| *at <= now));
            let Some((key, stopped)) = due else {
                return Ok(Next::Until(self.later.values().map(|(at, _)| *at).min()));
            };
            match ask(watch, &stopped).await? {
                Known::Gone if stopped.resumes && is_recorded(watch, &stopped.queue) => {
                    match self.later.contains_key(&key) {
                        true => self.put_off(key, now, terms),
                        false => drop(self.later.insert(key, (now, 0))),
                    }
                    return Ok(Next::Missing(stopped.queue));
                }
                Known::Gone => shared.with(|state| state.engine.end_doubted(key)),
                Known::There => start(watch, key, closes).await?,
                Known::Away => self.put_off(key, now, terms),
            }
        }
    }

    /// Looks at a consumer again later.
    fn put_off(&mut self, key: ConsumerKey, now: Instant, terms: &RecoverySettings) {
        let retries = self.later.get(&key).map_or(0, |(_, retries)| *retries);
        let bound = terms.delay.saturating_mul(1_u32.checked_shl(retries).unwrap_or(u32::MAX));
        let at = now + bound.min(terms.max_delay).mul_f64(fastrand::f64());
        self.later.insert(key, (at, retries.saturating_add(1)));
    }
}

/// Whether a queue was declared on this connection, and comes back.
fn is_recorded<R: Runtime>(watch: &Watch<R>, queue: &ShortString) -> bool {
    watch.shared().with(|state| state.topology.as_ref().is_some_and(|topology| topology.has_queue(queue)))
}

/// Asks whether the queue of a consumer is there.
async fn ask<R: Runtime>(watch: &Watch<R>, stopped: &Stopped) -> Result<Known, Void> {
    // If it cannot be asked, the consume shows whether it is there.
    let Some(private) = Private::open(watch).await? else { return Ok(Known::There) };
    let request = Method::from(queue::Declare::default().queue(stopped.queue.clone()).passive(true));
    let wait = Wait::begin(watch.shared(), |state, id, now| {
        state.engine.call_private(private.key(), &request, queue::Declare::REPLIES, id, now)
    });
    match watch.answer(wait).await {
        Ok(_) => Ok(Known::There),
        Err(Failure::Closed { closure, .. }) if matches!(closure.scope, Scope::Channel(_)) => {
            let is_absent =
                closure.reply_code == Some(ReplyCode::NOT_FOUND) && closure.reply_text.contains("no queue ");
            // Without the permission to ask, the consume shows whether it is there.
            let is_refused = closure.reply_code == Some(ReplyCode::ACCESS_REFUSED);
            Ok(if is_absent {
                Known::Gone
            } else if is_refused {
                Known::There
            } else {
                Known::Away
            })
        }
        Err(failure) => Err(Void(failure.to_string())),
    }
}

/// Starts a consumer again. If the broker refuses it, that closes its channel, which is opened
/// again, and the consumer ends.
async fn start<R: Runtime>(watch: &Watch<R>, key: ConsumerKey, closes: &mut Closes) -> Result<(), Void> {
    let shared = watch.shared();
    let wait = Wait::begin(shared, |state, id, now| state.engine.restart_consumer(key, id, now));
    match watch.answer(wait).await {
        Ok(_) => Ok(()),
        Err(Failure::Closed { closure, .. }) if matches!(closure.scope, Scope::Channel(_)) => {
            shared.with(|state| state.engine.end_stopped(key, closure));
            closes.reopen_channels(watch).await
        }
        // The application has closed its channel, or dropped it.
        Err(Failure::NoSuchConsumer | Failure::Recovering { .. } | Failure::ConsumerTagInUse(_)) => {
            shared.with(|state| state.engine.end_doubted(key));
            Ok(())
        }
        Err(Failure::Closed { closure, .. }) if closure.is_requested() => Ok(()),
        Err(failure) => Err(Void(failure.to_string())),
    }
}
