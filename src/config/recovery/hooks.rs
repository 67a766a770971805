//! Functions of the program that take part in recovery.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Functions of the program that take part in the recovery of a connection:
/// [`recover_when`](Self::recover_when) decides which losses are recovered, and
/// [`filter`](Self::filter) what is declared again.
///
/// They are called between two steps of the recovery, without a lock. They should not block.
#[derive(Clone, Default)]
pub struct RecoveryHooks {
    /// The functions. Their types are those of rooms that use this one.
    when: Option<Erased>,
    filter: Option<Erased>,
}

type Erased = Arc<dyn Any + Send + Sync>;

impl RecoveryHooks {
    /// Creates hooks that change nothing.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with_when(mut self, when: impl Any + Send + Sync) -> Self {
        self.when = Some(Arc::new(when));
        self
    }

    pub(crate) fn with_filter(mut self, filter: impl Any + Send + Sync) -> Self {
        self.filter = Some(Arc::new(filter));
        self
    }

    /// The function of this type that decides which losses are recovered.
    pub(crate) fn when<F: 'static>(&self) -> Option<&F> {
        self.when.as_ref()?.downcast_ref()
    }

    /// The function of this type that decides what is declared again.
    pub(crate) fn get_filter<F: 'static>(&self) -> Option<&F> {
        self.filter.as_ref()?.downcast_ref()
    }
}

impl fmt::Debug for RecoveryHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = |hook: &Option<Erased>| if hook.is_some() { "a function" } else { "none" };
        f.debug_struct("RecoveryHooks")
            .field("recover_when", &set(&self.when))
            .field("filter", &set(&self.filter))
            .finish()
    }
}
