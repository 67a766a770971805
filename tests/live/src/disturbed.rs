//! The broker on which an operator does what would disturb other scenarios.

use std::ops::Deref;

use leveret::ConnectionParameters;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard};

use crate::client::{Channel, Connection};
use crate::operator::Operator;
use crate::raw::Raw;
use crate::{disturbed_url, soon};

static TURN: Mutex<()> = Mutex::const_new(());

/// The private broker for alarms, forced closes and stops, which one scenario has at a time; and
/// its operator, whose methods it has.
pub struct Disturbed {
    operator: Operator,
    parameters: ConnectionParameters,
    _turn: MutexGuard<'static, ()>,
}

impl Disturbed {
    /// Waits for its turn, and puts right what a failed scenario left behind.
    pub async fn broker() -> Self {
        let turn = TURN.lock().await;
        let url = disturbed_url();
        let broker = Self {
            operator: Operator::disturbed(),
            parameters: ConnectionParameters::from_url(&url).expect("the disturbed broker has an AMQP URL"),
            _turn: turn,
        };
        if TcpStream::connect(crate::address(&broker.parameters)).await.is_err() {
            broker.start().await;
        }
        broker.clear_all().await;
        broker
    }

    /// Its parameters.
    pub fn parameters(&self) -> ConnectionParameters {
        self.parameters.clone()
    }

    /// A connection to it, and a channel.
    pub async fn open(&self) -> (Connection, Channel) {
        let connection = soon(Connection::open(self.parameters())).await.expect("the broker takes a connection");
        let channel = soon(connection.open_channel()).await.expect("the broker opens a channel");
        (connection, channel)
    }

    /// A raw peer with a connection to it, and channel 1.
    pub async fn open_raw(&self) -> Raw {
        Raw::open_channel_to(self.parameters()).await
    }
}

impl Deref for Disturbed {
    type Target = Operator;

    fn deref(&self) -> &Operator {
        &self.operator
    }
}
