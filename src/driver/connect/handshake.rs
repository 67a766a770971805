//! Moves the octets of a handshake.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::used::Used;
use crate::config::{ConnectionParameters, Credentials};
use crate::engine::{Handshake, HandshakeEnd, HandshakeParameters, HandshakeStep, Negotiated};
use crate::error::ConnectCause;
use crate::frame::Outbound;

/// Agrees with the broker. `used` takes note of credentials whose response is sent; what was read
/// beyond the agreement is left in `input`.
pub(super) async fn negotiate<T: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut T,
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
        let ended = match transport.read_buf(input).await {
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

/// Writes everything, and overwrites it: it may hold a secret.
async fn write_all<T: AsyncWrite + Unpin>(transport: &mut T, outbound: Outbound) -> io::Result<()> {
    let mut outbound = Wiped(outbound);
    while !outbound.0.is_empty() {
        let count = poll_fn(|context| {
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = outbound.0.slices(&mut slices);
            Pin::new(&mut *transport).poll_write_vectored(context, slices.get(..filled).unwrap_or_default())
        })
        .await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        outbound.0.advance(count);
    }
    poll_fn(|context| Pin::new(&mut *transport).poll_flush(context)).await
}

/// Overwritten when it is dropped, in the middle of a write too.
struct Wiped(Outbound);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.wipe();
    }
}
