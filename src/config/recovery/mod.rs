//! What happens after a connection is lost: the parameters of recovery.

mod access;
mod check;
mod hooks;
mod policy;
mod settings;

pub use hooks::{OnRecovered, RecoverWhen, RecoveryFilter};
pub use policy::{ChannelRecovery, Recovery, Resend, WhileDown};

pub(crate) use settings::RecoverySettings;

pub(super) use access::{CHANNEL_RECOVERY, RECOVERY, RESEND, WHILE_DOWN, WHILE_DOWN_BUFFER};
