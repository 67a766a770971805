//! Who the client is, and what it must not tell anybody but the broker.

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

/// What proves to the broker who the client is: a mechanism, or several in order of preference, and
/// what they need.
///
/// The first one that the broker offers, under exactly its name, is used; where there is none,
/// opening fails with an authentication error that lists both sides. `Debug` shows the user and
/// never the password.
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
    /// A user and a password, for the mechanism `PLAIN` (RFC 4616), which every broker has. Either
    /// may be empty; neither may hold a NUL, which separates them.
    #[doc(alias = "PlainCredentials")]
    pub fn plain(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::with(user, password, Choice::Plain)
    }

    /// A user and a password, for `AMQPLAIN`, which the earliest versions of AMQP used.
    pub fn amqplain(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::with(user, password, Choice::AmqPlain)
    }

    /// Who the client is follows from the transport (`EXTERNAL`): from its certificate, with mutual
    /// TLS. RabbitMQ needs its plug-in
    /// [`rabbitmq_auth_mechanism_ssl`](https://www.rabbitmq.com/docs/ssl#peer-verification-configuration)
    /// for that.
    #[doc(alias = "ExternalCredentials")]
    pub fn external() -> Self {
        Self::with("", "", Choice::External)
    }

    /// A mechanism of one's own.
    pub fn mechanism(mechanism: impl Mechanism + 'static) -> Self {
        Self::with("", "", Choice::Custom(Arc::new(mechanism)))
    }

    /// Credentials that are fetched when they are needed: on every open, and before they expire.
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

    /// Adds the mechanisms of `other`, to be used where the broker offers none of these. A user and
    /// password among them are the first that there are.
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

    /// Forgets the password for good, in all clones, once an open that used it is over, however
    /// that ended. A later open with it is an authentication error.
    #[must_use]
    pub fn erase_on_connect(mut self, erase: bool) -> Self {
        self.erase_on_connect = erase;
        self
    }

    /// The user; empty where no mechanism needs one.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password, or what stands in its place.
    pub fn password(&self) -> &Secret {
        &self.password
    }

    /// The names of the mechanisms, in order of preference.
    pub fn mechanism_names(&self) -> Vec<&str> {
        self.mechanisms.iter().map(Choice::name).collect()
    }

    /// Whether the password is forgotten after use.
    pub fn erases_on_connect(&self) -> bool {
        self.erase_on_connect
    }

    /// A mechanism is among them that sends user and password.
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

    /// What to offer to the broker, in order of preference.
    pub(crate) fn offers(&self) -> Vec<Offer> {
        self.mechanisms.iter().map(|choice| Offer { credentials: self.clone(), choice: choice.clone() }).collect()
    }
}

impl Choice {
    /// The name by which brokers offer it.
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
    /// The name by which brokers offer it.
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
