//! All numbers and choices of recovery at once, for those who perform it.

use std::time::Duration;

use super::{ChannelRecovery, Recovery, Resend, WhileDown};
use crate::config::ConnectionParameters;

/// The parameters of recovery, without closures. The fields of [`ConnectionParameters`] describe
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecoverySettings {
    pub(crate) recovery: Recovery,
    pub(crate) delay: Duration,
    pub(crate) max_delay: Duration,
    pub(crate) stable_after: Duration,
    pub(crate) attempts: Option<u32>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) refusals: u32,
    pub(crate) record_limit: usize,
    pub(crate) while_down: WhileDown,
    pub(crate) down_timeout: Duration,
    pub(crate) resend: Resend,
    pub(crate) resend_limit: usize,
    pub(crate) channel_recovery: ChannelRecovery,
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
    /// The parameters of recovery, without closures.
    pub(crate) fn recovery_settings(&self) -> RecoverySettings {
        RecoverySettings {
            recovery: self.recovery,
            delay: self.recovery_delay,
            max_delay: self.recovery_max_delay,
            stable_after: self.recovery_stable_after,
            attempts: self.recovery_attempts,
            timeout: self.recovery_timeout,
            refusals: self.recovery_refusals,
            record_limit: self.recovery_record_limit,
            while_down: self.while_down,
            down_timeout: self.down_timeout,
            resend: self.resend,
            resend_limit: self.resend_limit,
            channel_recovery: self.channel_recovery,
        }
    }
}
