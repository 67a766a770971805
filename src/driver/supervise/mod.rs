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

mod doubts;
mod outage;
mod replay;
mod waiting;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use self::outage::Outage;
use self::replay::{Progress, Restoring};
use self::waiting::Watch;
use super::connect::Agreed;
use super::renewal::Asking;
use super::runtime::Runtime;
use super::task::Driver;
use crate::config::{RecoveryHooks, RecoverySettings};
use crate::engine::{Closure, ConnectionNotice, Engine};
use crate::error::{ConnectError, Error};
use crate::link::Shared;
use crate::protocol::ReplyCode;
use crate::transport::Stream;

/// Opens transports of one connection, as often as it is asked to.
pub(super) trait Dialer: Send + Sync + 'static {
    /// The type of its streams.
    type Stream: Stream;

    /// Opens a transport, and performs the handshake on it.
    fn dial(&self, again: bool) -> impl Future<Output = Result<Agreed<Self::Stream>, ConnectError>> + Send;

    /// How the connection is recovered.
    fn recovery(&self) -> RecoverySettings;

    /// The functions of the program that take part.
    fn hooks(&self) -> &RecoveryHooks;
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
    let mut outage = Outage::new(terms);
    let mut progress = Progress::default();
    loop {
        run(&watch, (&terms, dial.hooks()), &mut outage, &mut progress, driver).await;
        let Some(cause) = shared.with(|state| state.engine.recovering().cloned()) else { return };
        progress.lost(&cause);
        let now = shared.now();
        let decided = dial.hooks().decides(&Error::from(Arc::clone(&cause)));
        if !outage.begin(&cause, decided, now) {
            shared.with(|state| state.engine.end_recovery(cause));
            return;
        }
        shared.with(|state| {
            if let Some(topology) = &mut state.topology {
                topology.handle_connection_lost();
            }
            state.engine.tell_loss();
            state.engine.limit_waits(now);
        });
        match dial_again(&dial, &runtime, &watch, &mut outage, &cause).await {
            Some(next) => driver = next,
            None => return,
        }
    }
}

/// Runs a driver until its transport is finished, and restores and maintains beside it.
async fn run<S: Stream, R: Runtime>(
    watch: &Watch<R>,
    terms: (&RecoverySettings, &RecoveryHooks),
    outage: &mut Outage,
    progress: &mut Progress,
    mut driver: Driver<S, R>,
) {
    let mut restoring = pin!(Restoring::new(watch, terms, progress).run(outage));
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
        Poll::Pending
    })
    .await;
}

/// Dials until there is another transport. Returns `None` if the connection has ended.
async fn dial_again<D: Dialer, R: Runtime>(
    dial: &D,
    runtime: &R,
    watch: &Watch<R>,
    outage: &mut Outage,
    cause: &Arc<Closure>,
) -> Option<Driver<D::Stream, R>> {
    let shared = watch.shared();
    loop {
        let Some((attempt, after)) = outage.next_attempt(fastrand::u64(..), shared.now()) else {
            shared.with(|state| state.engine.end_recovery(outage.last_cause(cause)));
            return None;
        };
        shared.with(|state| state.engine.tell_connection(&ConnectionNotice::Reconnecting { attempt, after }));
        watch.pause(after).await?;
        match watch.while_down(dial.dial(true)).await? {
            Ok(agreed) => return resume(runtime, shared, agreed).await,
            Err(error) => {
                let reason = error.to_string();
                shared.with(|state| {
                    state.engine.tell_connection(&ConnectionNotice::ReconnectFailed { attempt, reason });
                });
                outage.failed(&error);
            }
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
