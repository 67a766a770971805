//! `Display` and `Debug` of an error.

use std::error::Error as StdError;
use std::fmt;
use std::iter;

use super::{Cause, Error};
use crate::engine::{Settled, Words};
use crate::wire::Escaped;

impl fmt::Display for Error {
    /// Prints what happened in one line. [`hint`](Error::hint) says what to do about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Escaped(&*self.cause))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameters(error) => write!(f, "{error}"),
            Self::Connect(error) => write!(f, "{error}"),
            Self::Failure(failure) => write!(f, "{failure}"),
            Self::Closed(closure) => write!(f, "{closure}"),
            Self::Decode(error) => write!(f, "the message cannot be decoded: {error}"),
            Self::ConsumerCancelled => f.write_str("the broker cancelled the consumer"),
            Self::ConsumerOverflowed { waited, limit } => write!(
                f,
                "the consumer did not keep up and was cancelled: {waited} bytes waited for it, {limit} may wait for all of the \
                 connection (read_limit)"
            ),
            Self::Nacked => f.write_str("the broker could not take responsibility for the message"),
            Self::Returned(returned) => {
                let text = returned.reply_text.to_string();
                write!(f, "no queue took the message: {}", Words(returned.reply_code, &text))
            }
            Self::PerhapsReturned => {
                f.write_str("outcome unknown: a message that no queue took came back, changed, and may be this one")
            }
            Self::Unsettled(Settled { nacked, returned, unknown }) => {
                write!(f, "messages that were published are not in a queue: {nacked} refused, {returned} returned")?;
                if *unknown > 0 { write!(f, ", {unknown} of unknown outcome") } else { Ok(()) }
            }
            Self::NothingToSettle => f.write_str("the message was delivered with no_ack: there is nothing to settle"),
            Self::NoRuntime(lack) => f.write_str(lack),
            Self::NotOpen => f.write_str("the connection is not open yet"),
            Self::GivenUp => f.write_str("the connection was closed by the application before it was open"),
            Self::WaitsOnDriver => {
                f.write_str("this thread drives a connection, which cannot proceed while the thread waits")
            }
        }
    }
}

impl fmt::Debug for Error {
    /// Prints what happened, the chain of sources and the hint, each on a line. The alternate form
    /// prints the structure of the error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return f.debug_struct("Error").field("kind", &self.kind()).field("cause", &self.cause).finish();
        }
        write!(f, "{self}")?;
        for source in iter::successors(self.source(), |error| (*error).source()) {
            write!(f, "\n  caused by: {}", Escaped(source))?;
        }
        self.hint().map_or(Ok(()), |hint| write!(f, "\n  hint: {hint}"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.get_ref().and_then(StdError::source)
    }
}
