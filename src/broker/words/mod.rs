//! The broker's words: refusals in RabbitMQ's texts, and the notation of Erlang that they show
//! values in.

mod frame;
mod refusal;
mod term;

pub(super) use frame::frame;
pub(super) use refusal::{Refusal, Scope, short_text};
pub(super) use term::{octets, term, type_name};
