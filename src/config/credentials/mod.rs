//! Credentials: how the client proves to the broker who it is.

mod mechanism;
mod provider;
mod secret;

use std::fmt;
use std::sync::Arc;

use mechanism::{amqplain, once, plain};

pub use mechanism::{Exchange, Mechanism, MechanismError};
pub use provider::{CredentialsProvider, Provided, ProvidedFuture, ProviderError};
pub use secret::{Secret, SecretOctets};

pub(super) use secret::REDACTED;

/// How the client authenticates itself to the broker: one mechanism, or several in order of
/// preference, with the user, password or provider that they need.
///
/// The first mechanism whose exact name the broker offers is used. If the broker offers none of
/// them, opening fails with an authentication error that lists the mechanisms of both sides.
/// `Debug` shows the user and never the password.
///
/// ```
/// use leveret::config::Credentials;
///
/// let credentials = Credentials::external().or(Credentials::plain("user", "hunter2"));
/// assert_eq!(credentials.mechanism_names(), ["EXTERNAL", "PLAIN"]);
/// assert!(!format!("{credentials:?}").contains("hunter2"));
/// ```
#[derive(Clone)]
pub struct Credentials {
    user: String,
    password: Secret,
    mechanisms: Vec<Choice>,
    provider: Option<Arc<dyn CredentialsProvider>>,
    erase_on_connect: bool,
}

/// A mechanism that may be used.
#[derive(Clone)]
pub(super) enum Choice {
    Plain,
    AmqPlain,
    External,
    Custom(Arc<dyn Mechanism>),
}

/// A mechanism as the handshake uses it: its name, and a way to begin.
#[derive(Clone)]
pub(crate) struct Offer {
    credentials: Credentials,
    choice: Choice,
}

impl Credentials {
    /// Makes credentials of a user and a password for the mechanism `PLAIN` (RFC 4616), which every
    /// broker has. Either may be empty. Neither may contain a NUL character, which separates them.
    #[doc(alias = "PlainCredentials")]
    pub fn plain(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::with(user, password, Choice::Plain)
    }

    /// Makes credentials of a user and a password for the mechanism `AMQPLAIN`, which the earliest
    /// versions of AMQP used.
    pub fn amqplain(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::with(user, password, Choice::AmqPlain)
    }

    /// Makes credentials for the mechanism `EXTERNAL`: the broker derives the user from the
    /// transport, which with mutual TLS means from the client's certificate. RabbitMQ needs its
    /// plug-in
    /// [`rabbitmq_auth_mechanism_ssl`](https://www.rabbitmq.com/docs/ssl#peer-verification-configuration)
    /// for that.
    #[doc(alias = "ExternalCredentials")]
    pub fn external() -> Self {
        Self::with("", "", Choice::External)
    }

    /// Makes credentials for a custom mechanism.
    pub fn mechanism(mechanism: impl Mechanism + 'static) -> Self {
        Self::with("", "", Choice::Custom(Arc::new(mechanism)))
    }

    /// Makes credentials that a provider fetches when they are needed: at every open, and before
    /// they expire.
    pub fn provided_by(provider: impl CredentialsProvider + 'static) -> Self {
        Self { provider: Some(Arc::new(provider)), mechanisms: Vec::new(), ..Self::with("", "", Choice::External) }
    }

    fn with(user: impl Into<String>, password: impl Into<Secret>, choice: Choice) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
            mechanisms: vec![choice],
            provider: None,
            erase_on_connect: false,
        }
    }

    /// Adds the mechanisms of `other`, which are used if the broker offers none of those before
    /// them. There is one user and password: those of `self` if one of its mechanisms sends them,
    /// otherwise those of `other`.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        if !self.uses_password() && other.uses_password() {
            self.user = other.user;
            self.password = other.password;
        }
        self.mechanisms.extend(other.mechanisms);
        self.provider = self.provider.or(other.provider);
        self.erase_on_connect |= other.erase_on_connect;
        self
    }

    /// Sets whether the password is erased, in all clones, when the first open that uses it ends,
    /// whether that succeeds or not. A later open with these credentials fails with an
    /// authentication error.
    #[must_use]
    pub fn erase_on_connect(mut self, erase: bool) -> Self {
        self.erase_on_connect = erase;
        self
    }

    /// Returns the user; empty if no mechanism needs one.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the password, or the token that is sent in its place.
    pub fn password(&self) -> &Secret {
        &self.password
    }

    /// Returns the names of the mechanisms, in order of preference.
    pub fn mechanism_names(&self) -> Vec<&str> {
        self.mechanisms.iter().map(Choice::name).collect()
    }

    /// Returns `true` if the password is erased after its first use.
    pub fn erases_on_connect(&self) -> bool {
        self.erase_on_connect
    }

    /// Whether one of the mechanisms sends user and password.
    pub(super) fn uses_password(&self) -> bool {
        self.mechanisms.iter().any(|choice| matches!(choice, Choice::Plain | Choice::AmqPlain))
    }

    pub(super) fn set_login(&mut self, user: String, password: Option<Secret>) {
        self.user = user;
        if let Some(password) = password {
            self.password = password;
        }
    }

    pub(super) fn choices(&self) -> &[Choice] {
        &self.mechanisms
    }

    pub(super) fn set_choices(&mut self, choices: Vec<Choice>) {
        self.mechanisms = choices;
    }

    pub(crate) fn provider(&self) -> Option<&Arc<dyn CredentialsProvider>> {
        self.provider.as_ref()
    }

    /// The mechanisms to use, in order of preference.
    pub(crate) fn offers(&self) -> Vec<Offer> {
        self.mechanisms.iter().map(|choice| Offer { credentials: self.clone(), choice: choice.clone() }).collect()
    }
}

impl Choice {
    /// The name under which brokers offer it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Plain => "PLAIN",
            Self::AmqPlain => "AMQPLAIN",
            Self::External => "EXTERNAL",
            Self::Custom(mechanism) => mechanism.name(),
        }
    }
}

impl Offer {
    /// The name under which brokers offer it.
    pub(crate) fn name(&self) -> &str {
        self.choice.name()
    }

    /// Begins an exchange.
    pub(crate) fn begin(&self) -> Box<dyn Exchange> {
        let Credentials { user, password, .. } = &self.credentials;
        match &self.choice {
            Choice::Plain => once(plain(user, password)),
            Choice::AmqPlain => once(amqplain(user, password)),
            Choice::External => once(Ok(SecretOctets::default())),
            Choice::Custom(mechanism) => mechanism.begin(),
        }
    }
}

impl Default for Credentials {
    /// The user `guest` with the password `guest`.
    fn default() -> Self {
        Self::plain("guest", "guest")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("mechanisms", &self.mechanism_names())
            .field("user", &self.user)
            .field("password", &self.password)
            .field("provided", &self.provider.is_some())
            .field("erase_on_connect", &self.erase_on_connect)
            .finish()
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let credentials = Credentials::plain("u", "hunter2").or(Credentials::external());
        let printed = format!("{credentials:?} {credentials:#?}");
        assert!(printed.contains("\"u\"") && !printed.contains("hunter2"), "{printed}");
    }

    #[test]
    fn preferences_keep_their_order_and_the_login_that_there_is() {
        let credentials = Credentials::external().or(Credentials::amqplain("u", "p")).or(Credentials::plain("v", "q"));
        assert_eq!(credentials.mechanism_names(), ["EXTERNAL", "AMQPLAIN", "PLAIN"]);
        assert_eq!((credentials.user(), credentials.password().expose(str::to_owned)), ("u", "p".to_owned()));
    }
}
