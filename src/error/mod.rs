//! The one public error: opaque, with a kind, the initiator, the reply code, and predicates.

mod answers;
mod connect;
mod event;
mod hint;
mod kind;
mod outcome;
mod predicates;
mod shown;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use crate::config::ParametersError;
use crate::engine::{Closure, Failure, Initiator, Reason, Returned, Settled};
use crate::protocol::{MethodId, ReplyCode, method_name};
use crate::wire::DecodeError;

pub use connect::{Attempt, Phase};
pub(crate) use connect::{Cause as ConnectCause, ConnectError, Progress};
pub use event::{ChannelEvent, ConnectionEvent};
pub use kind::ErrorKind;
pub(crate) use outcome::{confirmed, end_of_deliveries};

use answers::Answer;
use kind::{closure_kind, failure_kind};

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something did not happen.
///
/// What failed because a channel or connection was closed reports the first cause: its [reply
/// code](Error::reply_code), [text](Error::reply_text), [method](Error::method) and
/// [initiator](Error::initiator).
///
/// `Display` is one line that says what happened; what to do about it is [`hint`](Error::hint).
/// `Debug` is for people too, so that a `main` that returns this error says something useful: the
/// line, what is behind it, and the hint. `{:#?}` shows what it is made of. In each of these the
/// broker's words are [escaped](crate::wire::Escaped).
///
/// ```
/// use leveret::{Connection, ErrorKind};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let error = Connection::open("amqp://localhost?heartbaet=5").await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Parameters);
/// assert!(error.to_string().contains("heartbeat"), "it names the nearest key");
/// # });
/// ```
#[derive(Clone)]
pub struct Error {
    cause: Arc<Cause>,
}

#[derive(Debug)]
enum Cause {
    Parameters(ParametersError),
    Connect(ConnectError),
    Failure(Failure),
    /// A channel or connection is over, and nothing was asked of it.
    Closed(Arc<Closure>),
    Decode(DecodeError),
    ConsumerCancelled,
    /// Bytes that waited for it, and that may wait for all consumers of the connection.
    ConsumerOverflowed {
        waited: u64,
        limit: u64,
    },
    Nacked,
    Returned(Box<Returned>),
    PerhapsReturned,
    Unsettled(Settled),
    NothingToSettle,
    /// What the runtime that a connection was to be opened on lacks.
    NoRuntime(&'static str),
    /// A wait on the thread that drives a connection.
    WaitsOnDriver,
    /// Something was asked of a connection that is not open yet.
    NotOpen,
    /// An open was given up by the application.
    GivenUp,
}

impl Error {
    fn new(cause: Cause) -> Self {
        Self { cause: Arc::new(cause) }
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        match &*self.cause {
            Cause::Parameters(_) => ErrorKind::Parameters,
            Cause::Connect(error) => error.kind(),
            Cause::Failure(failure) => failure_kind(failure),
            Cause::Closed(closure) => closure_kind(closure),
            Cause::Decode(_) => ErrorKind::Decode,
            Cause::ConsumerCancelled => ErrorKind::ConsumerCancelled,
            Cause::ConsumerOverflowed { .. } => ErrorKind::ConsumerOverflowed,
            Cause::Nacked => ErrorKind::Nacked,
            Cause::Unsettled(settled) if settled.nacked > 0 => ErrorKind::Nacked,
            Cause::Returned(_) | Cause::PerhapsReturned | Cause::Unsettled(_) => ErrorKind::Returned,
            Cause::NothingToSettle | Cause::NoRuntime(_) | Cause::WaitsOnDriver | Cause::NotOpen => ErrorKind::Usage,
            Cause::GivenUp => ErrorKind::ConnectionClosed,
        }
    }

    /// Why the channel or connection is closed, where that is the reason.
    fn closure(&self) -> Option<&Closure> {
        match &*self.cause {
            Cause::Failure(Failure::Closed { closure, .. }) | Cause::Closed(closure) => Some(closure),
            _ => None,
        }
    }

    /// The kind of the transport's error, where that is the reason.
    fn transport_kind(&self) -> Option<io::ErrorKind> {
        match (&*self.cause, self.close_reason()) {
            (Cause::Connect(error), _) if error.kind() == ErrorKind::Io => {
                error.telling()?.get_ref()?.downcast_ref::<io::Error>().map(io::Error::kind)
            }
            (_, Some(Reason::Io(kind, _))) => Some(*kind),
            _ => None,
        }
    }

    /// Every attempt to connect, in order, where that is what failed; of more than 1024 the last
    /// ones.
    pub fn attempts(&self) -> &[Attempt] {
        match &*self.cause {
            Cause::Connect(error) => error.attempts(),
            _ => &[],
        }
    }

    /// Whose decision it was, where the channel or connection is closed or could not be opened.
    pub fn initiator(&self) -> Option<Initiator> {
        match &*self.cause {
            Cause::Connect(error) => error.initiator(),
            _ => self.closure().map(Closure::initiator),
        }
    }

    /// Why the channel or connection is closed, where that is what failed.
    pub fn close_reason(&self) -> Option<&Reason> {
        self.closure().map(|closure| &closure.reason)
    }

    /// The code of the close or refusal that is the reason, the broker's or the client's own, or of
    /// a returned message.
    pub fn reply_code(&self) -> Option<ReplyCode> {
        match &*self.cause {
            Cause::Connect(error) => error.refusal().map(|(code, _)| code),
            Cause::Returned(returned) => Some(returned.reply_code),
            _ => self.closure().and_then(|closure| closure.reply_code),
        }
    }

    /// The text that goes with it: the broker's words as they came, line breaks and all; where it
    /// said nothing, the client's. [`Escaped`](crate::wire::Escaped) makes it safe to show.
    pub fn reply_text(&self) -> Option<String> {
        match &*self.cause {
            Cause::Connect(error) => error.refusal().map(|(_, text)| text.to_string()),
            Cause::Returned(returned) => Some(returned.reply_text.to_string()),
            _ => self.closure().map(|closure| closure.reply_text.clone()),
        }
    }

    /// The method that the broker blames, such as `queue.declare`.
    pub fn method(&self) -> Option<&'static str> {
        self.method_id().and_then(method_name)
    }

    /// The ids of the method that the broker blames.
    pub fn method_id(&self) -> Option<MethodId> {
        self.closure().and_then(|closure| closure.method)
    }

    /// The message that came back, where that is the reason.
    pub fn returned(&self) -> Option<&Returned> {
        match &*self.cause {
            Cause::Returned(returned) => Some(returned),
            _ => None,
        }
    }

    /// The error behind this one, whose text this one's `Display` has already: the
    /// `ParametersError`, the [`Attempt`] to connect that tells most, the error of encoding or
    /// decoding, or the [`Violation`](crate::engine::Violation).
    ///
    /// As with [`io::Error`], [`source`](std::error::Error::source) goes on behind it: who prints a
    /// chain prints nothing twice.
    pub fn get_ref(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.cause {
            Cause::Parameters(error) => Some(error),
            Cause::Connect(error) => error.telling().map(|attempt| attempt as _),
            Cause::Failure(Failure::Encode(error)) => Some(error),
            Cause::Decode(error) => Some(error),
            _ => match self.close_reason() {
                Some(Reason::Violation(violation)) => Some(violation),
                _ => None,
            },
        }
    }

    /// How many publishes were refused or returned, where
    /// [`wait_for_confirms`](crate::Publisher::wait_for_confirms) failed of it.
    pub fn settled(&self) -> Option<Settled> {
        match &*self.cause {
            Cause::Unsettled(settled) => Some(*settled),
            _ => None,
        }
    }

    pub(crate) fn unsettled(settled: Settled) -> Self {
        Self::new(Cause::Unsettled(settled))
    }

    pub(crate) fn nothing_to_settle() -> Self {
        Self::new(Cause::NothingToSettle)
    }

    /// A connection cannot be opened on this runtime.
    pub(crate) fn no_runtime(lack: &'static str) -> Self {
        Self::new(Cause::NoRuntime(lack))
    }

    /// Who waits on the thread that drives a connection would wait for ever.
    pub(crate) fn waits_on_driver() -> Self {
        Self::new(Cause::WaitsOnDriver)
    }

    /// A connection does nothing before it is open.
    pub(crate) fn not_open() -> Self {
        Self::new(Cause::NotOpen)
    }

    /// Whoever opened a connection did not want it any more.
    pub(crate) fn given_up() -> Self {
        Self::new(Cause::GivenUp)
    }

    /// A completion of another kind than was asked for: a bug of this crate's, told instead of a
    /// panic.
    pub(crate) fn internal(what: &'static str) -> Self {
        Failure::Internal(what).into()
    }
}

impl From<ParametersError> for Error {
    fn from(error: ParametersError) -> Self {
        Self::new(Cause::Parameters(error))
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self::new(Cause::Connect(error))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::new(Cause::Failure(failure))
    }
}

impl From<Arc<Closure>> for Error {
    fn from(closure: Arc<Closure>) -> Self {
        Self::new(Cause::Closed(closure))
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::new(Cause::Decode(error))
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<Error> for io::Error {
    /// The kind is the transport's own where that failed, else the one that is nearest. The error
    /// is in it: see [`io::Error::get_ref`] and [`io::Error::downcast`].
    fn from(error: Error) -> Self {
        let kind = error.transport_kind().unwrap_or(match error.kind() {
            ErrorKind::TimedOut => io::ErrorKind::TimedOut,
            ErrorKind::Parameters | ErrorKind::Encode | ErrorKind::Usage => io::ErrorKind::InvalidInput,
            ErrorKind::Decode | ErrorKind::Protocol => io::ErrorKind::InvalidData,
            ErrorKind::Authentication | ErrorKind::AccessRefused => io::ErrorKind::PermissionDenied,
            ErrorKind::ConnectionClosed | ErrorKind::ChannelClosed => io::ErrorKind::NotConnected,
            _ => io::ErrorKind::Other,
        });
        Self::new(kind, error)
    }
}
