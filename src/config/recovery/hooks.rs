//! Decisions about recovery that a program makes by a closure.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Which losses a connection recovers from:
/// [`ConnectionParameters::recover_when`](crate::ConnectionParameters::recover_when) makes it of a
/// closure.
// The error of the crate belongs to a room that uses this one, so the closure takes any error. The
// setter, in that room, restores the type.
#[derive(Clone)]
pub struct RecoverWhen(Arc<Decision>);

type Decision = dyn Fn(&(dyn Error + 'static)) -> bool + Send + Sync;

impl RecoverWhen {
    pub(crate) fn new(decide: impl Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    /// Whether to recover after this loss.
    pub(crate) fn decide(&self, loss: &(dyn Error + 'static)) -> bool {
        (self.0)(loss)
    }
}

impl fmt::Debug for RecoverWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoverWhen(..)")
    }
}

/// What of the topology comes back:
/// [`ConnectionParameters::recovery_filter`](crate::ConnectionParameters::recovery_filter) makes it
/// of a closure.
// What is recorded belongs to a room that uses this one too.
#[derive(Clone)]
pub struct RecoveryFilter(Arc<Filter>);

type Filter = dyn Fn(&(dyn Any + 'static)) -> bool + Send + Sync;

impl RecoveryFilter {
    pub(crate) fn new(filter: impl Fn(&(dyn Any + 'static)) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(filter))
    }

    /// Whether this is to come back.
    pub(crate) fn keeps(&self, recorded: &(dyn Any + 'static)) -> bool {
        (self.0)(recorded)
    }
}

impl fmt::Debug for RecoveryFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryFilter(..)")
    }
}

/// What a program does in each recovery:
/// [`ConnectionParameters::on_recovered`](crate::ConnectionParameters::on_recovered) makes it of a
/// closure.
// The channel that the closure is given belongs to a room that uses this one too.
#[derive(Clone)]
pub struct OnRecovered(Arc<Hook>);

type Hook = dyn Fn(&(dyn Any + 'static)) -> Hooked + Send + Sync;

/// The work of the closure.
type Hooked = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send>>;

impl OnRecovered {
    pub(crate) fn new(hook: impl Fn(&(dyn Any + 'static)) -> Hooked + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    /// Begins the work of the closure with what it is given.
    pub(crate) fn begin(&self, given: &(dyn Any + 'static)) -> Hooked {
        (self.0)(given)
    }
}

impl fmt::Debug for OnRecovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnRecovered(..)")
    }
}
