//! What a broker says: the handshake, as RabbitMQ does it with `guest` and `/`, and the end.

mod obliging;

use leveret::protocol::{ReplyCode, channel, connection};

pub use obliging::{Heard, oblige, oblige_late, obliging};

use crate::frames::FRAME_MAX;
use crate::peer::Peer;
use crate::transport::Transport;

/// The first that a broker says, with these mechanisms.
pub fn start(mechanisms: &str) -> connection::Start {
    connection::Start::default().version_major(0).version_minor(9).mechanisms(mechanisms).locales("en_US")
}

/// What RabbitMQ proposes.
pub fn tune() -> connection::Tune {
    connection::Tune::default().channel_max(2047).frame_max(FRAME_MAX).heartbeat(60)
}

/// Of a broker.
impl<T: Transport> Peer<T> {
    /// The whole handshake.
    pub async fn shake_hands(&mut self) {
        self.expect_protocol_header().await;
        self.shake_hands_after_header().await;
    }

    /// The same where the protocol header was read.
    pub async fn shake_hands_after_header(&mut self) {
        self.agree_on(tune()).await;
    }

    /// The same where other limits are proposed. Gives those that the client agrees to.
    pub async fn agree_on(&mut self, tune: connection::Tune) -> connection::TuneOk {
        self.send(0, start("PLAIN AMQPLAIN")).await;
        self.expect::<connection::StartOk>(0).await;
        self.send(0, tune).await;
        let agreed = self.expect(0).await;
        self.expect::<connection::Open>(0).await;
        self.send(0, connection::OpenOk::default()).await;
        agreed
    }

    /// The whole handshake with a client that may go away, or with a stream that may be cut, in the
    /// middle.
    pub async fn shake_hands_as_far_as_it_goes(&mut self) {
        self.take_octets(8).await;
        self.send(0, start("PLAIN")).await;
        self.receive().await;
        self.send(0, tune()).await;
        self.receive().await;
        self.receive().await;
        self.send(0, connection::OpenOk::default()).await;
    }

    /// Opens the channel that the client asks for.
    pub async fn open_channel(&mut self, number: u16) {
        self.expect::<channel::Open>(number).await;
        self.send(number, channel::OpenOk::default()).await;
    }

    /// Takes the client's `connection.close`, agrees, and sees it go.
    pub async fn agree_to_close(&mut self) {
        let close = self.expect::<connection::Close>(0).await;
        assert_eq!(close.reply_code, ReplyCode::REPLY_SUCCESS);
        self.send(0, connection::CloseOk::default()).await;
        self.expect_end().await;
    }
}
