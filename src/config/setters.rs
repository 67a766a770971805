//! Setters, named like the fields that they set.

use std::time::Duration;

use super::{ConnectionParameters, Credentials, Heartbeat};
use crate::wire::FieldTable;

/// Setters. What they may be given stands with the fields; [`validate`](ConnectionParameters::validate) checks it.
impl ConnectionParameters {
    /// Sets the [host](Self#structfield.host).
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// Sets the [port](Self#structfield.port).
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the [virtual host](Self#structfield.virtual_host).
    #[must_use]
    pub fn virtual_host(mut self, virtual_host: impl Into<String>) -> Self {
        self.virtual_host = virtual_host.into();
        self
    }

    /// Sets the [credentials](Self#structfield.credentials).
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets the [limit on channels](Self#structfield.channel_max).
    #[must_use]
    pub fn channel_max(mut self, channel_max: u16) -> Self {
        self.channel_max = channel_max;
        self
    }

    /// Sets the [limit on a frame's octets](Self#structfield.frame_max).
    #[must_use]
    pub fn frame_max(mut self, frame_max: u32) -> Self {
        self.frame_max = frame_max;
        self
    }

    /// Sets the [heartbeat](Self#structfield.heartbeat): a [`Heartbeat`], or seconds with 0 for none.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: impl Into<Heartbeat>) -> Self {
        self.heartbeat = heartbeat.into();
        self
    }

    /// Sets the [deadline for TCP](Self#structfield.connect_timeout).
    #[must_use]
    pub fn connect_timeout(mut self, connect_timeout: impl Into<Option<Duration>>) -> Self {
        self.connect_timeout = connect_timeout.into();
        self
    }

    /// Sets the [deadline for opening as a whole](Self#structfield.open_timeout).
    #[must_use]
    pub fn open_timeout(mut self, open_timeout: impl Into<Option<Duration>>) -> Self {
        self.open_timeout = open_timeout.into();
        self
    }

    /// Sets the [deadline for a reply](Self#structfield.call_timeout).
    #[must_use]
    pub fn call_timeout(mut self, call_timeout: impl Into<Option<Duration>>) -> Self {
        self.call_timeout = call_timeout.into();
        self
    }

    /// Sets the [deadline for closing](Self#structfield.close_timeout).
    #[must_use]
    pub fn close_timeout(mut self, close_timeout: Duration) -> Self {
        self.close_timeout = close_timeout;
        self
    }

    /// Sets the [locale](Self#structfield.locale).
    #[must_use]
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.locale = locale.into();
        self
    }

    /// Sets the [client properties](Self#structfield.client_properties), in place of those set before.
    #[must_use]
    pub fn client_properties(mut self, client_properties: impl Into<FieldTable>) -> Self {
        self.client_properties = client_properties.into();
        self
    }

    /// Sets the [name of the connection](Self#structfield.connection_name).
    #[must_use]
    pub fn connection_name(mut self, connection_name: impl Into<String>) -> Self {
        self.connection_name = Some(connection_name.into());
        self
    }

    /// Sets the [high water mark](Self#structfield.write_high_water).
    #[must_use]
    pub fn write_high_water(mut self, write_high_water: usize) -> Self {
        self.write_high_water = write_high_water;
        self
    }

    /// Sets the [low water mark](Self#structfield.write_low_water).
    #[must_use]
    pub fn write_low_water(mut self, write_low_water: impl Into<Option<usize>>) -> Self {
        self.write_low_water = write_low_water.into();
        self
    }

    /// Sets the [limit on unconfirmed publishes](Self#structfield.max_unconfirmed).
    #[must_use]
    pub fn max_unconfirmed(mut self, max_unconfirmed: impl Into<Option<u32>>) -> Self {
        self.max_unconfirmed = max_unconfirmed.into();
        self
    }

    /// Sets the [limit on an inbound body's octets](Self#structfield.max_message_size).
    #[must_use]
    pub fn max_message_size(mut self, max_message_size: u64) -> Self {
        self.max_message_size = max_message_size;
        self
    }
}
