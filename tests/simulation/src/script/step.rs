//! The steps of a script, and their text.

use std::fmt;
use std::str::FromStr;

macro_rules! verbs {
    ($($(#[$about:meta])* $verb:ident $name:literal [$($field:literal)*])*) => {
        /// What a step does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Verb { $($(#[$about])* $verb,)* }

        impl Verb {
            /// All verbs.
            pub const ALL: &'static [Self] = &[$(Self::$verb,)*];

            /// Returns the name, as in the text of a script.
            pub fn name(self) -> &'static str {
                match self { $(Self::$verb => $name,)* }
            }

            /// Returns the names of its numbers, in their order.
            pub fn fields(self) -> &'static [&'static str] {
                match self { $(Self::$verb => &[$($field,)*],)* }
            }
        }
    };
}

verbs! {
    /// Opens a connection; the client's handles of an earlier one are dropped.
    Open "open" ["client"]
    /// Closes the connection.
    Close "close" ["client"]
    /// Drops all handles of a client: connection, channels, consumers, deliveries.
    Forget "forget" ["client"]
    /// Opens a channel in a place; a handle that was there is dropped.
    ChannelOpen "channel-open" ["client" "channel"]
    /// Closes a channel.
    ChannelClose "channel-close" ["client" "channel"]
    /// Drops the handle of a channel, and its consumers.
    ChannelDrop "channel-drop" ["client" "channel"]
    /// Puts a channel into confirm mode.
    Confirm "confirm-select" ["client" "channel"]
    /// Puts a channel into transaction mode.
    TxSelect "tx-select" ["client" "channel"]
    /// Commits a transaction.
    TxCommit "tx-commit" ["client" "channel"]
    /// Rolls a transaction back.
    TxRollback "tx-rollback" ["client" "channel"]
    /// Sets the prefetch of consumers to come.
    Qos "qos" ["client" "channel" "count"]
    /// Declares the exchange `x{exchange}`; kind 0 is direct, 1 fanout, 2 topic. With `unrecorded`,
    /// here and below, it does not come back after a loss.
    ExchangeDeclare "exchange-declare" ["client" "channel" "exchange" "kind" "auto-delete" "unrecorded"]
    /// Deletes an exchange.
    ExchangeDelete "exchange-delete" ["client" "channel" "exchange"]
    /// Binds an exchange to another.
    ExchangeBind "exchange-bind" ["client" "channel" "exchange" "to"]
    /// Removes that binding.
    ExchangeUnbind "exchange-unbind" ["client" "channel" "exchange" "to"]
    /// Declares the queue `q{queue}`; kind 0 is durable, 1 transient, 2 auto-delete, 3 exclusive, 4
    /// server-named. With `arguments`, it has some.
    QueueDeclare "queue-declare" ["client" "channel" "queue" "kind" "arguments" "unrecorded"]
    /// Deletes a queue.
    QueueDelete "queue-delete" ["client" "channel" "queue"]
    /// Binds a queue to an exchange, with its name as the key. With `last`, it is the last one that
    /// the channel has declared, without a name: 1 is with a key of its own, 2 with an empty one.
    QueueBind "queue-bind" ["client" "channel" "queue" "exchange" "last" "arguments" "unrecorded"]
    /// Removes that binding.
    QueueUnbind "queue-unbind" ["client" "channel" "queue" "exchange"]
    /// Purges a queue.
    Purge "purge" ["client" "channel" "queue"]
    /// Publishes to a queue, by the default exchange or by exchange `x{exchange - 1}`; without a
    /// confirm. The message is persistent unless it is `transient`.
    Publish "publish" ["client" "channel" "queue" "exchange" "mandatory" "bytes" "transient"]
    /// The same with a confirm, which is awaited.
    PublishConfirmed "publish-confirmed" ["client" "channel" "queue" "exchange" "mandatory" "bytes" "transient"]
    /// Waits for all confirms of a channel.
    WaitForConfirms "wait-for-confirms" ["client" "channel"]
    /// Starts a consumer, which reads all that arrives. A `priority` is one of its arguments.
    Consume "consume" ["client" "channel" "queue" "place" "no-ack" "prefetch" "exclusive" "priority" "unrecorded"]
    /// Starts a consumer of direct reply-to, in a place.
    ReplyTo "reply-to" ["client" "channel" "place"]
    /// Publishes a request to a queue: who gets it publishes a reply.
    Request "request" ["client" "channel" "queue"]
    /// Cancels a consumer.
    Cancel "cancel" ["client" "channel" "place"]
    /// Drops a consumer.
    ConsumerDrop "consumer-drop" ["client" "channel" "place"]
    /// Fetches a message.
    Get "get" ["client" "channel" "queue" "no-ack"]
    /// Acknowledges a delivery that the client holds.
    Ack "ack" ["client" "nth"]
    /// The same with `multiple`.
    AckMultiple "ack-multiple" ["client" "nth"]
    /// Nacks a delivery.
    Nack "nack" ["client" "nth" "requeue"]
    /// The same with `multiple`.
    NackMultiple "nack-multiple" ["client" "nth" "requeue"]
    /// Rejects a delivery.
    Reject "reject" ["client" "nth" "requeue"]
    /// Drops a delivery that the client holds.
    DeliveryDrop "delivery-drop" ["client" "nth"]

    /// The connection is lost after so many bytes to the broker (way 0) or to the client (way 1);
    /// with `reset`, the client gets an error instead of the end of the stream.
    Cut "net-cut" ["client" "way" "after" "reset"]
    /// Bytes that are sent from now on arrive later.
    Delay "net-delay" ["client" "way" "ms"]
    /// Nothing arrives any more: to the broker (way 0), to the client (1), or both (2).
    Silence "net-silence" ["client" "way"]
    /// The next `count` bytes arrive in pieces of so many bytes.
    Trickle "net-trickle" ["client" "way" "bytes" "count"]
    /// Ends delays and silences of a client's network.
    Heal "net-heal" ["client"]
    /// The next attempts of a client to connect are refused.
    Refuse "net-refuse" ["client" "count"]

    /// The broker closes a connection with the code of this number in the list of codes.
    CloseConnection "broker-close-connection" ["client" "code"]
    /// The broker closes a channel with a code.
    CloseChannel "broker-close-channel" ["client" "channel" "code"]
    /// The broker raises an alarm.
    Alarm "broker-alarm" []
    /// The alarm ends.
    AlarmEnds "broker-alarm-ends" []
    /// The broker refuses logins.
    RefuseLogins "broker-refuse-logins" ["count"]
    /// The broker nacks publishes.
    NackNext "broker-nack-next" ["count"]
    /// The broker returns publishes.
    ReturnNext "broker-return-next" ["count"]
    /// An operator deletes a queue.
    DeleteQueue "broker-delete-queue" ["queue"]
    /// The broker loses a queue for no reason that the ledger knows. No seed does this: it shows
    /// that a run can fail.
    MislayQueue "broker-mislay-queue" ["queue"]
    /// A task panics. No seed does this either.
    Panic "broker-panic" []
    /// The broker cancels a consumer.
    CancelConsumer "broker-cancel-consumer" ["client" "channel" "place"]
    /// The user of all clients is deleted.
    UserGone "broker-user-gone" []
    /// The user is added again, with its permissions.
    UserBack "broker-user-back" []
    /// The virtual host is deleted, with everything in it.
    HostGone "broker-host-gone" []
    /// The virtual host is added again, and the user's permissions for it.
    HostBack "broker-host-back" []
    /// The broker shuts down and starts again; durable queues and persistent messages stay.
    Restart "broker-restart" []
    /// The same as after `kill -9`.
    Crash "broker-crash" []
    /// The next request of a method is refused: on its channel (scope 0), or with the connection.
    FailNext "broker-fail-next" ["method" "scope" "code"]
    /// The answer to the next request of a method is held back.
    HoldNext "broker-hold-next" ["method"]
    /// What is held back is sent.
    ReleaseHeld "broker-release-held" []
    /// A queue is down.
    QueueDown "broker-queue-down" ["queue"]
    /// A queue is up again.
    QueueUp "broker-queue-up" ["queue"]
    /// How long a delivery may stay unacknowledged, in milliseconds; 0 is without end.
    ConsumerTimeout "broker-consumer-timeout" ["ms"]
    /// How many connections the broker has at most; 0 is no limit.
    LimitConnections "broker-limit-connections" ["count"]

    /// Lets time pass.
    Wait "wait" ["ms"]
    /// Lets everything happen that happens without time passing.
    Rest "rest" []
    /// Lets each task run so many times.
    Turns "turns" ["count"]
}

/// A step: a verb, its numbers, and after how many polls its future is dropped, if it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub verb: Verb,
    values: Vec<u32>,
    /// The future of the step is dropped after so many polls.
    pub polls: Option<u32>,
}

impl Step {
    /// Creates a step whose first numbers are these; the rest are 0.
    pub fn new(verb: Verb, values: &[u32]) -> Self {
        let mut values = values.to_vec();
        values.resize(verb.fields().len(), 0);
        Self { verb, values, polls: None }
    }

    /// Drops the future of the step after so many polls.
    #[must_use]
    pub fn dropped_after(mut self, polls: Option<u32>) -> Self {
        self.polls = polls;
        self
    }

    /// Returns the number of this name; 0 if the verb has none of this name.
    pub fn get(&self, field: &str) -> u32 {
        let at = self.verb.fields().iter().position(|name| *name == field);
        at.map_or(0, |at| self.values[at])
    }

    /// Returns `true` if the number of this name is not 0.
    pub fn is(&self, field: &str) -> bool {
        self.get(field) != 0
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb.name())?;
        for (field, value) in self.verb.fields().iter().zip(&self.values) {
            write!(f, " {field}={value}")?;
        }
        self.polls.map_or(Ok(()), |polls| write!(f, " polls={polls}"))
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let verb = Verb::ALL.iter().find(|verb| verb.name() == name);
        let verb = *verb.ok_or_else(|| format!("{name:?} is no step"))?;
        let mut step = Self::new(verb, &[]);
        for word in words {
            let (field, value) = numbered(word)?;
            match verb.fields().iter().position(|name| *name == field) {
                Some(at) => step.values[at] = value,
                None if field == "polls" => step.polls = Some(value),
                None => return Err(format!("{name} has no {field:?}")),
            }
        }
        Ok(step)
    }
}

/// Reads a name and its number.
pub(super) fn numbered<N: FromStr>(word: &str) -> Result<(&str, N), String> {
    let (name, value) = word.split_once('=').ok_or_else(|| format!("{word:?} is not a name and a number"))?;
    Ok((name, value.parse().map_err(|_| format!("{value:?} is not a number"))?))
}
