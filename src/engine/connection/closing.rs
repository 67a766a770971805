//! Closing a connection, requested by either side.

use std::sync::Arc;
use std::time::Instant;

use crate::engine::{Closure, Completion, Engine, Failure, Fate, Reason, Scope, Violation, WaiterId};
use crate::protocol::{MethodId, ProtocolMethod, ReplyCode, connection};
use crate::wire::ShortString;

/// The state of a connection after its handshake.
///
/// ```text
///             close (ours)                  close-ok, silence, end of stream
///   Open ───────────────────▶ Closing ───────────────────────────────────────▶ Closed
///    │                                                                           ▲
///    └───────── close (broker's), a transport lost, a stream out of step ────────┘
/// ```
#[derive(Debug)]
pub(in crate::engine) enum ConnectionLife {
    /// All requests are possible.
    Open,
    /// `connection.close` was sent.
    Closing {
        closure: Arc<Closure>,
        deadline: Instant,
        /// Whether frames that still arrive count. After a violation they do not.
        graceful: bool,
        /// Where in the stream the close ends: a `close-ok` answers it only after it was written up
        /// to there. [`HELD`](crate::engine::outbound::HELD) while it waits for commits.
        end: u64,
        closers: Vec<WaiterId>,
    },
    /// The transport was lost, and there is no other. Queued bytes, such as a `close-ok`, are
    /// written until `flush_until`. If that is `None`, nothing can be written any more.
    Down { cause: Arc<Closure>, flush_until: Option<Instant> },
    /// There is another transport, on which the supervisor restores what the broker lost. The
    /// requests of the application wait.
    Restoring { cause: Arc<Closure> },
    /// The connection has ended. Queued bytes, such as a `close-ok`, are written until
    /// `flush_until`. If that is `None`, nothing can be written any more.
    Closed {
        closure: Arc<Closure>,
        flush_until: Option<Instant>,
        /// Why our close failed, for later requests to close.
        failed: Option<Failure>,
    },
}

impl ConnectionLife {
    pub(in crate::engine) fn closure(&self) -> Option<&Arc<Closure>> {
        match self {
            Self::Open | Self::Down { .. } | Self::Restoring { .. } => None,
            Self::Closing { closure, .. } | Self::Closed { closure, .. } => Some(closure),
        }
    }

    /// Why our close failed, if it did.
    pub(in crate::engine) fn failed(&self) -> Option<&Failure> {
        match self {
            Self::Closed { failed, .. } => failed.as_ref(),
            _ => None,
        }
    }

    /// Whether there is no transport that takes or brings anything: the connection is down, or has
    /// ended.
    pub(in crate::engine) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::Down { .. })
    }

    /// Whether the connection has ended.
    pub(in crate::engine) fn is_ended(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }

    /// The number of waiters for the close.
    pub(super) fn waiters(&self) -> usize {
        match self {
            Self::Closing { closers, .. } => closers.len(),
            _ => 0,
        }
    }

    /// Whether nothing can be written any more.
    pub(in crate::engine) fn is_lost(&self) -> bool {
        matches!(self, Self::Closed { flush_until: None, .. } | Self::Down { flush_until: None, .. })
    }

    /// Whether the connection takes requests.
    #[inline]
    pub(in crate::engine) fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// Whether frames other than the close still count.
    pub(in crate::engine) fn is_listening(&self) -> bool {
        matches!(self, Self::Open | Self::Restoring { .. } | Self::Closing { graceful: true, .. })
    }

    pub(in crate::engine) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Closing { deadline, .. } => Some(*deadline),
            Self::Closed { flush_until, .. } | Self::Down { flush_until, .. } => *flush_until,
            Self::Open | Self::Restoring { .. } => None,
        }
    }
}

/// Closing a connection.
impl Engine {
    /// Closes the connection after everything that is queued. `waiter` completes with
    /// [`Completion::Closed`] when the broker has answered, or with [`Completion::Failed`] when
    /// `close_timeout` has passed or the close fails otherwise. Closing a connection that the
    /// application has already closed completes in the same way.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection was already closed for another reason than a request of
    /// the application.
    pub fn close(
        &mut self,
        code: ReplyCode,
        text: impl Into<ShortString>,
        waiter: Option<WaiterId>,
        now: Instant,
    ) -> Result<(), Failure> {
        match &mut self.state {
            ConnectionLife::Open | ConnectionLife::Restoring { .. } => {}
            ConnectionLife::Down { .. } => {
                let reply_text = text.into().to_string();
                let closure = Closure { reply_code: Some(code), reply_text, ..Closure::silent(Reason::Requested) };
                self.end_down(Arc::new(closure));
                self.complete(waiter, Completion::Closed);
                return Ok(());
            }
            ConnectionLife::Closing { closers, .. } => {
                closers.extend(waiter);
                return Ok(());
            }
            ConnectionLife::Closed { closure, failed, .. } if closure.is_requested() => {
                let completion = failed.clone().map_or(Completion::Closed, Completion::Failed);
                self.complete(waiter, completion);
                return Ok(());
            }
            ConnectionLife::Closed { closure, .. } => return Err(Failure::refused(closure)),
        }
        let text = text.into();
        let close = connection::Close::default().reply_code(code).reply_text(text.clone());
        self.encode_close(close)?;
        let reply_text = text.to_string();
        let closure = Closure { reply_code: Some(code), reply_text, ..Closure::silent(Reason::Requested) };
        self.begin_closing(Arc::new(closure), true, waiter, now);
        Ok(())
    }

    fn begin_closing(&mut self, closure: Arc<Closure>, graceful: bool, waiter: Option<WaiterId>, now: Instant) {
        let deadline = now + self.settings.close_timeout;
        let closers = waiter.into_iter().collect();
        self.evict_from_gate(None, &closure);
        self.fail_parked(&closure);
        let end = self.end_of_close();
        self.state = ConnectionLife::Closing { closure, deadline, graceful, end, closers };
    }

    /// Handles a violation of the protocol by the broker: sends a close with its reply code, and
    /// fails everything that waits.
    pub(in crate::engine) fn handle_violation(&mut self, violation: Violation, now: Instant) {
        if !matches!(self.state, ConnectionLife::Open | ConnectionLife::Restoring { .. }) {
            if violation.is_framing() {
                self.lose(Reason::Violation(violation));
            }
            return;
        }
        let code = violation.reply_code();
        let method = violation.method();
        let text = violation.to_string();
        let framing = violation.is_framing();
        let short: String = text.chars().take(80).collect();
        let ids = method.unwrap_or(MethodId::new(0, 0));
        let close =
            connection::Close::default().reply_code(code).reply_text(short).class_id(ids.class).method_id(ids.method);
        let queued = self.encoder.method(&mut self.outbound, 0, &close);
        debug_assert!(queued.is_ok(), "a short text always fits");
        let reason = Reason::Violation(violation);
        let closure = Closure { reply_code: Some(code), reply_text: text, method, ..Closure::silent(reason) };
        let closure = Arc::new(closure);
        // A connection that survives begins anew, so nothing more of this transport counts.
        if framing || self.survival.is_some() {
            self.finish(closure, Some(now + self.settings.close_timeout), None);
        } else {
            self.begin_closing(Arc::clone(&closure), false, None, now);
            self.tear_down(&closure);
        }
    }

    /// Handles `connection.close`. The broker reads nothing more but the answer to it, so output
    /// that the driver has not taken is dropped.
    pub(in crate::engine) fn handle_connection_close(&mut self, close: &connection::Close, now: Instant) {
        self.drop_untaken();
        let queued = self.encoder.method(&mut self.outbound, 0, &connection::CloseOk::default());
        debug_assert!(queued.is_ok(), "close-ok always fits");
        let closure = broker_closure(
            Scope::Connection,
            close.reply_code,
            &close.reply_text,
            MethodId::new(close.class_id, close.method_id),
        );
        // If it crosses our close, our close succeeds only if every channel was closed before: what
        // was sent on an open channel may have arrived too late.
        let failed =
            (self.channels.len() > 0).then(|| Failure::Closed { closure: Arc::clone(&closure), fate: Fate::Unknown });
        self.finish(closure, Some(now + self.settings.close_timeout), failed);
    }

    /// Handles `connection.close-ok`.
    pub(in crate::engine) fn handle_connection_close_ok(&mut self, now: Instant) -> Result<(), Violation> {
        match &self.state {
            // A `close-ok` that arrives before the close was written does not answer it.
            ConnectionLife::Closing { closure, end, .. } if *end <= self.written => {
                let closure = Arc::clone(closure);
                self.finish(closure, Some(now + self.settings.close_timeout), None);
                Ok(())
            }
            _ => Err(Violation::UnexpectedMethod(<connection::CloseOk as ProtocolMethod>::ID)),
        }
    }

    /// Ends the connection because the broker did not answer our close in time, or did not read our
    /// answer to its own.
    pub(super) fn handle_close_timeout(&mut self) {
        self.lose(Reason::CloseTimedOut);
    }

    /// The failure of a method that was not answered in time. It names a block of the connection,
    /// because a broker that blocks the connection does not read it.
    pub(super) fn timed_out(&self, name: &'static str) -> Failure {
        match self.gate.blocked() {
            Some(reason) => Failure::TimedOutBlocked { name, reason: reason.to_owned() },
            None => Failure::TimedOut(name),
        }
    }
}

/// Builds the closure for a close by the broker.
pub(in crate::engine) fn broker_closure(
    scope: Scope,
    code: ReplyCode,
    text: &ShortString,
    method: MethodId,
) -> Arc<Closure> {
    let method = Some(method).filter(|id| *id != MethodId::new(0, 0));
    let reply_text = text.to_string();
    Arc::new(Closure { scope, reply_code: Some(code), reply_text, method, ..Closure::silent(Reason::Broker) })
}
