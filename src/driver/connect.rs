//! From parameters to a connection: TCP, then the handshake, each with its deadline.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Shared;
use crate::config::ConnectionParameters;
use crate::engine::{Engine, Handshake, HandshakeError, HandshakeStep, Negotiated, Settings};
use crate::frame::Outbound;

/// Why no connection came about.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum ConnectError {
    /// The name could not be resolved, or no address answered.
    Tcp(io::Error),
    /// It took too long: TCP on its own, or everything together.
    TimedOut(Duration),
    /// The transport failed in the middle of the handshake.
    Io(io::Error),
    /// The broker closed the transport in the middle of the handshake, without a word.
    EndOfStream(HandshakeStep),
    /// The handshake failed.
    Handshake(HandshakeError),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(error) => write!(f, "cannot reach the broker: {error}"),
            Self::TimedOut(limit) => write!(f, "no connection within {limit:?}"),
            Self::Io(error) => write!(f, "the transport failed during the handshake: {error}"),
            Self::EndOfStream(HandshakeStep::Authentication) => f.write_str(
                "the broker closed the transport after it got the credentials: they are wrong, or it refuses a limit",
            ),
            Self::EndOfStream(HandshakeStep::Start) => {
                f.write_str("the broker closed the transport at once: it may want TLS, or is no AMQP server")
            }
            Self::EndOfStream(HandshakeStep::Open) => {
                f.write_str("the broker closed the transport when the virtual host was opened")
            }
            Self::Handshake(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Tcp(error) | Self::Io(error) => Some(error),
            Self::Handshake(error) => Some(error),
            Self::TimedOut(_) | Self::EndOfStream(_) => None,
        }
    }
}

/// A transport on which both sides have agreed: what they share from here on, and what was read beyond the handshake.
pub(crate) struct Agreed<T> {
    pub(crate) transport: T,
    pub(crate) shared: Arc<Shared>,
    pub(crate) input: BytesMut,
}

/// Reaches the broker over TCP and agrees with it, all within `open_timeout`.
pub(crate) async fn open(parameters: &ConnectionParameters) -> Result<Agreed<TcpStream>, ConnectError> {
    within(parameters.open_timeout, async {
        let transport = within(parameters.connect_timeout, connect(parameters)).await?;
        handshake(transport, parameters).await
    })
    .await
}

/// Agrees with the broker at the other end of a transport, within `open_timeout`.
pub(crate) async fn open_on<T: AsyncRead + AsyncWrite + Unpin>(
    transport: T,
    parameters: &ConnectionParameters,
) -> Result<Agreed<T>, ConnectError> {
    within(parameters.open_timeout, handshake(transport, parameters)).await
}

async fn within<R>(
    limit: Option<Duration>,
    step: impl Future<Output = Result<R, ConnectError>>,
) -> Result<R, ConnectError> {
    match limit {
        Some(limit) => timeout(limit, step).await.unwrap_or(Err(ConnectError::TimedOut(limit))),
        None => step.await,
    }
}

async fn connect(parameters: &ConnectionParameters) -> Result<TcpStream, ConnectError> {
    let stream = TcpStream::connect((parameters.host.as_str(), parameters.port)).await;
    let stream = stream.map_err(ConnectError::Tcp)?;
    // A lone publish goes out at once; coalescing is done above the socket.
    stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
    Ok(stream)
}

async fn handshake<T: AsyncRead + AsyncWrite + Unpin>(
    mut transport: T,
    parameters: &ConnectionParameters,
) -> Result<Agreed<T>, ConnectError> {
    let mut input = BytesMut::new();
    let negotiated = negotiate(&mut transport, parameters, &mut input).await?;
    let engine = Engine::new(negotiated, Settings::from(parameters), Instant::now().into_std());
    Ok(Agreed { transport, shared: Arc::new(Shared::new(engine)), input })
}

async fn negotiate<T: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut T,
    parameters: &ConnectionParameters,
    input: &mut BytesMut,
) -> Result<Negotiated, ConnectError> {
    let mut handshake = Handshake::new(parameters.into());
    loop {
        let agreed = handshake.handle_bytes(input);
        let step = handshake.step();
        let written = write_all(transport, handshake.poll_transmit()).await;
        // The handshake's own error tells more than a write that failed because of it.
        if let Some(negotiated) = agreed.map_err(ConnectError::Handshake)? {
            written.map_err(ConnectError::Io)?;
            return Ok(negotiated);
        }
        written.map_err(ConnectError::Io)?;
        match transport.read_buf(input).await {
            // Half of an answer blames neither the credentials nor the virtual host.
            Ok(0) if !input.is_empty() => return Err(ConnectError::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(0) => return Err(ConnectError::EndOfStream(step)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && input.is_empty() => {
                return Err(ConnectError::EndOfStream(step));
            }
            Err(error) => return Err(ConnectError::Io(error)),
        }
    }
}

async fn write_all<T: AsyncWrite + Unpin>(transport: &mut T, outbound: Option<Outbound>) -> io::Result<()> {
    let Some(mut outbound) = outbound else { return Ok(()) };
    while !outbound.is_empty() {
        let count = poll_fn(|context| {
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = outbound.slices(&mut slices);
            Pin::new(&mut *transport).poll_write_vectored(context, slices.get(..filled).unwrap_or_default())
        })
        .await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        outbound.advance(count);
    }
    poll_fn(|context| Pin::new(&mut *transport).poll_flush(context)).await
}
