//! The outcomes of publishes and consumers, as results.

use super::{Cause, Error, Result};
use crate::engine::{Completion, Confirmation, ConsumerEnd, Failure, Fate};

/// Converts the broker's decision about one publish.
pub(crate) fn confirmed(completion: Completion) -> Result<()> {
    Err(match completion {
        Completion::Confirmed(Confirmation::Ack) => return Ok(()),
        Completion::Confirmed(Confirmation::Nack) => Error::new(Cause::Nacked),
        Completion::Confirmed(Confirmation::Returned(returned)) => Error::new(Cause::Returned(returned)),
        Completion::Confirmed(Confirmation::Unknown) => Error::new(Cause::PerhapsReturned),
        Completion::Failed(failure) => failure.into(),
        _ => Error::internal("a publish was confirmed by something else"),
    })
}

/// The error that a consumer gives as its last item when it ends like this, if there is one.
pub(crate) fn end_of_deliveries(end: ConsumerEnd) -> Option<Error> {
    match end {
        ConsumerEnd::Cancelled => None,
        ConsumerEnd::CancelledByBroker => Some(Error::new(Cause::ConsumerCancelled)),
        ConsumerEnd::Overflowed { waited, limit } => Some(Error::new(Cause::ConsumerOverflowed { waited, limit })),
        ConsumerEnd::Closed(closure) if closure.is_requested() => None,
        ConsumerEnd::Closed(closure) => Some(Failure::Closed { closure, fate: Fate::Unknown }.into()),
    }
}
