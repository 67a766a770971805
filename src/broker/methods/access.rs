//! The access class of AMQP 0-8, which 0-9-1 no longer has. Old clients still request access, and
//! RabbitMQ grants it.

use crate::broker::keys::ChannelKey;
use crate::broker::state::State;
use crate::broker::words::Refusal;
use crate::frame::{Frame, FrameKind, split_method};
use crate::protocol::{MethodId, ReplyCode, constants};

const REQUEST: MethodId = MethodId::new(30, 10);
const REQUEST_OK: MethodId = MethodId::new(30, 11);

/// The payload of `access.request-ok`, with ticket 1.
const ANSWER: [u8; 6] = [0, 30, 0, 11, 0, 1];

impl State {
    /// Answers a method of the access class on an open channel. Returns `None` for a method of
    /// another class.
    pub(in crate::broker) fn handle_access(
        &mut self,
        key: ChannelKey,
        frame: &Frame<'_>,
    ) -> Option<Result<(), (Refusal, MethodId)>> {
        let (method, _) = split_method(frame.payload).ok().filter(|_| frame.kind == FrameKind::Method)?;
        match method {
            REQUEST => {
                let connection = self.connections.get_mut(&key.connection)?;
                let [c0, c1] = key.number.to_be_bytes();
                connection.link.outbound.extend(&[constants::FRAME_METHOD, c0, c1, 0, 0, 0, 6]);
                connection.link.outbound.extend(&ANSWER);
                connection.link.outbound.extend(&[constants::FRAME_END]);
                self.wake(key.connection);
                Some(Ok(()))
            }
            REQUEST_OK => {
                let refusal = Refusal::connection(ReplyCode::COMMAND_INVALID, "unimplemented method");
                Some(Err((refusal, method)))
            }
            _ => None,
        }
    }
}
