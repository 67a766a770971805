//! The handshake, from the protocol header to an open virtual host, with a type for each awaited
//! answer.
//!
//! ```text
//!                                                     ┌─────────┐ secure / secure-ok
//!                                                     ▼         │
//!   protocol header ─▶ AwaitStart ─ start / start-ok ─▶ AwaitTune ─ tune / tune-ok, open ─▶ AwaitOpenOk ─ open-ok ─▶ done
//!                          │                                │                                   │
//!                          └──── connection.close, a protocol header, a violation, silence ─────┘──▶ HandshakeError
//! ```

use std::fmt;
use std::io;

use bytes::{Buf, Bytes, BytesMut};

use super::minimum;
use crate::config::{Credentials, Exchange, Heartbeat, Offer};
use crate::engine::{HandshakeEnd, HandshakeError, HandshakeStep, Violation};
use crate::frame::{Decoded, Decoder, Encoder, FrameError, FrameKind, Outbound, split_method};
use crate::protocol::{Method, ProtocolMethod, connection, constants};
use crate::wire::{FieldTable, LongString, Reader, ShortString};

/// What the client contributes to the handshake.
#[derive(Debug, Clone)]
pub struct HandshakeParameters {
    /// The identity of the client, and the SASL mechanisms that prove it.
    pub credentials: Credentials,
    /// The virtual host to open.
    pub virtual_host: ShortString,
    /// The locale of reply texts.
    pub locale: ShortString,
    /// The properties that the client announces.
    pub client_properties: FieldTable,
    /// The largest number of channels; 0 for no limit of the client's.
    pub channel_max: u16,
    /// The largest size of a frame in bytes; 0 for no limit of the client's.
    pub frame_max: u32,
    /// The requested heartbeat interval.
    pub heartbeat: Heartbeat,
}

/// What the two sides negotiated.
#[derive(Debug, Clone, PartialEq)]
pub struct Negotiated {
    /// The largest number of channels; 0 for all 65,535 numbers.
    pub channel_max: u16,
    /// The largest size of a frame in bytes; 0 for no limit.
    pub frame_max: u32,
    /// The heartbeat interval in seconds; 0 for none.
    pub heartbeat: u16,
    /// The properties that the server announced.
    pub server_properties: FieldTable,
}

/// Waiting for `connection.start`.
#[derive(Debug)]
struct AwaitStart {
    parameters: HandshakeParameters,
}

/// Waiting for `connection.tune`, or for another challenge.
struct AwaitTune {
    parameters: HandshakeParameters,
    server_properties: FieldTable,
    mechanism: Offer,
    exchange: Box<dyn Exchange>,
}

impl fmt::Debug for AwaitTune {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitTune").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// Waiting for `connection.open-ok`.
#[derive(Debug)]
struct AwaitOpenOk {
    negotiated: Negotiated,
}

#[derive(Debug)]
enum Awaited {
    Start(AwaitStart),
    Tune(AwaitTune),
    OpenOk(AwaitOpenOk),
    /// The handshake ended at this step, in success or failure.
    Nothing(HandshakeStep),
}

/// The handshake of a connection, without I/O. Its driver repeats these steps:
///
/// 1. Write what [`Handshake::poll_transmit`] returns.
/// 2. Read the transport.
/// 3. Hand what has arrived to [`Handshake::handle_bytes`], until that returns the negotiated
///    values or an error. In either case write what [`Handshake::poll_transmit`] still returns.
///
/// A write that fails is reported to [`Handshake::handle_write_failed`], and the end of the input
/// to [`Handshake::handle_end`], which returns what it means. Deadlines are the driver's.
#[derive(Debug)]
pub struct Handshake {
    awaited: Awaited,
    outbound: Outbound,
    /// The error of a write that failed.
    failed: Option<io::Error>,
}

impl Handshake {
    /// Starts a handshake by queueing the protocol header.
    pub fn new(parameters: HandshakeParameters) -> Self {
        let mut outbound = Outbound::new();
        Encoder::protocol_header(&mut outbound);
        Self { awaited: Awaited::Start(AwaitStart { parameters }), outbound, failed: None }
    }

    /// Takes what has to be written, in order.
    pub fn poll_transmit(&mut self) -> Option<Outbound> {
        (!self.outbound.is_empty()).then(|| std::mem::take(&mut self.outbound))
    }

    /// Returns the current step, which determines what a timeout or an end of the stream means.
    pub fn step(&self) -> HandshakeStep {
        match self.awaited {
            Awaited::Start(_) => HandshakeStep::Start,
            Awaited::Tune(_) => HandshakeStep::Authentication,
            Awaited::OpenOk(_) => HandshakeStep::Open,
            Awaited::Nothing(step) => step,
        }
    }

    /// Handles the whole frames at the front of `input` and removes them from it. What is left
    /// belongs in front of the next input, also that of the engine. Returns the negotiated values
    /// when the handshake is complete.
    ///
    /// # Errors
    ///
    /// Returns an error if the handshake failed. It is then over.
    pub fn handle_bytes(&mut self, input: &mut BytesMut) -> Result<Option<Negotiated>, HandshakeError> {
        let decoder = Decoder::new(HANDSHAKE_FRAME_MAX);
        loop {
            let (method, taken) = match decoder.decode(input).map_err(Violation::from)? {
                Decoded::Incomplete(_) => return Ok(None),
                Decoded::Frame(frame, taken) if frame.kind == FrameKind::Heartbeat => (None, taken),
                Decoded::Frame(frame, _) if frame.channel != 0 => {
                    return Err(Violation::ChannelNotOpen(frame.channel).into());
                }
                Decoded::Frame(frame, _) if frame.kind != FrameKind::Method => {
                    return Err(Violation::NotOnChannelZero.into());
                }
                Decoded::Frame(frame, taken) => (Some(decode_method(frame.payload)?), taken),
            };
            input.advance(taken);
            if let Some(negotiated) = method.map(|method| self.handle_method(method)).transpose()?.flatten() {
                return Ok(Some(negotiated));
            }
        }
    }

    /// Reports that a write failed. The server may have sent its reason before it closed the
    /// transport, so the driver still reads the input to its end and hands it in.
    pub fn handle_write_failed(&mut self, error: io::Error) {
        self.failed.get_or_insert(error);
    }

    /// Reports that the input ended, with or without an error. `left` is the rest of the input,
    /// which is not a whole frame. Returns what the end means.
    pub fn handle_end(&mut self, left: &[u8], error: Option<io::Error>) -> HandshakeEnd {
        let meaningful = error.filter(|error| !is_end(error) || (!left.is_empty() && self.failed.is_none()));
        match meaningful.or_else(|| self.failed.take()) {
            Some(error) => HandshakeEnd::Transport(error),
            None if left.is_empty() => HandshakeEnd::Server(HandshakeError::EndOfStream(self.step())),
            // An incomplete answer is no sign that the credentials or the virtual host were
            // refused.
            None => HandshakeEnd::Transport(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn handle_method(&mut self, method: Method) -> Result<Option<Negotiated>, HandshakeError> {
        let step = self.step();
        let encoder = Encoder::new(HANDSHAKE_FRAME_MAX);
        match (std::mem::replace(&mut self.awaited, Awaited::Nothing(step)), method) {
            (Awaited::Start(state), Method::ConnectionStart(start)) => {
                self.awaited = Awaited::Tune(state.handle_start(start, &encoder, &mut self.outbound)?);
                Ok(None)
            }
            (Awaited::Tune(state), Method::ConnectionSecure(secure)) => {
                self.awaited = Awaited::Tune(state.handle_secure(&secure, &encoder, &mut self.outbound)?);
                Ok(None)
            }
            (Awaited::Tune(state), Method::ConnectionTune(tune)) => {
                self.awaited = Awaited::OpenOk(state.handle_tune(&tune, &encoder, &mut self.outbound)?);
                Ok(None)
            }
            (Awaited::OpenOk(state), Method::ConnectionOpenOk(_)) => Ok(Some(state.negotiated)),
            (_, Method::ConnectionClose(close)) => {
                encoder.method(&mut self.outbound, 0, &connection::CloseOk::default())?;
                Err(HandshakeError::Refused { step, code: close.reply_code, text: close.reply_text })
            }
            (_, other) => Err(Violation::UnexpectedMethod(other.id()).into()),
        }
    }
}

/// Whether an error is an ordinary end of the input: a server that closes a socket before it has
/// read everything resets it, and a server that closes it without a TLS close_notify ends it early.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof)
}

/// The largest size of a frame in a handshake. Nothing was negotiated yet, and servers announce
/// many properties.
const HANDSHAKE_FRAME_MAX: u32 = 128 * 1024;

fn decode_method(payload: &[u8]) -> Result<Method, Violation> {
    let (id, arguments) = split_method(payload)?;
    let mut reader = Reader::new(arguments);
    let decoded = Method::decode(id, &mut reader).and_then(|method| reader.finish().map(|()| method));
    decoded.map_err(|error| Violation::Decode(Some(id), error))
}

impl AwaitStart {
    fn handle_start(
        self,
        start: connection::Start,
        encoder: &Encoder,
        outbound: &mut Outbound,
    ) -> Result<AwaitTune, HandshakeError> {
        if (start.version_major, start.version_minor) != (0, 9) {
            let version = [0, start.version_major, start.version_minor, 0];
            return Err(HandshakeError::NotAmqp(FrameError::ProtocolHeader(version)));
        }
        let parameters = self.parameters;
        let mechanism = choose(&parameters.credentials, start.mechanisms.as_bytes())?;
        let mut exchange = mechanism.begin();
        let response = respond(&mechanism, &mut *exchange, None)?;
        let start_ok = connection::StartOk::default()
            .client_properties(parameters.client_properties.clone())
            .mechanism(mechanism.name())
            .locale(parameters.locale.clone());
        let secret = response.len();
        encode_secret(encoder, outbound, &start_ok.clone(), &start_ok.response(response), secret)?;
        Ok(AwaitTune { parameters, server_properties: start.server_properties, mechanism, exchange })
    }
}

/// The first mechanism of the client that the server offers under exactly the same name.
fn choose(credentials: &Credentials, offered: &[u8]) -> Result<Offer, HandshakeError> {
    let is_offered = |offer: &Offer| offered.split(|octet| *octet == b' ').any(|name| name == offer.name().as_bytes());
    credentials.offers().into_iter().find(is_offered).ok_or_else(|| HandshakeError::NoCommonMechanism {
        wanted: credentials.mechanism_names().join(" "),
        offered: String::from_utf8_lossy(offered).into_owned(),
    })
}

/// Asks the mechanism for its response, in memory that is overwritten when it is dropped.
fn respond(
    mechanism: &Offer,
    exchange: &mut dyn Exchange,
    challenge: Option<&[u8]>,
) -> Result<LongString, HandshakeError> {
    match exchange.respond(challenge) {
        Ok(response) => Ok(LongString::from(Bytes::from_owner(response))),
        Err(error) => Err(HandshakeError::Mechanism { name: mechanism.name().to_owned(), error: error.into() }),
    }
}

/// Queues a method that holds `secret` bytes of a secret. The memory is reserved first, so that the
/// buffer does not grow while it is encoded: the old memory would keep the secret and not be
/// overwritten. `without` is the same method without the secret, from which the size is computed.
fn encode_secret<M: ProtocolMethod>(
    encoder: &Encoder,
    outbound: &mut Outbound,
    without: &M,
    method: &M,
    secret: usize,
) -> Result<(), HandshakeError> {
    let mut measured = Outbound::new();
    encoder.method(&mut measured, 0, without)?;
    outbound.reserve(measured.len() + secret);
    Ok(encoder.method(outbound, 0, method)?)
}

impl AwaitTune {
    fn handle_secure(
        mut self,
        secure: &connection::Secure,
        encoder: &Encoder,
        outbound: &mut Outbound,
    ) -> Result<Self, HandshakeError> {
        let response = respond(&self.mechanism, &mut *self.exchange, Some(secure.challenge.as_bytes()))?;
        let secure_ok = connection::SecureOk::default();
        let secret = response.len();
        encode_secret(encoder, outbound, &secure_ok.clone(), &secure_ok.response(response), secret)?;
        Ok(self)
    }

    fn handle_tune(
        self,
        tune: &connection::Tune,
        encoder: &Encoder,
        outbound: &mut Outbound,
    ) -> Result<AwaitOpenOk, HandshakeError> {
        let wanted = &self.parameters;
        let frame_max = agree(wanted.frame_max, tune.frame_max);
        let least = minimum::frame_max(&self.server_properties);
        // A server that itself proposes less accepts it.
        if frame_max == wanted.frame_max && frame_max != tune.frame_max && (1..least).contains(&frame_max) {
            return Err(HandshakeError::FrameMaxTooSmall { frame_max, least });
        }
        // A limit below the minimum of AMQP 0-9-1 cannot be intended, and the next method would not
        // fit.
        let frame_max = if frame_max == 0 { 0 } else { frame_max.max(u32::from(constants::FRAME_MIN_SIZE)) };
        let negotiated = Negotiated {
            channel_max: agree(wanted.channel_max, tune.channel_max),
            frame_max,
            heartbeat: wanted.heartbeat.interval(tune.heartbeat),
            server_properties: self.server_properties,
        };
        let tune_ok = connection::TuneOk::default()
            .channel_max(negotiated.channel_max)
            .frame_max(negotiated.frame_max)
            .heartbeat(negotiated.heartbeat);
        encoder.method(outbound, 0, &tune_ok)?;
        let open = connection::Open::default().virtual_host(wanted.virtual_host.clone());
        encoder.method(outbound, 0, &open)?;
        Ok(AwaitOpenOk { negotiated })
    }
}

/// The smaller of two limits; 0 stands for no limit.
fn agree<T: Ord + Default>(ours: T, theirs: T) -> T {
    let none = T::default();
    if ours == none || theirs == none { ours.max(theirs) } else { ours.min(theirs) }
}

#[cfg(test)]
mod tests {
    use super::agree;

    #[test]
    fn the_smaller_limit_wins_and_zero_is_no_limit() {
        assert_eq!([agree(5, 7), agree(7, 5), agree(0, 7), agree(7, 0), agree(0, 0)], [5, 5, 7, 7, 0]);
    }
}
