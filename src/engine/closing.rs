//! The end of a connection, from either side.

use std::sync::Arc;
use std::time::Instant;

use super::{Closure, Completion, Engine, Failure, Fate, Reason, Scope, Violation, WaiterId};
use crate::protocol::{MethodId, ProtocolMethod, ReplyCode, connection};
use crate::wire::ShortString;

/// Where a connection is in its life, its handshake being over.
///
/// ```text
///             close (ours)                  close-ok, silence, end of stream
///   Open ───────────────────▶ Closing ───────────────────────────────────────▶ Closed
///    │                                                                           ▲
///    └───────── close (broker's), a transport lost, a stream out of step ────────┘
/// ```
#[derive(Debug)]
pub(super) enum ConnectionLife {
    /// Everything is possible.
    Open,
    /// `connection.close` was sent.
    Closing {
        closure: Arc<Closure>,
        deadline: Instant,
        /// What was on its way still counts; after a violation nothing does.
        graceful: bool,
        closers: Vec<WaiterId>,
    },
    /// It is over. What is queued, such as a close-ok, is still to be written, until then; or nothing can be.
    Closed { closure: Arc<Closure>, flush_until: Option<Instant> },
}

impl ConnectionLife {
    pub(super) fn closure(&self) -> Option<&Arc<Closure>> {
        match self {
            Self::Open => None,
            Self::Closing { closure, .. } | Self::Closed { closure, .. } => Some(closure),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }

    /// Nothing can be written any more.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Closed { flush_until: None, .. })
    }

    /// Frames other than the close are still looked at.
    pub(super) fn is_listening(&self) -> bool {
        matches!(self, Self::Open | Self::Closing { graceful: true, .. })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Closing { deadline, .. } => Some(*deadline),
            Self::Closed { flush_until, .. } => *flush_until,
            Self::Open => None,
        }
    }
}

/// Closing a connection.
impl Engine {
    /// Closes the connection: what was queued goes first, and `waiter` hears when the broker has agreed or the time for
    /// that is over.
    ///
    /// # Errors
    ///
    /// It is closed already.
    pub fn close(
        &mut self,
        code: ReplyCode,
        text: impl Into<ShortString>,
        waiter: Option<WaiterId>,
        now: Instant,
    ) -> Result<(), Failure> {
        match &mut self.state {
            ConnectionLife::Open => {}
            ConnectionLife::Closing { closers, .. } => {
                closers.extend(waiter);
                return Ok(());
            }
            ConnectionLife::Closed { closure, .. } if closure.is_requested() => {
                self.complete(waiter, Completion::Closed);
                return Ok(());
            }
            ConnectionLife::Closed { closure, .. } => return Err(Failure::refused(closure)),
        }
        let text = text.into();
        let close = connection::Close::default().reply_code(code).reply_text(text.clone());
        self.encode_close(close)?;
        let closure = Closure {
            scope: Scope::Connection,
            reason: Reason::Requested,
            reply_code: Some(code),
            reply_text: text.to_string(),
            method: None,
        };
        self.begin_closing(Arc::new(closure), true, waiter, now);
        Ok(())
    }

    fn begin_closing(&mut self, closure: Arc<Closure>, graceful: bool, waiter: Option<WaiterId>, now: Instant) {
        let deadline = now + self.settings.close_timeout;
        let closers = waiter.into_iter().collect();
        self.evict_from_gate(None, &closure);
        self.state = ConnectionLife::Closing { closure, deadline, graceful, closers };
    }

    /// The broker broke the protocol: tell it, and let go of everything.
    pub(super) fn handle_violation(&mut self, violation: Violation, now: Instant) {
        if !matches!(self.state, ConnectionLife::Open) {
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
        let closure =
            Arc::new(Closure { scope: Scope::Connection, reason, reply_code: Some(code), reply_text: text, method });
        if framing {
            self.finish(closure, Some(now + self.settings.close_timeout), None);
        } else {
            self.begin_closing(Arc::clone(&closure), false, None, now);
            self.tear_down(&closure);
        }
    }

    /// The broker closes the connection.
    pub(super) fn handle_connection_close(&mut self, close: &connection::Close, now: Instant) {
        let queued = self.encoder.method(&mut self.outbound, 0, &connection::CloseOk::default());
        debug_assert!(queued.is_ok(), "close-ok always fits");
        let closure = broker_closure(
            Scope::Connection,
            close.reply_code,
            &close.reply_text,
            MethodId::new(close.class_id, close.method_id),
        );
        self.finish(closure, Some(now + self.settings.close_timeout), None);
    }

    /// The broker agrees to a close.
    pub(super) fn handle_connection_close_ok(&mut self, now: Instant) -> Result<(), Violation> {
        let ConnectionLife::Closing { closure, .. } = &self.state else {
            return Err(Violation::UnexpectedMethod(<connection::CloseOk as ProtocolMethod>::ID));
        };
        let closure = Arc::clone(closure);
        self.finish(closure, Some(now + self.settings.close_timeout), None);
        Ok(())
    }

    /// The broker does not answer a close, or does not take the answer to its own.
    pub(super) fn handle_close_timeout(&mut self) {
        self.lose(Reason::CloseTimedOut);
    }

    /// The transport ended (`None`), or failed.
    pub fn handle_transport_lost(&mut self, error: Option<&std::io::Error>) {
        let reason = match error {
            None => Reason::EndOfStream,
            Some(error) => Reason::Io(error.kind(), error.to_string()),
        };
        self.lose(reason);
    }

    /// Nobody drives the connection any more.
    pub fn handle_driver_gone(&mut self) {
        self.lose(Reason::DriverGone);
    }

    /// The connection is over, and nothing can be written any more.
    pub(super) fn lose(&mut self, reason: Reason) {
        let unheard = self.queued() > 0 || matches!(reason, Reason::HeartbeatsMissed | Reason::BlockedTooLong);
        let bodies = std::mem::take(&mut self.outbound).into_bodies();
        self.discarded.bodies.extend(bodies);
        let last = Arc::new(Closure::silent(reason));
        // What was queued before a close of ours did not all go out, or went to a broker that does not read it: that close did
        // not end well.
        let failed = unheard.then(|| Failure::Closed { closure: Arc::clone(&last), fate: Fate::Unknown });
        self.finish(last, None, failed);
    }

    /// The connection is over; what is queued is to be written until `flush_until`. An earlier cause, such as a close of
    /// our own, stays the one that is reported.
    fn finish(&mut self, last: Arc<Closure>, flush_until: Option<Instant>, failed: Option<Failure>) {
        let failed = match last.reason {
            Reason::CloseTimedOut => Some(Failure::TimedOut(<connection::Close as ProtocolMethod>::NAME)),
            _ => failed,
        };
        let was_closed = self.state.is_closed();
        let closing = std::mem::replace(&mut self.state, ConnectionLife::Open);
        let (closure, closers) = match closing {
            ConnectionLife::Open => (last, Vec::new()),
            ConnectionLife::Closing { closure, closers, .. } => (closure, closers),
            ConnectionLife::Closed { closure, .. } => (closure, Vec::new()),
        };
        self.state = ConnectionLife::Closed { closure: Arc::clone(&closure), flush_until };
        if let Some(failure) = &failed {
            // The closes of channels did not end well either.
            self.fail_channel_closers(failure);
        }
        self.tear_down(&closure);
        let failed = if closure.is_requested() { failed } else { Some(Failure::refused(&closure)) };
        for closer in closers {
            self.complete(Some(closer), failed.clone().map_or(Completion::Closed, Completion::Failed));
        }
        if !was_closed {
            self.tell_end(&closure);
        }
    }

    /// Resolves everything in flight with the first cause.
    fn tear_down(&mut self, closure: &Arc<Closure>) {
        self.evict_from_gate(None, closure);
        self.fail_secret_updates(closure);
        self.blocked_until = None;
        for key in self.channels.keys() {
            self.remove_channel(key, closure);
        }
    }
}

/// The closure of a close by the broker.
pub(super) fn broker_closure(scope: Scope, code: ReplyCode, text: &ShortString, method: MethodId) -> Arc<Closure> {
    let method = Some(method).filter(|id| *id != MethodId::new(0, 0));
    Arc::new(Closure { scope, reason: Reason::Broker, reply_code: Some(code), reply_text: text.to_string(), method })
}
