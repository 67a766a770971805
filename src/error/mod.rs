//! The public error type. It is opaque: its kind, initiator, reply code and predicates describe it.

mod answers;
mod connect;
mod event;
mod hint;
mod kind;
mod outcome;
mod predicates;
mod recover_when;
mod shown;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use crate::config::ParametersError;
use crate::engine::{Closure, Failure, Fate, Initiator, Reason, Returned, Settled};
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

/// The error of this crate.
///
/// If a request fails because its channel or connection was closed, the error reports the first
/// cause of that: its [reply code](Error::reply_code), [text](Error::reply_text),
/// [method](Error::method) and [initiator](Error::initiator).
///
/// `Display` prints one line that says what happened. [`hint`](Error::hint) says what to do about
/// it. `Debug` is readable too, so that a `main` that returns this error prints something useful:
/// that line, the chain of sources and the hint. `{:#?}` prints the structure of the error. All of
/// these [escape](crate::wire::Escaped) the broker's text.
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
#[doc(alias = "AMQPError")]
#[derive(Clone)]
pub struct Error {
    cause: Arc<Cause>,
}

#[derive(Debug)]
enum Cause {
    Parameters(ParametersError),
    Connect(ConnectError),
    Failure(Failure),
    /// The end of a channel or connection, reported by itself and not as the failure of a request.
    Closed(Arc<Closure>),
    Decode(DecodeError),
    ConsumerCancelled,
    /// The bytes that waited for the consumer, and the limit for all consumers of the connection.
    ConsumerOverflowed {
        waited: u64,
        limit: u64,
    },
    Nacked,
    Returned(Box<Returned>),
    PerhapsReturned,
    Unsettled(Settled),
    NothingToSettle,
    /// What is missing in the runtime on which a connection was to be opened.
    NoRuntime(&'static str),
    /// A blocking wait on a thread that drives a connection.
    WaitsOnDriver,
    /// A request on a connection that is not open yet.
    NotOpen,
    /// The application abandoned an open.
    GivenUp,
}

impl Error {
    fn new(cause: Cause) -> Self {
        Self { cause: Arc::new(cause) }
    }

    /// Returns the kind of the error.
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

    /// The failure of the engine for the same reason.
    #[cfg(feature = "_handles")]
    pub(crate) fn to_failure(&self) -> Failure {
        match &*self.cause {
            Cause::Failure(failure) => failure.clone(),
            Cause::Closed(closure) => Failure::Closed { closure: Arc::clone(closure), fate: Fate::Refused },
            _ => Failure::Internal("what the broker lost cannot be restored"),
        }
    }

    /// The end of the channel or connection, if that is the reason.
    fn closure(&self) -> Option<&Closure> {
        match &*self.cause {
            Cause::Failure(Failure::Closed { closure, .. }) | Cause::Closed(closure) => Some(closure),
            _ => None,
        }
    }

    /// The kind of the transport's error, if that is the reason.
    fn transport_kind(&self) -> Option<io::ErrorKind> {
        match (&*self.cause, self.close_reason()) {
            (Cause::Connect(error), _) if error.kind() == ErrorKind::Io => {
                error.most_significant()?.get_ref()?.downcast_ref::<io::Error>().map(io::Error::kind)
            }
            (_, Some(Reason::Io(kind, _))) => Some(*kind),
            _ => None,
        }
    }

    /// Returns the attempts to connect, in order, if connecting failed; of more than 1024, the last
    /// 1024.
    pub fn attempts(&self) -> &[Attempt] {
        match &*self.cause {
            Cause::Connect(error) => error.attempts(),
            _ => &[],
        }
    }

    /// Returns which side caused the failure, if the channel or connection was closed or could not
    /// be opened.
    pub fn initiator(&self) -> Option<Initiator> {
        match &*self.cause {
            Cause::Connect(error) => error.initiator(),
            _ => self.closure().map(Closure::initiator),
        }
    }

    /// Returns why the channel or connection was closed, if that is the reason.
    pub fn close_reason(&self) -> Option<&Reason> {
        self.closure().map(|closure| &closure.reason)
    }

    /// Returns the reply code of the close or refusal that is the reason, whether the broker or the
    /// client sent it, or of a returned message.
    pub fn reply_code(&self) -> Option<ReplyCode> {
        match &*self.cause {
            Cause::Connect(error) => error.refusal().map(|(code, _)| code),
            Cause::Returned(returned) => Some(returned.reply_code),
            _ => self.closure().and_then(|closure| closure.reply_code),
        }
    }

    /// Returns the text that belongs to the [reply code](Self::reply_code). If it is the broker's,
    /// it is unchanged and may contain line breaks; [`Escaped`](crate::wire::Escaped) makes it safe
    /// to show. If the broker sent none, it is the client's.
    pub fn reply_text(&self) -> Option<String> {
        match &*self.cause {
            Cause::Connect(error) => error.refusal().map(|(_, text)| text.to_string()),
            Cause::Returned(returned) => Some(returned.reply_text.to_string()),
            _ => self.closure().map(|closure| closure.reply_text.clone()),
        }
    }

    /// Returns the name of the method that caused the close, such as `queue.declare`.
    pub fn method(&self) -> Option<&'static str> {
        self.method_id().and_then(method_name)
    }

    /// Returns the ids of the method that caused the close.
    pub fn method_id(&self) -> Option<MethodId> {
        self.closure().and_then(|closure| closure.method)
    }

    /// Returns the returned message, if that is the reason.
    pub fn returned(&self) -> Option<&Returned> {
        match &*self.cause {
            Cause::Returned(returned) => Some(returned),
            _ => None,
        }
    }

    /// Returns the inner error, whose text is already part of this error's `Display`: the
    /// `ParametersError`, the most significant [`Attempt`] to connect, the error of encoding or
    /// decoding, or the [`Violation`](crate::engine::Violation).
    ///
    /// As with [`io::Error`], [`source`](std::error::Error::source) returns the source of the inner
    /// error, so that printing the chain of sources prints nothing twice.
    pub fn get_ref(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.cause {
            Cause::Parameters(error) => Some(error),
            Cause::Connect(error) => error.most_significant().map(|attempt| attempt as _),
            Cause::Failure(Failure::Encode(error)) => Some(error),
            Cause::Decode(error) => Some(error),
            _ => match self.close_reason() {
                Some(Reason::Violation(violation)) => Some(violation),
                _ => None,
            },
        }
    }

    /// Returns how many publishes were refused or returned, if
    /// [`wait_for_confirms`](crate::Publisher::wait_for_confirms) failed because of that.
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

    /// Makes the error of a runtime on which a connection cannot be opened.
    pub(crate) fn no_runtime(lack: &'static str) -> Self {
        Self::new(Cause::NoRuntime(lack))
    }

    /// Makes the error of a blocking wait on a thread that drives a connection: it would never
    /// return.
    pub(crate) fn waits_on_driver() -> Self {
        Self::new(Cause::WaitsOnDriver)
    }

    /// Makes the error of a request on a connection that is not open yet.
    pub(crate) fn not_open() -> Self {
        Self::new(Cause::NotOpen)
    }

    /// Makes the error of an open that the application abandoned.
    pub(crate) fn given_up() -> Self {
        Self::new(Cause::GivenUp)
    }

    /// Makes the error of a bug in this crate, such as a completion of the wrong kind. It is
    /// reported instead of a panic.
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
    /// The kind is that of the transport's error if the transport failed, otherwise the nearest
    /// one. The [`io::Error`] contains this error: see [`io::Error::get_ref`] and
    /// [`io::Error::downcast`].
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
