//! From the protocol header to `connection.open-ok`, including the refusals in between.

use std::time::Instant;

use super::connection::Phase;
use super::inbound::SILENCE;
use crate::broker::keys::{ChannelKey, ConnectionId};
use crate::broker::state::State;
use crate::broker::words::Refusal;
use crate::frame::{Decoder, Encoder, Frame, FrameKind};
use crate::protocol::{Method, MethodId, ReplyCode, connection, constants};
use crate::wire::{FieldTable, FieldValue, Reader, ShortString};

/// The capabilities of this broker beyond AMQP 0-9-1, with RabbitMQ's names.
const CAPABILITIES: [&str; 9] = [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
];

const MECHANISMS: &str = "PLAIN AMQPLAIN";

/// A user name and a password.
struct Login {
    user: Vec<u8>,
    password: Vec<u8>,
}

impl State {
    /// Handles the protocol header.
    pub(super) fn handle_protocol_header(&mut self, id: ConnectionId, header: [u8; 8], now: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        // The header of AMQP 0-9-1, and the one of 0-9.
        if header == constants::PROTOCOL_HEADER || header == *b"AMQP\x01\x01\0\x09" {
            connection.phase = Phase::StartOk;
            let start = connection::Start::default()
                .version_major(0)
                .version_minor(9)
                .server_properties(server_properties())
                .mechanisms(MECHANISMS)
                .locales("en_US");
            self.send(ChannelKey { connection: id, number: 0 }, &start);
        } else {
            Encoder::protocol_header(&mut connection.link.outbound);
            self.finish(id, now);
        }
    }

    /// Handles a frame before the connection is open.
    pub(super) fn handshake_frame(&mut self, id: ConnectionId, frame: &Frame<'_>, now: Instant) {
        let Some(connection) = self.connections.get(&id) else { return };
        let phase = connection.phase;
        match frame.kind {
            FrameKind::Heartbeat => {}
            FrameKind::Method if frame.channel == 0 && phase == Phase::Open => {
                if let Some(method) = self.decode_method(id, frame, now) {
                    self.open(id, &method, now);
                }
            }
            _ if phase == Phase::Open => self.refuse_frame(id, frame, now),
            FrameKind::Method if frame.channel == 0 => {
                let method = crate::frame::split_method(frame.payload).ok().and_then(|(method, arguments)| {
                    let mut reader = Reader::new(arguments);
                    Method::decode(method, &mut reader).ok().filter(|_| reader.finish().is_ok())
                });
                match (phase, method) {
                    (Phase::StartOk, Some(Method::ConnectionStartOk(start_ok))) => self.log_in(id, start_ok, now),
                    (Phase::TuneOk, Some(Method::ConnectionTuneOk(tune_ok))) => self.tuned(id, &tune_ok, now),
                    _ => self.refuse_silently(id, now),
                }
            }
            _ => self.refuse_silently(id, now),
        }
    }

    fn log_in(&mut self, id: ConnectionId, start_ok: connection::StartOk, now: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.client_properties = start_ok.client_properties;
        let response = start_ok.response.as_bytes();
        let login = match start_ok.mechanism.as_bytes() {
            b"PLAIN" => plain(response),
            b"AMQPLAIN" => amqplain(response),
            _ => None,
        };
        let Some(login) = login else { return self.refuse_silently(id, now) };
        let refused = self.faults.refuse_login() || !self.knows(&login);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !refused {
            connection.user = ShortString::from(login.user);
            connection.phase = Phase::TuneOk;
            let tune = connection::Tune::default()
                .channel_max(self.settings.channel_max)
                .frame_max(self.settings.frame_max)
                .heartbeat(self.settings.heartbeat);
            return self.send(ChannelKey { connection: id, number: 0 }, &tune);
        }
        if !connection.is_capable("authentication_failure_close") {
            return self.refuse_silently(id, now);
        }
        let text = format!(
            "Login was refused using authentication mechanism {}. For details see the broker logfile.",
            start_ok.mechanism
        );
        self.refuse_connection(id, &Refusal::connection(ReplyCode::ACCESS_REFUSED, text), MethodId::new(0, 0), now);
    }

    fn knows(&self, login: &Login) -> bool {
        let user = std::str::from_utf8(&login.user).ok().and_then(|name| self.users.get(name));
        user.is_some_and(|user| !login.password.is_empty() && user.password.as_bytes() == login.password)
    }

    fn tuned(&mut self, id: ConnectionId, tune_ok: &connection::TuneOk, now: Instant) {
        let exceeds = |answer: u64, proposal: u64| proposal != 0 && (answer == 0 || answer > proposal);
        let frame_max = tune_ok.frame_max;
        let too_small = frame_max != 0 && frame_max < u32::from(constants::FRAME_MIN_SIZE);
        if too_small
            || exceeds(u64::from(frame_max), u64::from(self.settings.frame_max))
            || exceeds(u64::from(tune_ok.channel_max), u64::from(self.settings.channel_max))
        {
            return self.refuse_silently(id, now);
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.frame_max = if frame_max == 0 { u32::MAX } else { frame_max };
        // RabbitMQ applies the limit to the payload when it reads, and to the whole frame when it
        // writes.
        connection.decoder = Decoder::new(if frame_max == 0 { 0 } else { frame_max.saturating_add(8) });
        connection.encoder = Encoder::new(frame_max);
        connection.channel_max = tune_ok.channel_max;
        connection.heartbeat = std::time::Duration::from_secs(u64::from(tune_ok.heartbeat));
        connection.phase = Phase::Open;
    }

    fn open(&mut self, id: ConnectionId, method: &Method, now: Instant) {
        let Method::ConnectionOpen(open) = method else {
            let refusal =
                Refusal::connection(ReplyCode::CHANNEL_ERROR, "unexpected method in connection state opening");
            return self.refuse_connection(id, &refusal, method.id(), now);
        };
        let key = ChannelKey { connection: id, number: 0 };
        let intercepted = self.intercept(key, method.id());
        if let Err(refusal) = intercepted.and_then(|()| self.check_virtual_host(id, &open.virtual_host)) {
            return self.refuse_connection(id, &refusal, method.id(), now);
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.virtual_host = open.virtual_host.clone();
            connection.phase = Phase::Running;
            connection.phase_deadline = None;
        }
        self.send(key, &connection::OpenOk::default());
    }

    /// Checks that the user may open the virtual host.
    fn check_virtual_host(&self, id: ConnectionId, name: &ShortString) -> Result<(), Refusal> {
        let Ok(text) = name.to_str() else {
            return Err(Refusal::malformed_text());
        };
        let user = self.connections.get(&id).map(|connection| connection.user.clone()).unwrap_or_default();
        self.check_limits_of_host(&user, name)?;
        if !self.virtual_hosts.contains_key(name) {
            return Err(Refusal::connection(ReplyCode::NOT_ALLOWED, format!("vhost {name} not found")));
        }
        self.check_limit_of_user(&user)?;
        let allowed = self.users.get(user.to_str().unwrap_or_default());
        if allowed.is_none_or(|user| !user.permissions.contains_key(text)) {
            let text = format!("access to vhost '{name}' refused for user '{user}'");
            return Err(Refusal::connection(ReplyCode::NOT_ALLOWED, text));
        }
        Ok(())
    }

    /// Sends nothing more, and resets the transport a little later, as RabbitMQ does with clients
    /// that it does not answer.
    pub(super) fn refuse_silently(&mut self, id: ConnectionId, now: Instant) {
        self.end_session(id, now);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Refused;
            connection.phase_deadline = Some(now + SILENCE);
        }
    }
}

fn server_properties() -> FieldTable {
    let capabilities: FieldTable = CAPABILITIES.into_iter().map(|name| (name, true)).collect();
    let text = |text: &str| FieldValue::from(text);
    FieldTable::from([
        ("capabilities", FieldValue::from(capabilities)),
        ("cluster_name", text("leveret@localhost")),
        ("copyright", text("The leveret authors")),
        ("information", text("An in-memory broker for tests: nothing persists")),
        ("platform", text("Rust")),
        ("product", text("leveret embedded broker")),
        ("version", text(env!("CARGO_PKG_VERSION"))),
    ])
}

/// Parses NUL, user, NUL, password (RFC 4616, without an authorization identity).
fn plain(response: &[u8]) -> Option<Login> {
    let mut parts = response.split(|&octet| octet == 0);
    let (Some([]), Some(user), Some(password), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    Some(Login { user: user.to_vec(), password: password.to_vec() })
}

/// Parses a table without its length, with `LOGIN` and `PASSWORD`.
fn amqplain(response: &[u8]) -> Option<Login> {
    let mut octets = u32::try_from(response.len()).ok()?.to_be_bytes().to_vec();
    octets.extend_from_slice(response);
    let table = Reader::new(&octets).table().ok()?;
    let part = |key| table.get(key).and_then(FieldValue::as_bytes).map(<[u8]>::to_vec);
    Some(Login { user: part("LOGIN")?, password: part("PASSWORD")? })
}
