//! The error of generation, which only a bug in the generator causes.

use std::{error::Error, fmt};

/// The output of the generator is not Rust. A resolved protocol never causes this; please report
/// it.
#[derive(Debug, Clone)]
pub struct EmitError {
    wanted: &'static str,
    source: syn::Error,
}

impl EmitError {
    pub(super) fn new(wanted: &'static str, source: syn::Error) -> Self {
        Self { wanted, source }
    }
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not {}: {}", self.wanted, self.source)
    }
}

impl Error for EmitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
