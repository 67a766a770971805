//! A client's connection: its bytes, frames, handshake and channels, what is sent to it, and how it
//! ends.

mod channel;
mod channel_frames;
mod closing;
mod connection;
mod deadlines;
mod delivering;
mod handshake;
mod inbound;
mod link;
mod turn;

pub(super) use channel::{
    Channel, Content, DirectReplies, Incoming, Mode, Outcome, Publish, Settlement, Transaction, Unacked,
};
pub(super) use connection::{Connection, Phase};
pub(super) use deadlines::{Deadlines, Waiting};
pub(super) use delivering::visible;
pub(super) use link::Link;
pub(super) use turn::{Handover, Notice};
