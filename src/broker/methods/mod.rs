//! The methods of AMQP, by class, and how they change the broker's state.

mod access;
mod basic;
mod direct_reply_to;
mod exchange;
mod perform;
mod publishing;
mod queue;
