//! Moves the bytes of a handshake.

use std::future::poll_fn;
use std::io;

use bytes::BytesMut;

use super::used::Used;
use crate::config::{ConnectionParameters, Credentials};
use crate::engine::{Handshake, HandshakeEnd, HandshakeParameters, HandshakeStep, Negotiated};
use crate::error::ConnectCause;
use crate::frame::Outbound;
use crate::transport::{Stream, poll_read_more, poll_send};

/// The number of bytes that are read at a time.
const READ_CHUNK: usize = 1024;

/// Performs the handshake. `used` records credentials whose response is sent. What was read after
/// the handshake is left in `input`.
pub(super) async fn negotiate<S: Stream>(
    transport: &mut S,
    parameters: &ConnectionParameters,
    credentials: &Credentials,
    used: &Used,
    input: &mut BytesMut,
) -> Result<Negotiated, ConnectCause> {
    let parameters = HandshakeParameters { credentials: credentials.clone(), ..HandshakeParameters::from(parameters) };
    let mut handshake = Handshake::new(parameters);
    let mut responded = false;
    loop {
        let agreed = handshake.handle_bytes(input);
        if handshake.step() > HandshakeStep::Start && !std::mem::replace(&mut responded, true) {
            used.note(credentials);
        }
        if let Some(outbound) = handshake.poll_transmit()
            && let Err(error) = write_all(transport, outbound).await
        {
            handshake.handle_write_failed(error);
        }
        if let Some(negotiated) = agreed.map_err(ConnectCause::Handshake)? {
            return Ok(negotiated);
        }
        let ended = match poll_fn(|context| poll_read_more(transport, context, input, READ_CHUNK)).await {
            Ok(0) => handshake.handle_end(input, None),
            Ok(_) => continue,
            Err(error) => handshake.handle_end(input, Some(error)),
        };
        return Err(match ended {
            HandshakeEnd::Server(error) => ConnectCause::Handshake(error),
            HandshakeEnd::Transport(error) => ConnectCause::from(error),
        });
    }
}

/// Writes everything, and then overwrites it, because it may hold a secret.
async fn write_all<S: Stream>(transport: &mut S, outbound: Outbound) -> io::Result<()> {
    let mut outbound = Wiped(outbound);
    while !outbound.0.is_empty() {
        poll_fn(|context| poll_send(transport, context, &mut outbound.0, &mut 0)).await?;
    }
    poll_fn(|context| transport.poll_flush(context)).await
}

/// Output that is overwritten when it is dropped, also during a write.
struct Wiped(Outbound);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.wipe();
    }
}
