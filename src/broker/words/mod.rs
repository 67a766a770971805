//! The broker's texts: refusals with the texts of RabbitMQ, and the notation of Erlang in which
//! they show values.

mod frame;
mod refusal;
mod term;

pub(super) use frame::frame;
pub use refusal::Scope;
pub(super) use refusal::{Refusal, short_text};
pub(super) use term::{octets, term, type_name};
