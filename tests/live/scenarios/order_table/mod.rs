//! Every pair of methods, sent in one write: the answers arrive as the table of `tests/live/order`
//! says, which is not always in the order of the methods. The same pairs as calls of one channel
//! lose nothing.

mod calls;
mod methods;
mod table;

use std::time::Duration;

use leveret::protocol::{Method, ProtocolMethod, channel, confirm, connection, exchange, tx};
use leveret_live_tests::raw::{Raw, Received};
use leveret_live_tests::{rabbitmq_version, unique};
use tokio::time::timeout;

use methods::{Trial, answer, mode};
use table::{Row, Token, rows};

/// Where nothing comes for so long, nothing more will. Only a pair that fails waits for it.
const QUIET: Duration = Duration::from_secs(25);

/// A method that arrived.
#[derive(Debug, PartialEq)]
struct Arrived {
    name: String,
    /// The place of the pair that it names, if it names one.
    place: Option<usize>,
    /// The code and the text, where it closes something.
    close: Option<(u16, String)>,
}

/// A connection for pairs, each on a channel of its own.
struct Peer {
    raw: Raw,
    channel: u16,
    prefix: String,
}

impl Peer {
    async fn open(prefix: &str) -> Self {
        let mut peer = Self { raw: Raw::open_channel().await, channel: 1, prefix: prefix.to_owned() };
        let mut trial = Trial::new(1, prefix);
        let queues = trial.queues();
        peer.raw.send_octets(&queues).await;
        peer.take(trial.asked).await;
        peer
    }

    /// Sends a pair, and gives what arrives up to the answer of a fence after it.
    async fn send(&mut self, row: &Row) -> Vec<Arrived> {
        self.channel += 1;
        let (channel, prefix) = (self.channel, self.prefix.clone());
        let mut trial = Trial::new(channel, &prefix);
        let prepared = prepare(&mut trial, row);
        self.raw.send_octets(&prepared).await;
        let before = self.take(trial.asked).await;
        assert_eq!(before.len(), trial.asked, "{} and {} are prepared: {before:?}", row.first, row.second);
        let pair = [trial.send(row.first, 0), trial.send(row.second, 1)].concat();
        self.raw.send_octets(&pair).await;
        let mut arrived = self.answers(row).await;
        if arrived.iter().all(|method| method.close.is_none()) {
            let closes = [row.first, row.second].contains(&"channel.close");
            arrived.extend(self.fence(if closes { 1 } else { channel }).await);
        }
        self.leave(channel, &arrived).await;
        arrived
    }

    /// The answers of a pair: what one order of the table has, or else all that comes.
    async fn answers(&mut self, row: &Row) -> Vec<Arrived> {
        let mut arrived = Vec::new();
        while !row.all_orders().any(|order| is_order(row, order, &arrived)) {
            let more = timeout(QUIET, self.take(1)).await.unwrap_or_default();
            let ended = more.is_empty() || more.iter().any(|method| method.close.is_some());
            arrived.extend(more);
            if ended {
                break;
            }
        }
        arrived
    }

    /// Something that is answered last: what arrives before its answer.
    async fn fence(&mut self, channel: u16) -> Vec<Arrived> {
        let fence = exchange::Declare::default().exchange("amq.fanout").passive(true);
        self.raw.send(channel, fence).await;
        let mut arrived = Vec::new();
        while let Some(method) = self.take(1).await.pop() {
            if method.name == exchange::DeclareOk::NAME {
                break;
            }
            let closed = method.close.is_some();
            arrived.push(method);
            if closed {
                break;
            }
        }
        arrived
    }

    /// Takes away what the pairs have declared.
    async fn leave_nothing(&mut self) {
        let prefix = self.prefix.clone();
        let mut trial = Trial::new(1, &prefix);
        let removals = trial.remove_all();
        self.raw.send_octets(&removals).await;
        assert_eq!(self.take(trial.asked).await.len(), trial.asked, "what pairs declare can be deleted");
    }

    /// Ends what the pair leaves, so that it takes nothing from the next: consumers, and messages
    /// that are unsettled.
    async fn leave(&mut self, channel: u16, arrived: &[Arrived]) {
        let has = |name: &str| arrived.iter().any(|method| method.name == name);
        if has(channel::Close::NAME) {
            self.raw.send(channel, channel::CloseOk::default()).await;
        } else if !has(channel::CloseOk::NAME) && !has(connection::Close::NAME) {
            self.raw.send(channel, channel::Close::default()).await;
            self.take(1).await;
        }
    }

    /// So many methods, or fewer where something is closed.
    async fn take(&mut self, count: usize) -> Vec<Arrived> {
        let (mut arrived, mut acked) = (Vec::new(), 0);
        while arrived.len() < count {
            let Some(method) = self.next_method().await else { break };
            // One acknowledgement may confirm both.
            let times = match &method {
                Method::BasicAck(ack) => {
                    ack.delivery_tag.saturating_sub(if ack.multiple { acked } else { ack.delivery_tag - 1 })
                }
                _ => 1,
            };
            acked += times;
            arrived.extend((0..times).map(|_| self.arrived(&method)));
            if arrived.iter().any(|method| method.close.is_some()) {
                break;
            }
        }
        arrived
    }

    async fn next_method(&mut self) -> Option<Method> {
        loop {
            if let Received::Method(_, method) = self.raw.receive().await? {
                return Some(method);
            }
        }
    }

    fn arrived(&self, method: &Method) -> Arrived {
        let mark = match method {
            Method::BasicConsumeOk(ok) => ok.consumer_tag.to_string(),
            Method::BasicCancelOk(ok) => ok.consumer_tag.to_string(),
            Method::QueueDeclareOk(ok) => ok.queue.to_string(),
            Method::BasicReturn(returned) => returned.routing_key.to_string(),
            _ => String::new(),
        };
        let place = if mark.starts_with("amq.") { None } else { mark.chars().last() };
        let close = match method {
            Method::ChannelClose(close) => Some((close.reply_code, &close.reply_text)),
            Method::ConnectionClose(close) => Some((close.reply_code, &close.reply_text)),
            _ => None,
        };
        Arrived {
            name: method.name().to_owned(),
            place: place.and_then(|place| place.to_digit(2)).map(|place| place as usize),
            close: close.map(|(code, text)| (code.code(), text.to_string().replace(&format!("{}.", self.prefix), ""))),
        }
    }
}

/// Opens the channel, and does what the pair needs on it.
fn prepare(trial: &mut Trial<'_>, row: &Row) -> Vec<u8> {
    let titles = [row.first, row.second];
    let mut out = trial.ask(channel::Open::default());
    for (place, title) in titles.into_iter().enumerate() {
        out.extend(trial.prepare(title, place));
    }
    out.extend(match mode(row.first, row.second) {
        Some("tx") => trial.ask(tx::Select::default()),
        Some(_) => trial.ask(confirm::Select::default()),
        None => Vec::new(),
    });
    for (place, title) in titles.into_iter().enumerate() {
        out.extend(trial.begin(title, place));
    }
    out
}

/// Whether this arrived; in any order, where the broker's own was not measured.
fn is_order(row: &Row, order: &[Token], arrived: &[Arrived]) -> bool {
    let matches = |token: &Token, method: &Arrived| match token {
        Token::Answer(place, named) => {
            let title = [row.first, row.second][*place];
            method.name == answer(title, *named) && method.place.is_none_or(|of| of == *place)
        }
        Token::Close { connection, code, text } => {
            let name = if *connection { connection::Close::NAME } else { channel::Close::NAME };
            method.name == name && method.close == Some((*code, (*text).to_owned()))
        }
    };
    if row.is_measured {
        return order.len() == arrived.len() && order.iter().zip(arrived).all(|(token, method)| matches(token, method));
    }
    let mut left: Vec<_> = arrived.iter().collect();
    let mut take = |token| {
        let found = left.iter().position(|method| matches(token, method));
        found.map(|index| left.remove(index)).is_some()
    };
    order.iter().all(&mut take) && order.len() == arrived.len()
}

/// How often a pair is sent whose processes race, until it ends as most tries do.
const TRIES: usize = 5;

#[tokio::test]
async fn answers_of_two_methods_in_one_write_arrive_in_an_order_that_rabbitmq_has() {
    let rows = rows(rabbitmq_version().await.as_deref());
    let prefix = unique("order");
    let mut peer = Peer::open(&prefix).await;
    let (mut wrong, mut raced) = (Vec::new(), Vec::new());
    for row in &rows {
        for count in 1.. {
            let arrived = peer.send(row).await;
            if arrived.iter().any(|method| method.name == connection::Close::NAME) {
                peer = Peer::open(&prefix).await;
            }
            let is = |orders: &[Vec<Token>]| orders.iter().any(|order| is_order(row, order, &arrived));
            if is(&row.orders) {
                break;
            }
            if count == TRIES || !is(&row.races) {
                wrong.push(format!("{}, {}: {arrived:?}, where the table has {:?}", row.first, row.second, row.orders));
                break;
            }
            // Each pair counts once, however often it is sent.
            if count == 1 {
                raced.push(format!("{}, {}: {arrived:?}", row.first, row.second));
            }
        }
    }
    peer.leave_nothing().await;
    peer.raw.close().await;
    let (differ, may_race) = (raced.len(), rows.iter().filter(|row| !row.races.is_empty()).count());
    assert!(
        differ * 10 <= may_race,
        "{differ} of {may_race} pairs that may race ended as few do:\n{}",
        raced.join("\n")
    );
    assert!(wrong.is_empty(), "{} of {} pairs:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
