//! The broker on which an operator does what would disturb other scenarios.

use leveret::{Channel, Connection, ConnectionParameters};
use tokio::sync::{Mutex, MutexGuard};

use crate::{command, soon, variable};

static TURN: Mutex<()> = Mutex::const_new(());

/// The private broker for alarms, forced closes and stops, which one scenario has at a time.
pub struct Disturbed {
    control: String,
    parameters: ConnectionParameters,
    _turn: MutexGuard<'static, ()>,
}

impl Disturbed {
    /// Waits for its turn, and puts right what a failed scenario left behind.
    pub async fn broker() -> Self {
        let turn = TURN.lock().await;
        let url = variable("LEVERET_TEST_DISTURBED_AMQP_URL");
        let broker = Self {
            control: variable("LEVERET_TEST_DISTURBED_RABBITMQCTL"),
            parameters: ConnectionParameters::from_url(&url).expect("LEVERET_TEST_DISTURBED_AMQP_URL is an AMQP URL"),
            _turn: turn,
        };
        broker.control(&["start_app"]).await;
        broker.clear_alarm().await;
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

    /// Runs its `rabbitmqctl`, and gives what that prints.
    pub async fn control(&self, arguments: &[&str]) -> String {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        command::run(self.control.clone(), arguments).await
    }

    /// The broker claims to be short of memory, and stops taking publishes.
    pub async fn raise_alarm(&self) {
        self.control(&["eval", "rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []})."]).await;
    }

    /// It has memory again.
    pub async fn clear_alarm(&self) {
        self.control(&["eval", "rabbit_alarm:clear_alarm({resource_limit, memory, node()})."]).await;
    }
}
