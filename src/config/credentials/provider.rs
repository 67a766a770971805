//! Credentials that somebody fetches when they are needed, such as OAuth 2 tokens.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::config::Credentials;

/// Asked for fresh credentials on every open, and again before they expire: see
/// [`Credentials::provided_by`](super::Credentials::provided_by).
///
/// Closures that return a future are providers too:
///
/// ```
/// use std::time::Duration;
///
/// use leveret::config::{ConnectionParameters, Credentials, Provided};
///
/// async fn token() -> Result<String, std::io::Error> {
///     Ok("a token, from an OAuth 2 server".to_owned())
/// }
///
/// let credentials = Credentials::provided_by(|| async {
///     // RabbitMQ takes a token in the place of the password.
///     let credentials = Credentials::plain("", token().await?);
///     Ok(Provided::from(credentials).valid_for(Duration::from_secs(3600)))
/// });
/// let parameters = ConnectionParameters::default().credentials(credentials);
/// assert!(parameters.validate().is_ok());
/// ```
pub trait CredentialsProvider: Send + Sync {
    /// Fetches credentials.
    ///
    /// It runs within `credentials_timeout`, and is dropped when that is over. What it fails with
    /// is the error's source; the attempt to connect fails with it, as with credentials that cannot
    /// be sent. While there are `connection_attempts` left, it is asked again.
    ///
    /// The future runs on the task that opens the connection and, later, beside the one that drives
    /// it: it has to wait without blocking its thread.
    fn provide(&self) -> ProvidedFuture<'_>;
}

/// What a provider is working on.
pub type ProvidedFuture<'a> = Pin<Box<dyn Future<Output = Result<Provided, ProviderError>> + Send + 'a>>;

/// Why a provider has none.
pub type ProviderError = Box<dyn Error + Send + Sync>;

impl<F, R> CredentialsProvider for F
where
    F: Fn() -> R + Send + Sync,
    R: Future<Output = Result<Provided, ProviderError>> + Send + 'static,
{
    fn provide(&self) -> ProvidedFuture<'_> {
        Box::pin(self())
    }
}

/// Fresh credentials, and how long they are good for.
#[derive(Debug, Clone)]
pub struct Provided {
    pub(crate) credentials: Credentials,
    pub(crate) valid_for: Option<Duration>,
}

impl Provided {
    /// They expire after this time. When four fifths of it are over, the provider is asked again,
    /// and the broker is told the new secret (`connection.update_secret`). Without this they last.
    #[must_use]
    pub fn valid_for(self, valid_for: Duration) -> Self {
        Self { valid_for: Some(valid_for), ..self }
    }
}

impl From<Credentials> for Provided {
    fn from(credentials: Credentials) -> Self {
        Self { credentials, valid_for: None }
    }
}
