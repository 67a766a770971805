//! Operations on the broker outside AMQP: those of operators and of tests.

mod faults;
mod inspection;
mod limits;
mod operators;
mod outages;
mod provoking;
mod requests;
mod restart;

pub use faults::{Fault, Target};
pub use inspection::{
    BindingDestination, BindingInfo, ConnectionInfo, ConsumerInfo, ExchangeInfo, MessageInfo, QueueInfo,
};

pub(super) use faults::Faults;
