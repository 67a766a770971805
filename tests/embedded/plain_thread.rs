//! A driver without a runtime: the engine, a blocking socket, and nothing else.

use std::collections::VecDeque;
use std::io::{IoSlice, Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU32;
use std::time::Instant;

use bytes::BytesMut;
use leveret::broker::Broker;
use leveret::engine::{
    Completion, Confirmation, Delivery, Engine, Event, Handshake, HandshakeParameters, Negotiated, Reply, Settings,
    Settle, WaiterId,
};
use leveret::frame::{Body, Outbound, Publish};
use leveret::protocol::{Method, Request, basic, confirm, queue};
use leveret::{ConnectionParameters, ReplyCode};

struct Driver {
    socket: TcpStream,
    input: BytesMut,
    engine: Engine,
    waiters: u32,
}

impl Driver {
    fn open(mut socket: TcpStream) -> Self {
        let parameters = ConnectionParameters::default();
        let mut handshake = Handshake::new(HandshakeParameters::from(&parameters));
        let mut input = BytesMut::new();
        let negotiated: Negotiated = loop {
            let agreed = handshake.handle_bytes(&mut input).unwrap();
            write(&mut socket, handshake.poll_transmit());
            match agreed {
                Some(negotiated) => break negotiated,
                None => read(&mut socket, &mut input),
            }
        };
        let engine = Engine::new(negotiated, Settings::from(&parameters), Instant::now());
        Self { socket, input, engine, waiters: 0 }
    }

    fn waiter(&mut self) -> WaiterId {
        self.waiters += 1;
        WaiterId { slot: self.waiters, generation: NonZeroU32::MIN }
    }

    /// Moves bytes until something has happened for this waiter; none where it has something to
    /// take.
    fn wait(&mut self, waiter: WaiterId) -> Option<Completion> {
        loop {
            while let Some(event) = self.engine.poll_event() {
                match event {
                    Event::Completed(id, completion) if id == waiter => return Some(completion),
                    Event::Readable(id) if id == waiter => return None,
                    _ => {}
                }
            }
            let written = write(&mut self.socket, self.engine.poll_transmit());
            self.engine.handle_written(written, Instant::now());
            if written == 0 {
                read(&mut self.socket, &mut self.input);
                self.engine.handle_bytes(&mut self.input, Instant::now());
            }
        }
    }

    fn call<R: Request + Into<Method>>(&mut self, key: leveret::engine::ChannelKey, request: R) -> Box<Reply> {
        let waiter = self.waiter();
        self.engine.call(key, &request.into(), R::REPLIES, waiter, Instant::now()).unwrap();
        match self.wait(waiter) {
            Some(Completion::Reply(reply)) => reply,
            other => panic!("{other:?}"),
        }
    }
}

fn write(socket: &mut TcpStream, outbound: Option<Outbound>) -> usize {
    let Some(mut outbound) = outbound else { return 0 };
    let len = outbound.len();
    while !outbound.is_empty() {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = outbound.slices(&mut slices);
        let count = socket.write_vectored(&slices[..filled]).unwrap();
        outbound.advance(count);
    }
    len
}

fn read(socket: &mut TcpStream, input: &mut BytesMut) {
    let mut chunk = [0; 4096];
    let count = socket.read(&mut chunk).unwrap();
    assert!(count > 0, "the broker hung up");
    input.extend_from_slice(&chunk[..count]);
}

#[test]
fn a_plain_thread_with_a_blocking_socket_drives_the_engine() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let broker = Broker::new();
    let listener = runtime.block_on(broker.listen("127.0.0.1:0")).unwrap();
    let mut driver = Driver::open(TcpStream::connect(listener.address()).unwrap());

    let opening = driver.waiter();
    let key = driver.engine.open_channel(opening, Instant::now()).unwrap();
    assert!(matches!(driver.wait(opening), Some(Completion::Opened(opened)) if opened == key));
    driver.call(key, queue::Declare::default().queue("burrow"));
    driver.call(key, confirm::Select::default());

    let confirm = driver.waiter();
    let body = Body::from("leveret");
    let publish = Publish { exchange: b"", routing_key: b"burrow", mandatory: true, properties: None, body: &body };
    driver.engine.publish(key, &publish, Some(confirm)).unwrap();
    assert!(matches!(driver.wait(confirm), Some(Completion::Confirmed(Confirmation::Ack))));

    let consumer = driver.call(key, basic::Consume::default().queue("burrow")).consumer.expect("a consumer");
    let (standing, mut taken) = (driver.waiter(), VecDeque::<Delivery>::new());
    let _ = driver.engine.take_deliveries(consumer, &mut taken, standing);
    while taken.is_empty() {
        assert!(driver.wait(standing).is_none());
        let _ = driver.engine.take_deliveries(consumer, &mut taken, standing);
    }
    assert_eq!(taken[0].message.body(), b"leveret");
    driver.engine.settle(key, taken[0].delivery_tag, Settle::Ack { multiple: false }).unwrap();

    let closing = driver.waiter();
    driver.engine.close(ReplyCode::REPLY_SUCCESS, "done", Some(closing), Instant::now()).unwrap();
    assert!(matches!(driver.wait(closing), Some(Completion::Closed)) && driver.engine.is_finished());
    let left = broker.state().queue("/", "burrow").map(|queue| (queue.ready, queue.unacknowledged));
    assert_eq!(left, Some((0, 0)), "it was acknowledged");
}
