//! New secrets for an open connection (`connection.update-secret`), for instance when a token
//! expires.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::deadlines::Awaited;
use crate::config::Secret;
use crate::engine::slots::Place;
use crate::engine::{Closure, Completion, ConnectionNotice, Engine, Failure, Violation, WaiterId};
use crate::protocol::{ProtocolMethod, connection};
use crate::wire::ShortString;

/// Updates that the broker has not answered, in order.
#[derive(Debug, Default)]
pub(in crate::engine) struct SecretUpdates {
    waiting: VecDeque<Update>,
}

#[derive(Debug)]
struct Update {
    /// `None` for the schedule of renewals.
    waiter: Option<WaiterId>,
    /// The place of its deadline.
    deadline: Option<Place>,
    /// Where in the stream the request began.
    position: u64,
}

impl SecretUpdates {
    /// Whether an update is unanswered.
    pub(in crate::engine) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The number of unanswered updates.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl Engine {
    /// Sends the broker a new secret that replaces the one with which the connection was opened.
    /// `waiter` completes with [`Completion::SecretUpdated`] when the broker has accepted it.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is closed, or if the secret was erased or does not fit a
    /// frame.
    pub fn update_secret(
        &mut self,
        secret: &Secret,
        reason: impl Into<ShortString>,
        waiter: WaiterId,
        now: Instant,
    ) -> Result<(), Failure> {
        self.send_secret(secret, &reason.into(), Some(waiter), now)
    }

    /// The same with an optional waiter; the schedule has none.
    pub(super) fn send_secret(
        &mut self,
        secret: &Secret,
        reason: &ShortString,
        waiter: Option<WaiterId>,
        now: Instant,
    ) -> Result<(), Failure> {
        self.check_open()?;
        // An erased secret is an empty text. RabbitMQ would close the connection for it.
        if secret.is_erased() {
            return Err(Failure::SecretErased);
        }
        let position = self.position();
        let octets = secret.expose(|secret| Bytes::from_owner(crate::config::SecretOctets::from(secret)));
        self.encoder.update_secret(&mut self.outbound, octets, reason)?;
        let awaited = Awaited::Answer(<connection::UpdateSecret as ProtocolMethod>::NAME);
        let deadline = self.call_deadline(now).map(|at| self.deadlines.add(at, waiter, awaited));
        self.secret_updates.waiting.push_back(Update { waiter, deadline, position });
        Ok(())
    }

    /// Handles `connection.update-secret-ok`.
    pub(in crate::engine) fn handle_update_secret_ok(&mut self) -> Result<(), Violation> {
        let unasked = Violation::UnexpectedReply(<connection::UpdateSecretOk as ProtocolMethod>::ID);
        let update = self.secret_updates.waiting.pop_front().ok_or(unasked)?;
        self.tell_connection(&ConnectionNotice::SecretUpdated);
        // An update that timed out kept its place, so that its answer is not taken for that of the
        // next.
        if self.deadlines.end(update.deadline) {
            match update.waiter {
                Some(waiter) => self.complete(Some(waiter), Completion::SecretUpdated),
                None => self.handle_renewed(),
            }
        }
        Ok(())
    }

    /// Fails the updates that will not be answered any more.
    pub(in crate::engine) fn fail_secret_updates(&mut self, closure: &Arc<Closure>) {
        for update in std::mem::take(&mut self.secret_updates.waiting) {
            let fate = self.fate_at(update.position);
            let failure = Failure::Closed { closure: Arc::clone(closure), fate };
            if self.deadlines.end(update.deadline) {
                self.complete(update.waiter, Completion::Failed(failure));
            }
        }
    }
}
