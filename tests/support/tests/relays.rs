//! The relay does to connections what it says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use leveret_test_support::relay::{End, Fate, Relay, Way};

/// A broker that only listens, and a relay to it.
struct World {
    listener: TcpListener,
    relay: Relay,
}

/// Anything takes at most so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nothing comes within so long.
const SILENCE: Duration = Duration::from_millis(100);

impl World {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay::to(listener.local_addr().unwrap().to_string());
        Self { listener, relay }
    }

    /// A connection through the relay: the ends of the client and of the broker.
    fn connect(&self) -> (TcpStream, TcpStream) {
        let client = self.dial();
        let (broker, _) = self.listener.accept().unwrap();
        broker.set_read_timeout(Some(PATIENCE)).unwrap();
        (client, broker)
    }

    fn dial(&self) -> TcpStream {
        let client = TcpStream::connect(self.relay.address()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }
}

/// What arrives until so many bytes are there.
fn take(mut stream: &TcpStream, count: usize) -> Vec<u8> {
    let mut taken = vec![0; count];
    stream.read_exact(&mut taken).unwrap();
    taken
}

/// What one read finds.
fn read(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut taken = vec![0; 1024];
    let count = stream.read(&mut taken)?;
    taken.truncate(count);
    Ok(taken)
}

#[track_caller]
fn assert_silent(stream: &TcpStream) {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let error = read(stream).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
}

#[track_caller]
fn assert_reset(stream: &TcpStream) {
    assert_eq!(read(stream).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn bytes_and_the_end_of_a_stream_pass_in_both_directions_of_many_connections() {
    let world = World::new();
    let mut pairs: Vec<_> = (0..5).map(|_| world.connect()).collect();
    let large = vec![7; 1_000_000];
    for (client, broker) in &mut pairs {
        client.write_all(b"to the broker").unwrap();
        assert_eq!(take(broker, 13), b"to the broker");
        std::thread::scope(|scope| {
            scope.spawn(|| broker.write_all(&large).unwrap());
            assert!(take(client, large.len()) == large);
        });
    }
    assert_eq!(world.relay.made(), 5);
    assert_eq!(world.relay.passed(Way::ToBroker), 5 * 13);
    world.relay.until(|seen| seen.passed[1] == 5_000_000 && seen.open == 5);

    let (client, broker) = pairs.pop().unwrap();
    drop(client);
    assert_eq!(read(&broker).unwrap(), b"");
    drop(broker);
    world.relay.until(|seen| seen.open == 4);
}

#[test]
fn half_a_connection_may_end() {
    let world = World::new();
    let (client, mut broker) = world.connect();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read(&broker).unwrap(), b"");
    broker.write_all(b"last").unwrap();
    assert_eq!(take(&client, 4), b"last");
}

#[test]
fn a_cut_closes_both_sides_of_all_connections_and_others_can_be_made() {
    let world = World::new();
    let pairs = [world.connect(), world.connect()];
    world.relay.cut();
    for (client, broker) in &pairs {
        assert_eq!((read(client).unwrap(), read(broker).unwrap()), (vec![], vec![]));
    }
    let (mut client, broker) = world.connect();
    client.write_all(b"again").unwrap();
    assert_eq!(take(&broker, 5), b"again");
    assert_eq!((world.relay.made(), world.relay.open()), (3, 1));
}

#[test]
fn a_reset_resets_both_sides() {
    let world = World::new();
    let (client, broker) = world.connect();
    world.relay.reset();
    assert_reset(&client);
    assert_reset(&broker);
}

#[test]
fn a_connection_ends_after_exactly_so_many_bytes_of_a_direction() {
    for way in Way::BOTH {
        for end in [End::Cut, End::Reset] {
            let world = World::new();
            let (client, broker) = world.connect();
            let (mut from, to) = if way == Way::ToBroker { (&client, &broker) } else { (&broker, &client) };
            world.relay.end_after(way, 10, end);
            from.write_all(b"1234567").unwrap();
            assert_eq!(take(to, 7), b"1234567");
            from.write_all(b"8901234").unwrap();
            assert_eq!(take(to, 3), b"890");
            match end {
                End::Cut => assert_eq!(read(to).unwrap(), b""),
                End::Reset => assert_reset(to),
            }
            world.relay.until(|seen| seen.open == 0);
            assert_eq!(world.relay.passed(way), 10);
            // It was for one connection.
            let (mut client, broker) = world.connect();
            client.write_all(&[0; 20]).unwrap();
            assert_eq!(take(&broker, 20), [0; 20]);
        }
    }
}

#[test]
fn a_direction_that_swallows_passes_nothing_on_and_no_end_while_the_other_one_works() {
    let world = World::new();
    let (mut client, mut broker) = world.connect();
    world.relay.set(Way::ToClient, Fate::Swallow);
    broker.write_all(&[1; 3_000_000]).unwrap();
    client.write_all(b"hello?").unwrap();
    assert_eq!(take(&broker, 6), b"hello?");
    drop(broker);
    assert_silent(&client);
    assert_eq!(world.relay.passed(Way::ToClient), 0);
}

#[test]
fn a_direction_that_stalls_passes_on_later_what_it_was_given() {
    let world = World::new();
    let (mut client, broker) = world.connect();
    world.relay.set_both(Fate::Stall);
    client.write_all(b"patience").unwrap();
    assert_silent(&broker);
    // A sender that is not read comes to a stop.
    client.set_write_timeout(Some(SILENCE)).unwrap();
    let mut written = 8;
    let stopped = loop {
        match client.write(&[0; 65_536]) {
            Ok(count) => written += count,
            Err(error) => break error.kind(),
        }
    };
    assert!(matches!(stopped, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{stopped}");
    world.relay.pass();
    assert_eq!(take(&broker, written)[..8], *b"patience");
}

#[test]
fn bytes_trickle_one_at_a_time() {
    let world = World::new();
    let (mut client, broker) = world.connect();
    let pause = Duration::from_millis(20);
    world.relay.set(Way::ToBroker, Fate::Trickle(pause));
    let before = Instant::now();
    client.write_all(b"drops").unwrap();
    let mut taken = Vec::new();
    while taken.len() < 5 {
        let more = read(&broker).unwrap();
        assert!(more.len() <= before.elapsed().as_millis() as usize / 20, "{more:?}");
        taken.extend(more);
    }
    assert_eq!(taken, b"drops");
    assert!(before.elapsed() >= 5 * pause);
}

#[test]
fn bytes_arrive_later_by_a_delay() {
    let world = World::new();
    let (mut client, broker) = world.connect();
    world.relay.set(Way::ToBroker, Fate::Delay(Duration::from_millis(200)));
    let before = Instant::now();
    client.write_all(b"late").unwrap();
    assert_eq!(take(&broker, 4), b"late");
    assert!(before.elapsed() >= Duration::from_millis(200));
}

#[test]
fn connections_are_refused_and_counted_while_it_refuses_or_the_broker_is_away() {
    let world = World::new();
    let (mut kept, broker) = world.connect();
    world.relay.refuse(true);
    for _ in 0..3 {
        assert_reset(&world.dial());
    }
    kept.write_all(b"still here").unwrap();
    assert_eq!(take(&broker, 10), b"still here");
    assert_eq!((world.relay.made(), world.relay.refused()), (1, 3));
    world.relay.refuse(false);
    drop(world.connect());
    assert_eq!(world.relay.made(), 2);

    let World { listener, relay } = world;
    drop(listener);
    let client = TcpStream::connect(relay.address()).unwrap();
    assert_reset(&client);
    assert_eq!((relay.made(), relay.refused()), (2, 4));
}

#[test]
fn a_network_that_forgets_resets_the_broker_and_leaves_the_client_in_silence() {
    let world = World::new();
    let (mut client, broker) = world.connect();
    world.relay.forget();
    assert_reset(&broker);
    client.write_all(b"is anybody there?").unwrap();
    assert_silent(&client);
    world.relay.cut();
    assert_eq!(read(&client).unwrap(), b"");
}

#[test]
fn a_relay_that_is_dropped_closes_its_connections_and_its_port() {
    let World { listener, relay } = World::new();
    let client = TcpStream::connect(relay.address()).unwrap();
    let (broker, _) = listener.accept().unwrap();
    let address = relay.address();
    drop(relay);
    assert_eq!((read(&client).unwrap(), read(&broker).unwrap()), (vec![], vec![]));
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}
