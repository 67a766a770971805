//! The broker of an example: the one that `AMQP_URL` names, or else an embedded one, for one
//! connection, on a thread of its own with a blocking socket.

use std::env;
use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use leveret::broker::{ConnectionId, Settings, State, Transport};

pub(crate) fn url() -> io::Result<String> {
    if let Ok(url) = env::var("AMQP_URL") {
        return Ok(url);
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("amqp://{}", listener.local_addr()?);
    thread::spawn(move || serve(&listener));
    Ok(url)
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    let (mut socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    let mut broker = State::new(Settings::default(), Instant::now());
    let client = broker.handle_connect(Instant::now());
    let (mut input, mut chunk) = (BytesMut::new(), [0; 4096]);
    loop {
        write(&mut broker, client, &mut socket)?;
        if broker.transport(client) != Transport::Open {
            return Ok(());
        }
        let due = broker.poll_deadline().map(|due| due.saturating_duration_since(Instant::now()));
        socket.set_read_timeout(due.map(|due| due.max(Duration::from_millis(1))))?;
        match socket.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                input.extend_from_slice(chunk.get(..count).unwrap_or_default());
                broker.handle_bytes(client, &mut input, Instant::now());
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        broker.handle_timeout(Instant::now());
    }
}

/// All that the broker has to say.
fn write(broker: &mut State, client: ConnectionId, socket: &mut TcpStream) -> io::Result<()> {
    while let Some(mut outbound) = broker.poll_transmit(client, Instant::now()) {
        while !outbound.is_empty() {
            let mut slices = [IoSlice::new(&[]); 8];
            let filled = outbound.slices(&mut slices);
            let count = socket.write_vectored(slices.get(..filled).unwrap_or_default())?;
            outbound.advance(count);
        }
    }
    Ok(())
}
