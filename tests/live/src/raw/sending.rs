//! What a raw peer sends: methods, contents, and octets that are neither.

use std::io::IoSlice;

use leveret::frame::{Encoder, Outbound, Publish};
use leveret::protocol::{Method, MethodId, ProtocolMethod, Request, constants};
use leveret::{Body, Properties};
use tokio::io::AsyncWriteExt;

use super::{FRAME_MAX, Raw};
use crate::soon;

/// Sending.
impl Raw {
    /// Sends a method.
    pub async fn send<M: ProtocolMethod>(&mut self, channel: u16, method: M) {
        let mut out = Outbound::new();
        self.encoder.method(&mut out, channel, &method).expect("a method that can be encoded");
        self.send_octets(&flat(&out)).await;
    }

    /// Sends a method that is known at run time.
    pub async fn send_any(&mut self, channel: u16, method: &Method) {
        let mut out = Outbound::new();
        self.encoder.any_method(&mut out, channel, method).expect("a method that can be encoded");
        self.send_octets(&flat(&out)).await;
    }

    /// Sends a method and awaits the one that answers it.
    pub async fn call<M: Request>(&mut self, channel: u16, method: M) -> M::Reply
    where
        M::Reply: ProtocolMethod + TryFrom<Method>,
    {
        self.send(channel, method).await;
        self.expect(channel).await
    }

    /// Sends `basic.publish` and its content, without properties.
    pub async fn publish<'a>(&mut self, channel: u16, exchange: &str, routing_key: &str, body: impl Into<Body<'a>>) {
        self.publish_with(channel, exchange, routing_key, &Properties::default(), body).await;
    }

    /// Sends `basic.publish` and its content.
    pub async fn publish_with<'a>(
        &mut self,
        channel: u16,
        exchange: &str,
        routing_key: &str,
        properties: &Properties,
        body: impl Into<Body<'a>>,
    ) {
        let (exchange, routing_key, body) = (exchange.as_bytes(), routing_key.as_bytes(), body.into());
        let publish = Publish { exchange, routing_key, mandatory: false, properties: Some(properties), body: &body };
        let mut out = Outbound::new();
        self.encoder.publish(&mut out, channel, &publish).expect("a message that can be encoded");
        self.send_octets(&flat(&out)).await;
    }

    /// Sends a content header without properties, announcing a body of this size.
    pub async fn send_header(&mut self, channel: u16, body_size: usize) {
        let mut out = Outbound::new();
        self.encoder.header(&mut out, channel, body_size, None).expect("a header that can be encoded");
        self.send_octets(&flat(&out)).await;
    }

    /// Sends one body frame.
    pub async fn send_body(&mut self, channel: u16, octets: &[u8]) {
        self.send_frame(constants::FRAME_BODY, channel, octets).await;
    }

    /// Sends a heartbeat.
    pub async fn send_heartbeat(&mut self) {
        self.send_frame(constants::FRAME_HEARTBEAT, 0, &[]).await;
    }

    /// Sends a frame of any type with any payload.
    pub async fn send_frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        let size = u32::try_from(payload.len()).expect("a payload of a scenario is small");
        let (channel, size) = (channel.to_be_bytes(), size.to_be_bytes());
        let octets = [&[kind], &channel[..], &size, payload, &[constants::FRAME_END]].concat();
        self.send_octets(&octets).await;
    }

    /// Sends a method frame with any ids and arguments.
    pub async fn send_method_frame(&mut self, channel: u16, id: MethodId, arguments: &[u8]) {
        let ids = [id.class.to_be_bytes(), id.method.to_be_bytes()].concat();
        self.send_frame(constants::FRAME_METHOD, channel, &[&ids, arguments].concat()).await;
    }

    /// Sends octets as they are. A broker that has hung up does not hear them.
    pub async fn send_octets(&mut self, octets: &[u8]) {
        let sent = soon(self.stream.write_all(octets)).await;
        drop(sent);
    }
}

/// The octets of a method frame.
pub fn method_octets<M: ProtocolMethod>(channel: u16, method: &M) -> Vec<u8> {
    let mut out = Outbound::new();
    Encoder::new(FRAME_MAX).method(&mut out, channel, method).expect("a method that can be encoded");
    flat(&out)
}

/// The octets of a message to the default exchange: method, header and body.
pub fn publish_octets(channel: u16, routing_key: &str, mandatory: bool, properties: &Properties) -> Vec<u8> {
    let (routing_key, body) = (routing_key.as_bytes(), Body::from("m"));
    let publish = Publish { exchange: b"", routing_key, mandatory, properties: Some(properties), body: &body };
    let mut out = Outbound::new();
    Encoder::new(FRAME_MAX).publish(&mut out, channel, &publish).expect("a message that can be encoded");
    flat(&out)
}

fn flat(out: &Outbound) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 64];
    let filled = out.slices(&mut slices);
    slices.iter().take(filled).flat_map(|slice| slice.to_vec()).collect()
}
