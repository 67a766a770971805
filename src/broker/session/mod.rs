//! The connection of a client: its bytes, frames, handshake and channels, its output, and its end.

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
