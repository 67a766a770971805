//! The functions of the program that take part in recovery.

use super::Recorded;
use crate::config::RecoveryHooks;
use crate::error::Error;

type When = Box<dyn Fn(&Error) -> bool + Send + Sync>;
type Filter = Box<dyn Fn(&Recorded) -> bool + Send + Sync>;

impl RecoveryHooks {
    /// Sets the function that decides whether a loss is recovered, instead of the rules of the
    /// client.
    ///
    /// By these rules, a connection is recovered after its transport failed or ended, after missed
    /// heartbeats, after too long a block, after a violation of the protocol by the broker, and
    /// after a close with 320 (`CONNECTION_FORCED`) or 541 (`INTERNAL_ERROR`). Other codes are
    /// about a mistake of the client, which it would repeat. The function is not asked about closes
    /// that the application requested.
    #[must_use]
    pub fn recover_when(self, when: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        let when: When = Box::new(when);
        self.with_when(when)
    }

    /// Sets the function that decides whether an exchange, queue, binding or consumer is declared
    /// again after a loss. A consumer for which it returns `false` ends with the loss. What depends
    /// on an entity that is left out is still tried.
    #[must_use]
    pub fn filter(self, filter: impl Fn(&Recorded) -> bool + Send + Sync + 'static) -> Self {
        let filter: Filter = Box::new(filter);
        self.with_filter(filter)
    }

    /// Whether a loss is recovered, if the program decides.
    pub(crate) fn decides(&self, error: &Error) -> Option<bool> {
        self.when::<When>().map(|when| when(error))
    }

    /// Whether an entity is declared again.
    pub(crate) fn keeps(&self, recorded: &Recorded) -> bool {
        self.get_filter::<Filter>().is_none_or(|keeps| keeps(recorded))
    }
}
