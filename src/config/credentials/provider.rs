//! Credentials that are fetched when they are needed, such as OAuth 2 tokens.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::config::Credentials;

/// A source of credentials, which is asked for fresh ones at every open and again before they
/// expire: see [`Credentials::provided_by`](super::Credentials::provided_by).
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
    /// The future may take `credentials_timeout`, and is dropped after that. If it fails, the
    /// attempt to connect fails as with credentials that cannot be sent, and the error of the
    /// future is the source of that error. While there are `connection_attempts` left, the provider
    /// is asked again.
    ///
    /// The future runs on the task that opens the connection and, for a renewal, in a task of its
    /// own. It must not block its thread.
    fn provide(&self) -> ProvidedFuture<'_>;
}

/// The future that a provider returns.
pub type ProvidedFuture<'a> = Pin<Box<dyn Future<Output = Result<Provided, ProviderError>> + Send + 'a>>;

/// Why a provider has no credentials.
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

/// Fresh credentials, and how long they are valid.
#[derive(Debug, Clone)]
pub struct Provided {
    pub(crate) credentials: Credentials,
    pub(crate) valid_for: Option<Duration>,
}

impl Provided {
    /// Sets the time after which the credentials expire. After four fifths of it, the provider is
    /// asked again, and the new secret is sent to the broker (`connection.update_secret`). Without
    /// it, the credentials do not expire.
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
