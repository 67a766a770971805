//! How a connection is recovered after its transport was lost: the words of the parameters, and all
//! of them together.

mod codecs;
mod hooks;

use std::time::Duration;

use super::ConnectionParameters;

pub use hooks::RecoveryHooks;

pub(super) use codecs::{RECOVERY, WHILE_DOWN, WHILE_DOWN_BUFFER};

/// What is recovered after a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Recovery {
    /// Nothing: the connection ends with its transport.
    #[default]
    None,
    /// The connection and its channels, with their modes (confirms, transactions). Exchanges,
    /// queues and bindings are not declared again, and consumers end with the loss.
    Connection,
    /// The same, and what the connection has declared, bound and consumes.
    Topology,
}

impl Recovery {
    /// Every value, in the order of their declaration.
    pub const ALL: &'static [Self] = &[Self::None, Self::Connection, Self::Topology];

    /// Returns its name in lower case, as in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Connection => "connection",
            Self::Topology => "topology",
        }
    }
}

/// What happens to requests while a connection is lost and is being recovered.
///
/// Settling a delivery does not wait: what was delivered before the loss cannot be settled any
/// more. Closing a channel, cancelling a consumer, and closing the connection take effect at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WhileDown {
    /// They wait until the connection is recovered, in their order, for at most
    /// [`down_timeout`](ConnectionParameters#structfield.down_timeout).
    #[default]
    Wait,
    /// They fail at once. Nothing of them is sent.
    Fail,
    /// Plain publishes count as published when they are stored, up to this many bytes of frames;
    /// they are lost if the connection is not recovered. Publishes above the limit, and all other
    /// requests, wait.
    Buffer(u64),
}

/// All parameters of recovery together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecoverySettings {
    pub(crate) recovery: Recovery,
    /// The first delay of the backoff, and the longest.
    pub(crate) delay: Duration,
    pub(crate) max_delay: Duration,
    /// How long a connection has to last after a recovery for the backoff to begin anew.
    pub(crate) stable_after: Duration,
    /// The limits of one outage.
    pub(crate) attempts: Option<u32>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) refusals: u32,
    /// The most entities that are recorded.
    pub(crate) record_limit: usize,
    pub(crate) while_down: WhileDown,
    pub(crate) down_timeout: Duration,
}

impl RecoverySettings {
    /// Whether anything is recovered.
    pub(crate) fn is_on(&self) -> bool {
        self.recovery != Recovery::None
    }

    /// Whether the topology is recorded and declared again.
    pub(crate) fn topology(&self) -> bool {
        self.recovery == Recovery::Topology
    }
}

impl ConnectionParameters {
    /// How the connection is recovered.
    pub(crate) fn recovery_settings(&self) -> RecoverySettings {
        RecoverySettings {
            recovery: self.recovery,
            delay: self.recovery_delay,
            max_delay: self.recovery_max_delay.max(self.recovery_delay),
            stable_after: self.recovery_stable_after,
            attempts: self.recovery_attempts,
            timeout: self.recovery_timeout,
            refusals: self.recovery_refusals,
            record_limit: self.recovery_record_limit,
            while_down: self.while_down,
            down_timeout: self.down_timeout,
        }
    }
}
