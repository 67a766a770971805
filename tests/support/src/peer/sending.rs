//! What a peer sends: methods, content, and octets that are neither.

use std::io::ErrorKind;

use leveret::Properties;
use leveret::protocol::{Method, MethodId};

use super::Peer;
use crate::frames::{MAX_PAYLOAD, content_octets, heartbeat_octets, method_octets, raw_frame, raw_method_octets};
use crate::transport::Transport;

impl<T: Transport> Peer<T> {
    /// Sends a method.
    pub async fn send(&mut self, channel: u16, method: impl Into<Method>) {
        self.send_octets(&method_octets(channel, method)).await;
    }

    /// Sends a method with its content, without properties.
    pub async fn send_content(&mut self, channel: u16, method: impl Into<Method>, body: &[u8]) {
        self.send_content_with(channel, method, &Properties::default(), body).await;
    }

    /// Sends a method with its content.
    pub async fn send_content_with(
        &mut self,
        channel: u16,
        method: impl Into<Method>,
        properties: &Properties,
        body: &[u8],
    ) {
        self.send_octets(&content_octets(channel, method, properties, body, MAX_PAYLOAD as usize)).await;
    }

    /// Sends a sign of life.
    pub async fn send_heartbeat(&mut self) {
        self.send_octets(&heartbeat_octets()).await;
    }

    /// Sends a frame of any type with any payload.
    pub async fn send_frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        self.send_octets(&raw_frame(kind, channel, payload)).await;
    }

    /// Sends a method frame with any ids and arguments.
    pub async fn send_method_frame(&mut self, channel: u16, id: MethodId, arguments: &[u8]) {
        self.send_octets(&raw_method_octets(channel, id, arguments)).await;
    }

    /// Sends octets as they are. A peer that is gone does not hear them.
    pub async fn send_octets(&mut self, octets: &[u8]) {
        let Some(stream) = &mut self.stream else { return };
        let passing = octets.len().min(self.allowed);
        if let Err(error) = stream.write(&octets[..passing], self.patience).await {
            assert_ne!(error.kind(), ErrorKind::TimedOut, "nothing is taken within {:?}", self.patience);
        }
        self.allowed -= passing;
        if self.allowed == 0 {
            self.stream = None;
        }
    }

    /// Ends the stream in the direction of the other end, whose words are still heard.
    pub async fn end(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.end().await;
        }
    }
}
