//! Placeholder.
/// What happens to requests while a connection is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhileDown {
    /// They wait.
    #[default]
    Wait,
    /// They fail.
    Fail,
    /// Publishes count as sent up to this many bytes.
    Buffer(u64),
}

use std::time::Duration;

/// What is recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Recovery {
    /// Nothing.
    #[default]
    None,
    /// Connections and channels.
    Connection,
    /// Everything.
    Topology,
}

/// The terms of recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecoverySettings {
    /// On.
    pub(crate) connections: bool,
    /// Topology.
    pub(crate) topology: bool,
    /// Base.
    pub(crate) delay: Duration,
    /// Longest.
    pub(crate) max_delay: Duration,
    /// Stable.
    pub(crate) stable_after: Duration,
    /// Attempts.
    pub(crate) attempts: Option<u32>,
    /// Timeout.
    pub(crate) timeout: Option<Duration>,
    /// Refusals.
    pub(crate) refusals: u32,
    /// Limit.
    pub(crate) record_limit: usize,
    /// While down.
    pub(crate) while_down: WhileDown,
    /// Patience.
    pub(crate) down_timeout: Duration,
}

impl RecoverySettings {
    pub(crate) fn is_on(&self) -> bool {
        self.connections || self.topology
    }
}
