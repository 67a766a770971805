//! SASL mechanisms (RFC 4422): how the client authenticates itself, in one or several rounds.

use std::error::Error;
use std::fmt;

use crate::config::{Secret, SecretOctets};
use crate::wire::{FieldTable, FieldValue, ShortString, Writer};

/// A custom SASL mechanism, for [`Credentials::mechanism`](super::Credentials::mechanism).
///
/// The broker offers mechanisms by name in `connection.start`. A mechanism is used if the broker
/// offers exactly its name. It makes the response of `connection.start-ok`, and then answers each
/// `connection.secure` with a `connection.secure-ok`, as many as the broker sends within
/// `handshake_timeout` (AMQP 0-9-1 §1.4.2.3).
///
/// ```
/// use leveret::config::{Credentials, Exchange, Mechanism, MechanismError, SecretOctets};
///
/// /// RabbitMQ's demonstration of a challenge: the user first, the password when it is asked for.
/// struct Demo;
///
/// impl Mechanism for Demo {
///     fn name(&self) -> &str {
///         "RABBIT-CR-DEMO"
///     }
///
///     fn begin(&self) -> Box<dyn Exchange> {
///         Box::new(|challenge: Option<&[u8]>| -> Result<SecretOctets, MechanismError> {
///             match challenge {
///                 None => Ok("guest".into()),
///                 Some(b"Please tell me your password") => Ok("My password is guest".into()),
///                 Some(_) => Err("an unknown challenge".into()),
///             }
///         })
///     }
/// }
///
/// let credentials = Credentials::mechanism(Demo);
/// assert_eq!(credentials.mechanism_names(), ["RABBIT-CR-DEMO"]);
/// ```
pub trait Mechanism: Send + Sync {
    /// Returns the name under which brokers offer the mechanism; case matters.
    fn name(&self) -> &str;

    /// Begins an exchange; called once for each handshake.
    fn begin(&self) -> Box<dyn Exchange>;
}

/// One run of a [`Mechanism`]. Closures with the signature of [`respond`](Self::respond) are
/// exchanges too.
///
/// It runs on the task that opens the connection, between reads and writes, so it should not block.
/// Work that takes time, such as fetching a token, belongs in a
/// [`CredentialsProvider`](super::CredentialsProvider).
pub trait Exchange: Send {
    /// Returns the response to a challenge of the broker; for the first response, `challenge` is
    /// `None`.
    ///
    /// # Errors
    ///
    /// Returns an error if the challenge cannot be answered. Opening then fails with an
    /// authentication error whose source is this error.
    fn respond(&mut self, challenge: Option<&[u8]>) -> Result<SecretOctets, MechanismError>;
}

/// Why a challenge cannot be answered.
pub type MechanismError = Box<dyn Error + Send + Sync>;

impl<F> Exchange for F
where
    F: FnMut(Option<&[u8]>) -> Result<SecretOctets, MechanismError> + Send,
{
    fn respond(&mut self, challenge: Option<&[u8]>) -> Result<SecretOctets, MechanismError> {
        self(challenge)
    }
}

/// Makes the exchange of a mechanism that has one round.
pub(super) fn once(response: Result<SecretOctets, MechanismError>) -> Box<dyn Exchange> {
    let mut response = Some(response);
    Box::new(move |challenge: Option<&[u8]>| match (challenge, response.take()) {
        (None, Some(response)) => response,
        _ => Err(Box::from(UnexpectedChallenge)),
    })
}

/// The error of a mechanism with one round that the broker challenges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct UnexpectedChallenge;

impl fmt::Display for UnexpectedChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the mechanism has one response, and the broker asks for another")
    }
}

impl Error for UnexpectedChallenge {}

/// The error of a password that was [erased](Secret::erase).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Erased;

impl fmt::Display for Erased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the password was erased after its first use (erase_on_connect): give new credentials")
    }
}

impl Error for Erased {}

/// The response of PLAIN (RFC 4616): NUL, user, NUL, password, in UTF-8.
pub(super) fn plain(user: &str, password: &Secret) -> Result<SecretOctets, MechanismError> {
    with_password(password, |password| {
        let mut response = SecretOctets::with_capacity(user.len() + password.len() + 2);
        for part in [b"\0", user.as_bytes(), b"\0", password.as_bytes()] {
            response.extend(part);
        }
        Ok(response)
    })
}

/// The response of AMQPLAIN: a table of LOGIN and PASSWORD, without the four bytes of its size.
pub(super) fn amqplain(user: &str, password: &Secret) -> Result<SecretOctets, MechanismError> {
    const SIZE: usize = 4;

    with_password(password, |password| {
        let login = FieldTable::from([(ShortString::from_static("LOGIN"), FieldValue::from(user))]);
        let mut octets = Vec::new();
        Writer::new(&mut octets).table(&login)?;
        let mut response = SecretOctets::with_capacity(octets.len() + password.len() + 16);
        response.extend(octets.get(SIZE..).unwrap_or_default());
        // Encoded by hand: a field value with the password would not be overwritten in memory.
        response.extend(b"\x08PASSWORDS");
        response.extend(&u32::try_from(password.len())?.to_be_bytes());
        response.extend(password.as_bytes());
        Ok(response)
    })
}

fn with_password(
    password: &Secret,
    respond: impl FnOnce(&str) -> Result<SecretOctets, MechanismError>,
) -> Result<SecretOctets, MechanismError> {
    if password.is_erased() { Err(Box::from(Erased)) } else { password.expose(respond) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn hexadecimal(response: &SecretOctets) -> String {
        response.expose().iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn plain_answers_with_user_and_password_behind_a_nul_each() {
        assert_eq!(hexadecimal(&plain("guest", &"guest".into()).unwrap()), "006775657374006775657374");
        assert_eq!(plain("ü", &"".into()).unwrap().expose(), [0, 0xc3, 0xbc, 0]);
    }

    #[test]
    fn amqplain_answers_with_a_table_of_both() {
        // As Pika's encode_table writes {'LOGIN': 'guest', 'PASSWORD': 'guest'}, its length left
        // out.
        let expected = "054c4f47494e530000000567756573740850415353574f52445300000005677565 7374".replace(' ', "");
        assert_eq!(hexadecimal(&amqplain("guest", &"guest".into()).unwrap()), expected);
    }

    #[test]
    fn a_mechanism_of_one_round_answers_no_challenge() {
        let mut exchange = once(Ok("response".into()));
        assert_eq!(exchange.respond(None).unwrap().expose(), b"response");
        assert!(exchange.respond(Some(b"?")).unwrap_err().to_string().contains("one response"));
    }

    #[test]
    fn an_erased_password_is_an_error_and_not_an_empty_one() {
        let password = Secret::from("p");
        password.erase();
        assert!(plain("u", &password).unwrap_err().to_string().contains("erase_on_connect"));
        assert!(amqplain("u", &password).is_err());
    }

    #[test]
    fn secret_octets_grow_and_are_never_printed() {
        let mut octets = SecretOctets::with_capacity(1);
        octets.extend(b"hun");
        octets.extend(b"ter2");
        assert_eq!((octets.expose(), format!("{octets:?}").as_str()), (&b"hunter2"[..], "<redacted>"));
    }
}
