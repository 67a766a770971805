//! Moves the octets of a handshake.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::attempts::Used;
use crate::config::{ConnectionParameters, Credentials};
use crate::engine::{Handshake, HandshakeParameters, HandshakeStep, Negotiated};
use crate::error::ConnectCause;
use crate::frame::Outbound;

/// Agrees with the broker. `used` takes note of credentials whose response is sent; what was read beyond the agreement is left in
/// `input`.
pub(super) async fn negotiate<T: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut T,
    parameters: &ConnectionParameters,
    credentials: &Credentials,
    used: &mut Used,
    input: &mut BytesMut,
) -> Result<Negotiated, ConnectCause> {
    let parameters = HandshakeParameters { credentials: credentials.clone(), ..HandshakeParameters::from(parameters) };
    let mut handshake = Handshake::new(parameters);
    let mut responded = false;
    loop {
        let agreed = handshake.handle_bytes(input);
        let step = handshake.step();
        if step > HandshakeStep::Start && !std::mem::replace(&mut responded, true) {
            used.note(credentials);
        }
        let written = write_all(transport, handshake.poll_transmit()).await;
        // The handshake's own error tells more than a write that failed because of it.
        if let Some(negotiated) = agreed.map_err(ConnectCause::Handshake)? {
            written.map_err(ConnectCause::from)?;
            return Ok(negotiated);
        }
        if let Err(error) = written {
            let said = last_words(transport, &mut handshake, input).await;
            return Err(said.unwrap_or_else(|| error.into()));
        }
        match transport.read_buf(input).await {
            // Half of an answer blames neither the credentials nor the virtual host.
            Ok(0) if !input.is_empty() => return Err(ConnectCause::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(0) => return Err(ConnectCause::EndOfStream(step)),
            Ok(_) => {}
            Err(error) if input.is_empty() && is_end(&error) => {
                return Err(ConnectCause::EndOfStream(step));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What a broker said before it went: a close, or an alert of TLS. It tells more than a write that failed because it is gone.
async fn last_words<T: AsyncRead + Unpin>(
    transport: &mut T,
    handshake: &mut Handshake,
    input: &mut BytesMut,
) -> Option<ConnectCause> {
    loop {
        match transport.read_buf(input).await {
            Ok(0) => return None,
            Ok(_) => {
                if let Err(error) = handshake.handle_bytes(input) {
                    return Some(ConnectCause::Handshake(error));
                }
            }
            Err(error) => return Some(ConnectCause::from(error)).filter(ConnectCause::is_tls),
        }
    }
}

/// A broker that closes a socket which it has not read to the end resets it; one that closes it without a word of TLS ends that
/// before its time.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof)
}

/// Writes everything, and overwrites it: it may hold a secret.
async fn write_all<T: AsyncWrite + Unpin>(transport: &mut T, outbound: Option<Outbound>) -> io::Result<()> {
    let Some(outbound) = outbound else { return Ok(()) };
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
