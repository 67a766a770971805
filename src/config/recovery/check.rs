//! Parameters of recovery that contradict each other.

use super::Recovery;
use crate::config::parameters::print_seconds;
use crate::config::{ConnectionParameters, ParametersError, ParametersErrorKind};

use ParametersErrorKind::{Conflict, OutOfRange};

impl ConnectionParameters {
    /// Checks, besides [`ConnectionParameters::validate`], the parameters of a connection on one
    /// transport that the caller gives, which cannot be made again after a loss.
    ///
    /// # Errors
    ///
    /// Returns an error if they have recovery.
    pub(crate) fn check_one_transport(&self) -> Result<(), ParametersError> {
        if self.recovery == Recovery::None {
            return Ok(());
        }
        let advice = "a given transport cannot be made again: open_with takes a function that makes it";
        Err(ParametersError::new(Conflict, "recovery", advice))
    }

    /// Checks that the parameters of recovery, each within its bounds, go together.
    pub(in crate::config) fn check_recovery(&self) -> Result<(), ParametersError> {
        if self.recovery_delay > self.recovery_max_delay {
            let longest = print_seconds(self.recovery_max_delay);
            let advice = format!("allowed is at most recovery_max_delay, which is {longest} s");
            let error = ParametersError::new(OutOfRange, "recovery_delay", advice);
            return Err(error.given(print_seconds(self.recovery_delay)));
        }
        if self.on_recovered.is_some() && self.channel_max == 1 {
            let advice = "on_recovered needs a channel of its own: allowed is 0 or at least 2";
            return Err(ParametersError::new(Conflict, "channel_max", advice).given("1"));
        }
        let credentials = &self.credentials;
        let is_erased = credentials.erases_on_connect() && credentials.uses_password();
        if self.recovery != Recovery::None && is_erased && credentials.provider().is_none() {
            let advice = "recovery needs the password again: leave one of them out, or use a provider of credentials";
            return Err(ParametersError::new(Conflict, "erase_on_connect", advice));
        }
        Ok(())
    }
}
