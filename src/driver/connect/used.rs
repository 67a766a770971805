//! Secrets that are erased after an open.

use std::sync::{Mutex, PoisonError};

use crate::config::{Credentials, Secret};

/// Passwords that were used and that are to be erased after use. They are erased when this is
/// dropped, which happens however an open ends: in time, by a deadline, or because its future is
/// dropped.
#[derive(Default)]
pub(super) struct Used(Mutex<Vec<Secret>>);

impl Used {
    /// Records credentials whose response is about to be sent.
    pub(super) fn note(&self, credentials: &Credentials) {
        if credentials.erases_on_connect() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(credentials.password().clone());
        }
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        let used = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        used.iter().for_each(Secret::erase);
    }
}
