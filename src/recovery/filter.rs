//! The parameter that is a function of what is recorded.

use super::Recorded;
use crate::config::{ConnectionParameters, RecoveryFilter};

impl ConnectionParameters {
    /// Sets [`recovery_filter`](Self#structfield.recovery_filter): a function that decides about
    /// each recorded exchange, queue, binding and consumer whether it comes back after a loss. A
    /// consumer for which it returns `false` ends with the loss. What depends on an entity that is
    /// left out is still tried.
    ///
    /// The function runs without a lock of this crate, on the thread or task that drives the
    /// connection, and has to return soon.
    ///
    /// ```
    /// use leveret::{ConnectionParameters, Entity, Recovery};
    ///
    /// // Everything but the queues of one kind.
    /// let parameters = ConnectionParameters::default().recovery(Recovery::Topology).recovery_filter(|recorded| {
    ///     !matches!(recorded.entity(), Entity::Queue(name) if name.as_bytes().starts_with(b"scratch."))
    /// });
    /// assert!(parameters.validate().is_ok());
    /// ```
    #[must_use]
    pub fn recovery_filter(mut self, keeps: impl Fn(&Recorded) -> bool + Send + Sync + 'static) -> Self {
        let keeps = move |recorded: &(dyn std::any::Any + 'static)| recorded.downcast_ref().is_none_or(&keeps);
        self.recovery_filter = Some(RecoveryFilter::new(keeps));
        self
    }

    /// Whether an entity comes back.
    pub(crate) fn keeps_recorded(&self, recorded: &Recorded) -> bool {
        self.recovery_filter.as_ref().is_none_or(|filter| filter.keeps(recorded))
    }
}
