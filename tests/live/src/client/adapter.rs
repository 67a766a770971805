//! Which way into the crate the scenarios take.

use std::sync::LazyLock;

/// A way into the crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// The async API, driven by a task of tokio.
    Task,
    /// The async API, driven by a thread.
    Thread,
    /// The async API, driven by a loop that knows nothing but descriptors.
    Readiness,
    /// The blocking API, each call on a thread that may wait.
    Blocking,
    /// Callbacks, on an event loop that drives the connections too.
    Callback,
    /// Callbacks, on an event loop; threads drive the connections.
    CallbackThread,
}

impl Adapter {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Task, Self::Thread, Self::Readiness, Self::Blocking, Self::Callback, Self::CallbackThread];

    /// What `LEVERET_TEST_ADAPTER` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Thread => "thread",
            Self::Readiness => "readiness",
            Self::Blocking => "blocking",
            Self::Callback => "callback",
            Self::CallbackThread => "callback-thread",
        }
    }

    /// The one that this run is about.
    pub fn chosen() -> Self {
        static CHOSEN: LazyLock<Adapter> = LazyLock::new(|| {
            let Ok(name) = std::env::var("LEVERET_TEST_ADAPTER") else { return Adapter::Task };
            let named = Adapter::ALL.into_iter().find(|adapter| adapter.name() == name);
            named.unwrap_or_else(|| panic!("LEVERET_TEST_ADAPTER is {name:?}, which is no adapter"))
        });
        *CHOSEN
    }
}
