//! The life of a connection over its transports: runs a driver, and after a loss dials again, and
//! restores what the broker lost.
//!
//! One supervisor owns the connection, and at most one driver exists at a time: the transport of a
//! lost generation is dropped before the next is dialled, so nothing of it can act on the next.
//!
//! ```text
//!  run ──▶ lost ──▶ pause ──▶ dial ──▶ resume ──▶ run, restoring beside it ──▶ run, maintaining
//!   ▲                 ▲         │ fails              │ lost, or void
//!   │                 └─────────┴────────────────────┘
//! ```

mod closes;
mod doubts;
mod hook;
mod planning;
mod private;
mod replay;
mod waiting;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

pub(crate) use self::hook::Hosting;
use self::replay::{Progress, Restoring};
use self::waiting::Watch;
use super::connect::Agreed;
use super::renewal::Asking;
use super::runtime::{Alarm, Runtime};
use super::task::Driver;
use crate::config::{ConnectionParameters, RecoverySettings};
use crate::engine::{Closure, ConnectionNotice, Engine, Reason};
use crate::error::{ConnectError, Error};
use crate::link::Shared;
use crate::protocol::ReplyCode;
use crate::recovery::{Backoff, CycleFailure, Loss, Next, Reached};
use crate::transport::Stream;

/// Opens transports of one connection, as often as it is asked to.
pub(super) trait Dialer: Send + Sync + 'static {
    /// The type of its streams.
    type Stream: Stream;

    /// Opens a transport, and performs the handshake on it.
    fn dial(&self, again: bool) -> impl Future<Output = Result<Agreed<Self::Stream>, ConnectError>> + Send;

    /// How the connection is recovered.
    fn recovery(&self) -> RecoverySettings {
        self.parameters().recovery_settings()
    }

    /// The parameters, whose functions take part.
    fn parameters(&self) -> &ConnectionParameters;
}

/// Ends a connection that is down when its supervisor is dropped, for instance with its runtime.
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.with(|state| state.engine.handle_supervisor_gone());
    }
}

/// Drives a connection until it has ended.
pub(super) async fn supervise<D: Dialer, R: Runtime>(
    dial: D,
    runtime: R,
    shared: Arc<Shared>,
    mut driver: Driver<D::Stream, R>,
) {
    let terms = dial.recovery();
    if !terms.is_on() {
        return driver.await;
    }
    let _guard = Guard(Arc::clone(&shared));
    let watch = Watch::new(&shared, runtime.clone());
    let mut backoff = Backoff::new(&terms);
    let mut progress = Progress::new(&terms);
    // Why the outage began.
    let mut first: Option<Arc<Closure>> = None;
    loop {
        run(&watch, dial.parameters(), &mut backoff, &mut progress, driver).await;
        let Some(cause) = shared.with(|state| state.engine.recovering().cloned()) else { return };
        progress.lost(&cause);
        let began = first.take().filter(|_| backoff.is_outage()).unwrap_or_else(|| Arc::clone(&cause));
        let is_renewed = progress.is_renewed(&cause) && dial.parameters().credentials.provider().is_some();
        let pause = match after_loss(&dial, &cause, is_renewed, &mut backoff, shared.now()) {
            AfterLoss::Pause(pause) => pause,
            AfterLoss::GiveUp => return shared.with(|state| state.engine.end_recovery(began)),
            AfterLoss::Final => return shared.with(|state| state.engine.end_recovery(cause)),
        };
        let now = shared.now();
        shared.with(|state| {
            if let Some(topology) = &mut state.topology {
                topology.handle_connection_lost();
            }
            state.engine.tell_loss();
            state.engine.limit_waits(now);
        });
        match dial_again(&dial, &runtime, &watch, &mut backoff, &mut progress, pause).await {
            Ok(next) => driver = next,
            Err(Over::Closed) => return,
            Err(Over::GaveUp) => return shared.with(|state| state.engine.end_recovery(began)),
        }
        first = Some(began);
    }
}

/// What follows a loss.
enum AfterLoss {
    /// An attempt after this pause.
    Pause(Duration),
    /// The end, because the outage has lasted for too long. Its first loss is the reason.
    GiveUp,
    /// The end, because a connection that ends in this way is not recovered.
    Final,
}

/// `is_renewed` is whether new credentials may have the permission that was missing.
fn after_loss<D: Dialer>(
    dial: &D,
    cause: &Arc<Closure>,
    is_renewed: bool,
    backoff: &mut Backoff,
    now: Instant,
) -> AfterLoss {
    // Without the lock, because the function is the program's.
    let decided = dial.parameters().recovers_after(&Error::from(Arc::clone(cause)));
    if !decided.unwrap_or_else(|| is_renewed || is_recovered(cause)) {
        return AfterLoss::Final;
    }
    match backoff.handle_lost(Loss::of(cause), now, fastrand::u64(..)) {
        Next::Pause(pause) => AfterLoss::Pause(pause),
        Next::GiveUp(_) => AfterLoss::GiveUp,
    }
}

/// Whether a connection that ended for this cause is recovered, if the program does not decide.
///
/// It is not if the client made a mistake, which it would repeat: the broker refused what was sent
/// (402, 403, 501 to 506, 530, 540).
fn is_recovered(cause: &Closure) -> bool {
    match cause.reason {
        Reason::Requested | Reason::DriverGone => false,
        Reason::Broker => {
            matches!(cause.reply_code, Some(ReplyCode::CONNECTION_FORCED | ReplyCode::INTERNAL_ERROR))
        }
        _ => true,
    }
}

/// Runs a driver until its transport is finished, and restores and maintains beside it. Gives up a
/// transport on which the restoring is not done when the time for the outage has passed.
async fn run<S: Stream, R: Runtime>(
    watch: &Watch<R>,
    parameters: &ConnectionParameters,
    backoff: &mut Backoff,
    progress: &mut Progress,
    mut driver: Driver<S, R>,
) {
    let deadline = backoff.deadline();
    let mut alarm = watch.alarm(deadline);
    let mut restoring = pin!(Restoring::new(watch, parameters, progress).run(backoff));
    let mut over = false;
    poll_fn(|context| {
        // The driver first: what it brings may be what the other waits for.
        if Pin::new(&mut driver).poll(context).is_ready() {
            return Poll::Ready(());
        }
        if !over && restoring.as_mut().poll(context).is_ready() {
            over = true;
            // It has given up this transport, so the driver has something to do.
            return Pin::new(&mut driver).poll(context);
        }
        if !over && deadline.is_some() && alarm.poll(context).is_ready() {
            over = true;
            if watch.give_up_restoring() {
                return Pin::new(&mut driver).poll(context);
            }
        }
        Poll::Pending
    })
    .await;
}

/// Why there is no other transport.
enum Over {
    /// The connection was closed in the meantime.
    Closed,
    /// Nothing more is tried.
    GaveUp,
}

/// Dials until there is another transport, the first time after `pause`.
async fn dial_again<D: Dialer, R: Runtime>(
    dial: &D,
    runtime: &R,
    watch: &Watch<R>,
    backoff: &mut Backoff,
    progress: &mut Progress,
    mut pause: Duration,
) -> Result<Driver<D::Stream, R>, Over> {
    let shared = watch.shared();
    loop {
        let after = backoff.deadline().map_or(pause, |at| pause.min(at.saturating_duration_since(shared.now())));
        let attempt = backoff.cycles().saturating_add(1);
        shared.with(|state| state.engine.tell_connection(&ConnectionNotice::Reconnecting { attempt, after }));
        if watch.pause(after).await.is_none() {
            return Err(Over::Closed);
        }
        let Ok(attempt) = backoff.begin(shared.now()) else { return Err(Over::GaveUp) };
        let error = match watch.while_down(watch.before(backoff.deadline(), dial.dial(true))).await {
            None => return Err(Over::Closed),
            Some(None) => return Err(Over::GaveUp),
            Some(Some(Ok(agreed))) => {
                progress.endpoint = agreed.reached.as_ref().map(Reached::endpoint);
                return resume(runtime, shared, agreed).await.ok_or(Over::Closed);
            }
            Some(Some(Err(error))) => error,
        };
        let reason = error.to_string();
        shared.with(|state| state.engine.tell_connection(&ConnectionNotice::ReconnectFailed { attempt, reason }));
        let is_refused = !error.is_retryable() || error.refusal().is_some();
        let failure = if is_refused { CycleFailure::Refused } else { CycleFailure::Lost };
        match backoff.handle_failed(failure, shared.now(), fastrand::u64(..)) {
            Next::Pause(next) => pause = next,
            Next::GiveUp(_) => return Err(Over::GaveUp),
        }
    }
}

/// Begins the next generation on a transport. If the connection was closed in the meantime, closes
/// the transport politely.
async fn resume<S: Stream, R: Runtime>(runtime: &R, shared: &Arc<Shared>, agreed: Agreed<S>) -> Option<Driver<S, R>> {
    let now = shared.now();
    let resumed = shared.with(|state| {
        let resumed = state.engine.resume(agreed.negotiated.clone(), now);
        if let (true, Some(renewal)) = (resumed, &agreed.renewal) {
            state.engine.renew_secret(renewal.valid_for, renewal.limit, now);
        }
        resumed
    });
    if !resumed {
        close_politely(runtime, agreed).await;
        return None;
    }
    let provider = agreed.renewal.map(|renewal| Asking::new(renewal.provider, runtime.clone()));
    Some(Driver::new(agreed.transport, Arc::clone(shared), agreed.input, provider, runtime.clone()))
}

/// Closes a transport that is not needed. `close_timeout` limits how long that takes.
async fn close_politely<S: Stream, R: Runtime>(runtime: &R, agreed: Agreed<S>) {
    let Agreed { transport, negotiated, settings, input, .. } = agreed;
    let clock = runtime.clock();
    let settings = crate::engine::Settings { survives: None, ..settings };
    let mut engine = Engine::new(negotiated, settings, clock.now());
    let closed = engine.close(ReplyCode::REPLY_SUCCESS, "not needed any more", None, clock.now());
    debug_assert!(closed.is_ok(), "a connection that has just been opened can be closed");
    let shared = Arc::new(Shared::new(engine, clock));
    Driver::new(transport, shared, input, None, runtime.clone()).await;
}
