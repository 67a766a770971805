//! Tests of parameters from URLs and by field, through the public API of the room.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod fields;
mod printing;
mod readme;
mod recovery;
mod secrecy;
#[cfg(feature = "serde")]
mod serialized;
mod urls;

use super::{ConnectionParameters, Credentials, ParametersError};

fn from_url(url: &str) -> ConnectionParameters {
    ConnectionParameters::from_url(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn refused(url: &str) -> ParametersError {
    match ConnectionParameters::from_url(url) {
        Ok(parameters) => panic!("{url} gives {parameters:?}"),
        Err(error) => error,
    }
}

/// All parameters as text, including the password.
fn everything(parameters: &ConnectionParameters) -> String {
    format!("{parameters:?} {}", parameters.credentials.password().expose(str::to_owned))
}

fn base() -> ConnectionParameters {
    ConnectionParameters::default()
}

fn h() -> ConnectionParameters {
    base().host("h")
}

fn plain(user: &str, password: &str) -> ConnectionParameters {
    h().credentials(Credentials::plain(user, password))
}
