//! Errors of opening a connection: each attempt, with its phase and its cause.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::ErrorKind;
use super::answers::Answer;
use super::hint::handshake_hint;
use crate::config::{Endpoint, ParametersError, ProviderError};
use crate::engine::{HandshakeError, HandshakeStep, Initiator};
use crate::protocol::ReplyCode;
use crate::wire::{Escaped, ShortString};

/// The phase in which an attempt to connect failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Resolving a name into addresses.
    Resolve,
    /// Connecting to an address by TCP.
    Connect,
    /// The handshake of TLS.
    Tls,
    /// Fetching credentials from their provider.
    Credentials,
    /// The handshake of AMQP, from the protocol header to the open virtual host.
    Handshake,
}

impl Phase {
    /// Returns the name, such as `resolve` or `TLS`. `Display` prints the same. The names do not
    /// change in later versions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "TLS",
            Self::Credentials => "credentials",
            Self::Handshake => "handshake",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How far an attempt to connect has progressed.
#[derive(Debug)]
pub(crate) struct Progress {
    /// `None` if the transport is the caller's.
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) phase: Phase,
}

/// Why a phase failed.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The error of the transport.
    Io(io::Error),
    /// TLS cannot be set up, or one side refused it.
    Tls(Box<dyn Error + Send + Sync>),
    /// It took longer than this parameter allows.
    TimedOut { parameter: &'static str, limit: Duration },
    /// The provider of credentials has none.
    Provider(ProviderError),
    /// The handshake failed.
    Handshake(HandshakeError),
}

impl Cause {
    /// Whether TLS is the cause. It may show in a later phase: with TLS 1.3, a broker that requires
    /// a certificate reports that after the handshake of TLS.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(_) => ErrorKind::Io,
            Self::Tls(_) => ErrorKind::Tls,
            Self::TimedOut { .. } => ErrorKind::TimedOut,
            Self::Provider(_) => ErrorKind::Authentication,
            Self::Handshake(error) => handshake_kind(error),
        }
    }

    fn initiator(&self) -> Initiator {
        match self {
            Self::Io(_) | Self::Handshake(HandshakeError::EndOfStream(_)) => Initiator::Transport,
            Self::Handshake(HandshakeError::Refused { .. }) => Initiator::Broker,
            Self::Tls(_) | Self::TimedOut { .. } | Self::Provider(_) | Self::Handshake(_) => Initiator::Client,
        }
    }

    /// Whether the same attempt may succeed later.
    fn is_retryable(&self) -> bool {
        match self {
            Self::Handshake(HandshakeError::Refused { code, text, .. }) => {
                Answer::find(*code, &text.to_string()).is_some_and(|answer| answer.passes)
            }
            // The broker is stopping, or is behind a load balancer and has stopped. It refused
            // nothing.
            Self::Handshake(HandshakeError::EndOfStream(HandshakeStep::Start)) => true,
            // The provider is asked again, and the failure may be one of its own network.
            // Credentials that cannot be sent stay so.
            Self::Provider(error) => !error.is::<ParametersError>(),
            _ => matches!(self.kind(), ErrorKind::Io | ErrorKind::TimedOut),
        }
    }

    /// The inner error, whose text is part of this one's.
    fn get_ref(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            #[cfg(feature = "tls")]
            Self::Tls(error) => Some(crate::tls::typed(&**error)),
            #[cfg(not(feature = "tls"))]
            Self::Tls(error) => Some(&**error),
            Self::Provider(error) => Some(&**error),
            Self::Handshake(error) => Some(error),
            Self::TimedOut { .. } => None,
        }
    }

    /// What to do about it, as a clause without a full stop; `phase` is where it happened.
    fn hint(&self, phase: Phase) -> Option<&'static str> {
        Some(match self {
            Self::Io(_) if phase == Phase::Resolve => "check the host's name, and that this machine can resolve it",
            Self::Io(_) if phase == Phase::Connect => "check that a broker runs there and listens on that port",
            Self::Handshake(error) => return handshake_hint(error),
            Self::Io(_) | Self::Tls(_) | Self::TimedOut { .. } | Self::Provider(_) => return None,
        })
    }

    /// The broker's code and text, if it refused.
    fn refusal(&self) -> Option<(ReplyCode, &ShortString)> {
        match self {
            Self::Handshake(HandshakeError::Refused { code, text, .. }) => Some((*code, text)),
            _ => None,
        }
    }
}

impl From<io::Error> for Cause {
    /// An error of the transport, or of the TLS on it.
    fn from(error: io::Error) -> Self {
        #[cfg(feature = "tls")]
        return crate::tls::explain(error, true).map_or_else(Self::Io, Self::Tls);
        #[cfg(not(feature = "tls"))]
        Self::Io(error)
    }
}

fn handshake_kind(error: &HandshakeError) -> ErrorKind {
    match error {
        HandshakeError::NoCommonMechanism { .. }
        | HandshakeError::Mechanism { .. }
        | HandshakeError::EndOfStream(HandshakeStep::Authentication) => ErrorKind::Authentication,
        HandshakeError::EndOfStream(HandshakeStep::Open) => ErrorKind::AccessRefused,
        HandshakeError::Refused { code: ReplyCode::CONNECTION_FORCED, .. } => ErrorKind::ConnectionClosed,
        HandshakeError::Refused { step: HandshakeStep::Authentication, code: ReplyCode::ACCESS_REFUSED, .. } => {
            ErrorKind::Authentication
        }
        HandshakeError::Refused { .. } => ErrorKind::AccessRefused,
        HandshakeError::Encode(_) => ErrorKind::Encode,
        HandshakeError::FrameMaxTooSmall { .. } => ErrorKind::Parameters,
        _ => ErrorKind::Protocol,
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{}", Escaped(error)),
            Self::Tls(error) => write!(f, "{}", Escaped(error)),
            Self::TimedOut { parameter, limit } => write!(f, "not done within {limit:?} ({parameter})"),
            Self::Provider(error) => write!(f, "no credentials: {}", Escaped(error)),
            Self::Handshake(error) => write!(f, "{error}"),
        }
    }
}

/// A failed attempt to connect: its address, its phase and its cause.
///
/// `Display` prints these in one line. [`get_ref`](Attempt::get_ref) returns the cause.
#[derive(Debug)]
pub struct Attempt {
    endpoint: Option<Endpoint>,
    address: Option<SocketAddr>,
    phase: Phase,
    pub(crate) cause: Cause,
}

impl Attempt {
    pub(crate) fn new(progress: Progress, cause: Cause) -> Self {
        let Progress { endpoint, address, phase } = progress;
        Self { endpoint, address, phase, cause }
    }

    /// Returns the endpoint, or `None` if the transport was the caller's.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// Returns the address, or `None` if the attempt failed before there was one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Returns the phase in which the attempt failed.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.cause.kind()
    }

    /// Returns `true` if the same attempt may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.cause.is_retryable()
    }

    /// Returns what to do about it, as a clause without a full stop, or `None` if the text of the
    /// error says so already.
    pub fn hint(&self) -> Option<&'static str> {
        self.cause.hint(self.phase)
    }

    /// Returns the error that is the cause, if there is one: the [`io::Error`] of the transport or
    /// of TLS, the error of a provider of credentials or of a mechanism, or a [`HandshakeError`].
    ///
    /// Its text is already part of this error's `Display`. As with [`io::Error`],
    /// [`source`](Error::source) returns the source of that error.
    pub fn get_ref(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.get_ref()
    }

    /// The endpoint and address, as text.
    fn place(&self) -> Option<String> {
        let endpoint = self.endpoint.as_ref()?;
        Some(match self.address {
            Some(address) if address.to_string() == endpoint.to_string() => address.to_string(),
            Some(address) => format!("{endpoint} at {address}"),
            None => endpoint.to_string(),
        })
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Some(place) => write!(f, "{place}, {}: {}", self.phase, self.cause),
            None => write!(f, "{}: {}", self.phase, self.cause),
        }
    }
}

impl Error for Attempt {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.get_ref()?.source()
    }
}

/// The error of opening a connection.
#[derive(Debug)]
pub(crate) struct ConnectError {
    attempts: Vec<Attempt>,
    /// How many earlier attempts are not kept.
    forgotten: u64,
    /// The cause if the time for the whole open was over.
    out_of_time: Option<Cause>,
}

impl ConnectError {
    pub(crate) fn new(attempts: Vec<Attempt>, forgotten: u64, out_of_time: Option<Cause>) -> Self {
        Self { attempts, forgotten, out_of_time }
    }

    /// Makes the error of a thread for the connection that cannot be started.
    pub(crate) fn no_thread(error: &io::Error) -> Self {
        let text = format!("no thread for the connection (driver_thread): {error}");
        let progress = Progress { endpoint: None, address: None, phase: Phase::Connect };
        Self::new(vec![Attempt::new(progress, Cause::Io(io::Error::new(error.kind(), text)))], 0, None)
    }

    /// Makes the error of a connector that gave no transport.
    #[cfg(any(feature = "tokio", feature = "readiness"))]
    pub(crate) fn no_transport(cause: Cause) -> Self {
        let progress = Progress { endpoint: None, address: None, phase: Phase::Connect };
        Self::new(vec![Attempt::new(progress, cause)], 0, None)
    }

    pub(crate) fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The most significant attempt: the last one of those that progressed furthest.
    pub(crate) fn most_significant(&self) -> Option<&Attempt> {
        self.attempts.iter().max_by_key(|attempt| attempt.phase)
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        match (&self.out_of_time, self.most_significant()) {
            (Some(_), _) | (None, None) => ErrorKind::TimedOut,
            (None, Some(attempt)) => attempt.kind(),
        }
    }

    /// Which side caused the failure. It is the client if the time was over, or if the client could
    /// not accept what the peer sent.
    pub(crate) fn initiator(&self) -> Option<Initiator> {
        match (&self.out_of_time, self.most_significant()) {
            (Some(_), _) => Some(Initiator::Client),
            (None, attempt) => Some(attempt?.cause.initiator()),
        }
    }

    pub(crate) fn is_retryable(&self) -> bool {
        self.out_of_time.is_some() || self.attempts.iter().any(Attempt::is_retryable)
    }

    pub(crate) fn hint(&self) -> Option<&'static str> {
        self.most_significant()?.hint()
    }

    pub(crate) fn refusal(&self) -> Option<(ReplyCode, &ShortString)> {
        self.most_significant()?.cause.refusal()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot connect")?;
        if let Some(cause) = &self.out_of_time {
            write!(f, ": {cause}")?;
        }
        match &self.attempts[..] {
            [] => Ok(()),
            [attempt] => write!(f, ": {attempt}"),
            attempts => {
                write!(f, " in {} attempts", self.forgotten.saturating_add(attempts.len() as u64))?;
                attempts
                    .iter()
                    .zip(self.forgotten + 1..)
                    .try_for_each(|(attempt, number)| write!(f, "; {number}. {attempt}"))
            }
        }
    }
}
