//! New secrets for an open connection (`connection.update-secret`): a token that is about to expire.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::{Closure, Completion, ConnectionNotice, Engine, Failure, Violation, WaiterId};
use crate::config::Secret;
use crate::protocol::{ProtocolMethod, connection};
use crate::wire::ShortString;

/// Updates that the broker has not answered, in their order.
#[derive(Debug, Default)]
pub(super) struct SecretUpdates {
    waiting: VecDeque<Update>,
}

#[derive(Debug)]
struct Update {
    /// None once it was given up, or where nobody waits.
    waiter: Option<WaiterId>,
    /// When it is given up.
    at: Option<Instant>,
    /// Where in the stream the request began.
    position: u64,
}

impl SecretUpdates {
    /// When the oldest one that somebody waits for is given up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().find(|update| update.waiter.is_some())?.at
    }
}

impl Engine {
    /// Tells the broker a new secret in the place of the one that the connection was opened with; `waiter` hears
    /// [`Completion::SecretUpdated`] when it has taken it.
    ///
    /// # Errors
    ///
    /// The connection is closed, or the secret was erased or does not fit a frame.
    pub fn update_secret(
        &mut self,
        secret: &Secret,
        reason: impl Into<ShortString>,
        waiter: WaiterId,
        now: Instant,
    ) -> Result<(), Failure> {
        self.check_open()?;
        // What is left of it is an empty text, which would cost the connection.
        if secret.is_erased() {
            return Err(Failure::SecretErased);
        }
        let position = self.position();
        let octets = secret.expose(|secret| Bytes::from_owner(crate::config::SecretOctets::from(secret)));
        self.encoder.update_secret(&mut self.outbound, octets, &reason.into())?;
        let at = self.settings.call_timeout.map(|timeout| now + timeout);
        self.secret_updates.waiting.push_back(Update { waiter: Some(waiter), at, position });
        Ok(())
    }

    /// The broker took a secret.
    pub(super) fn handle_update_secret_ok(&mut self) -> Result<(), Violation> {
        let unasked = Violation::UnexpectedReply(<connection::UpdateSecretOk as ProtocolMethod>::ID);
        let update = self.secret_updates.waiting.pop_front().ok_or(unasked)?;
        self.tell_connection(&ConnectionNotice::SecretUpdated);
        self.complete(update.waiter, Completion::SecretUpdated);
        Ok(())
    }

    /// The update keeps its place, so that its answer finds it.
    pub(super) fn give_up_secret_updates(&mut self, now: Instant) {
        let mut given_up = Vec::new();
        for update in &mut self.secret_updates.waiting {
            if update.at.is_some_and(|at| at <= now) {
                given_up.extend(update.waiter.take());
            }
        }
        for waiter in given_up {
            let failure = Failure::TimedOut(<connection::UpdateSecret as ProtocolMethod>::NAME);
            self.complete(Some(waiter), Completion::Failed(failure));
        }
    }

    /// Nobody will answer any more.
    pub(super) fn fail_secret_updates(&mut self, closure: &Arc<Closure>) {
        for update in std::mem::take(&mut self.secret_updates.waiting) {
            let fate = self.fate_at(update.position);
            let failure = Failure::Closed { closure: Arc::clone(closure), fate };
            self.complete(update.waiter, Completion::Failed(failure));
        }
    }
}
