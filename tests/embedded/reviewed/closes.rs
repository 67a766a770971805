//! Closes that come at any octet of what a client is saying.

use leveret::broker::Transport;
use leveret::protocol::{Method, ReplyCode, basic, channel, queue};
use leveret_test_support::Received;

use super::peer::content;
use super::{QUEUE, broker, client, counts};

#[test]
fn a_channel_may_be_closed_at_any_octet_of_a_content() {
    let octets = content("", QUEUE, &basic::Properties::default(), &[7; 20]).concat();
    for at in 0..octets.len() {
        let (mut broker, now) = broker();
        let mut peer = client(&mut broker, now);
        peer.say_octets(&mut broker, now, &octets[..at]);
        assert!(broker.close_channel(peer.id, 1, ReplyCode::PRECONDITION_FAILED, "PRECONDITION_FAILED - a test"));
        peer.say_octets(&mut broker, now, &octets[at..]);
        // And one more, which the client had on its way.
        peer.say_octets(&mut broker, now, &octets);
        let heard = peer.hear(&mut broker, now);
        assert!(matches!(heard[..], [Received::Method(1, Method::ChannelClose(_))]), "at {at}: {heard:?}");

        peer.say(&mut broker, now, 1, &channel::CloseOk::default());
        peer.say(&mut broker, now, 1, &channel::Open::default());
        peer.say_octets(&mut broker, now, &octets);
        peer.say(&mut broker, now, 1, &queue::Declare::default().queue(QUEUE).passive(true));
        let heard = peer.hear(&mut broker, now);
        let [Received::Method(1, Method::ChannelOpenOk(_)), Received::Method(1, Method::QueueDeclareOk(declared))] =
            &heard[..]
        else {
            panic!("at {at}: {heard:?}")
        };
        assert_eq!(declared.message_count, 1, "at {at}: of a closed channel nothing is published");
        assert_eq!((counts(&broker), broker.transport(peer.id)), ((1, 0), Transport::Open));
    }
}
