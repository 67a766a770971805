//! A TCP relay between a client and the broker, which keeps what the client sends, and which can be
//! cut.

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use leveret_live_tests::soon;

/// A relay for one connection.
pub(crate) struct Relay {
    pub(crate) port: u16,
    task: JoinHandle<Vec<u8>>,
}

impl Relay {
    /// A relay to this address.
    pub(crate) async fn to(address: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let task = tokio::spawn(async move {
            let (client, _) = listener.accept().await.expect("a client comes");
            let broker = TcpStream::connect(address).await.expect("the broker takes a connection");
            let (from_client, mut to_client) = client.into_split();
            let (mut from_broker, to_broker) = broker.into_split();
            let answers = async {
                // A client that is gone is no failure of the relay's.
                let _ = copy(&mut from_broker, &mut to_client).await;
                let _ = to_client.shutdown().await;
            };
            tokio::join!(keep(from_client, to_broker), answers).0
        });
        Self { port, task }
    }

    /// What the client sent, once both sides have ended.
    pub(crate) async fn ended(self) -> Vec<u8> {
        soon(self.task).await.expect("the relay does not fail")
    }

    /// Cuts the connection, without a word to either side.
    pub(crate) fn cut(self) {
        self.task.abort();
    }
}

/// Passes on what comes, to its end, and keeps it.
async fn keep(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut passed = 0;
    while let Ok(1..) = from.read_buf(&mut kept).await {
        if to.write_all(&kept[passed..]).await.is_err() {
            break;
        }
        passed = kept.len();
    }
    let _ = to.shutdown().await;
    kept
}
