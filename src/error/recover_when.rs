//! The parameter that is a function of an error.

use super::Error;
use crate::config::{ConnectionParameters, RecoverWhen};

impl ConnectionParameters {
    /// Sets [`recover_when`](Self#structfield.recover_when).
    ///
    /// The closure receives the error that [`closed`](crate::Connection::closed) would report. It
    /// runs without a lock of this crate, on the thread or task that drives the connection, and has
    /// to return soon.
    ///
    /// ```
    /// use leveret::{ConnectionParameters, Recovery, ReplyCode};
    ///
    /// // Only if an operator stopped the broker or closed the connection.
    /// let parameters = ConnectionParameters::default()
    ///     .recovery(Recovery::Topology)
    ///     .recover_when(|loss| loss.reply_code() == Some(ReplyCode::CONNECTION_FORCED));
    /// assert!(parameters.validate().is_ok());
    /// ```
    #[must_use]
    pub fn recover_when(mut self, decide: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        let decide = move |loss: &(dyn std::error::Error + 'static)| loss.downcast_ref().is_some_and(&decide);
        self.recover_when = Some(RecoverWhen::new(decide));
        self
    }

    /// What [`recover_when`](Self::recover_when) decides about this loss; `None` if it is not set.
    pub(crate) fn recovers_after(&self, loss: &Error) -> Option<bool> {
        self.recover_when.as_ref().map(|when| when.decide(loss))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_closure_decides_by_the_error_which_loss_is_recovered_from() {
        let nacked = Error::new(super::super::Cause::Nacked);
        let cancelled = Error::new(super::super::Cause::ConsumerCancelled);
        let parameters = ConnectionParameters::default();
        assert_eq!(parameters.recovers_after(&nacked), None, "without a closure, nothing is decided");
        let parameters = parameters.recover_when(|loss| loss.kind() == ErrorKind::Nacked);
        assert_eq!(parameters.recovers_after(&nacked), Some(true));
        assert_eq!(parameters.recovers_after(&cancelled), Some(false));
    }
}
