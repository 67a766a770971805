//! What a case is: where in a connection's life the peer misbehaves, how, and what is expected of
//! the client.

use leveret::protocol::MethodId;
use leveret::{Error, ErrorKind, Initiator, ReplyCode};

/// The kind of an error where the broker refused the virtual host, or something else about the
/// connection.
pub(super) const REFUSED: ErrorKind = ErrorKind::AccessRefused;

/// No method is to blame.
pub(super) const NO_METHOD: (u16, u16) = (0, 0);

/// Where in its life a connection is, and so what the client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// In the handshake: the protocol header was sent, start is due.
    Start,
    /// In the handshake: start-ok was sent, tune is due.
    Tune,
    /// In the handshake: tune-ok and open were sent, open-ok is due.
    OpenOk,
    /// Channel 1 is open, and nobody waits for anything.
    Open,
    /// Channel 1 is opening.
    ChannelOpening,
    /// `queue.declare` waits for its reply on channel 1.
    Calling,
    /// `basic.get` does.
    Getting,
    /// `basic.consume` does, on a channel that has the consumer `c` already.
    Subscribing,
    /// The consumer `c` waits for a delivery on channel 1.
    Consuming,
    /// The same, and `basic.deliver` has come.
    HeaderDue,
    /// The same, and the header of [`BODY`](super::script::BODY) has come.
    BodyDue,
    /// The same, and the first four octets of it have come.
    BodyBegun,
    /// Publish 1 waits for its confirm on channel 1.
    Confirming,
    /// `channel.close` waits for close-ok on channel 1.
    ChannelClosing,
    /// `connection.close` waits for close-ok.
    Closing,
}

impl When {
    pub(super) fn is_handshake(self) -> bool {
        matches!(self, Self::Start | Self::Tune | Self::OpenOk)
    }
}

/// What the peer does there.
#[derive(Debug)]
pub(super) enum Does {
    /// It sends octets.
    Sends(Vec<u8>),
    /// It sends an octet every second.
    Drips(Vec<u8>),
    /// It sends octets, and ends the stream behind them. What the client says is still heard.
    Ends(Vec<u8>),
    /// It says nothing.
    Nothing,
    /// It says nothing, where heartbeats of 10 s were agreed on.
    MissesHeartbeats,
}

/// What becomes of what the client was about.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// It comes about.
    Succeeds,
    Fails(Failed),
}

/// What the error of it tells.
#[derive(Debug, PartialEq)]
pub(super) struct Failed {
    pub(super) kind: ErrorKind,
    pub(super) initiator: Option<Initiator>,
    pub(super) code: Option<ReplyCode>,
    /// The method that is blamed.
    pub(super) method: Option<MethodId>,
    pub(super) fate: Fate,
    pub(super) retryable: bool,
}

/// What the error says about the request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fate {
    NotSent,
    Unknown,
    /// Nothing was asked; or the broker has it, and this is its answer.
    Neither,
}

/// What the client says to the peer in the end.
#[derive(Debug, PartialEq)]
pub(super) enum Says {
    /// Nothing: the connection goes on.
    GoesOn,
    /// `connection.close` with this code and method to blame; then, agreed to, the end of the
    /// stream.
    Close(ReplyCode, (u16, u16)),
    /// `connection.close-ok` and the end of the stream.
    CloseOk,
    /// The end of the stream, without a word.
    Ends,
}

/// What the peer says to the client's `connection.close`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reaction {
    /// `connection.close-ok`.
    Agrees,
    /// Nothing, for longer than the client waits.
    Ignores,
    /// A `connection.close` of its own, and nothing else.
    Closes,
}

/// One row of the table.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) when: When,
    pub(super) does: Does,
    pub(super) outcome: Outcome,
    /// What the client says first: methods and their channels.
    pub(super) answers: Vec<(u16, &'static str)>,
    pub(super) says: Says,
    pub(super) reaction: Reaction,
    /// Having done this, the peer does what was due.
    pub(super) then_obliges: bool,
}

impl Failed {
    pub(super) fn of(error: &Error) -> Self {
        let fate = match (error.is_not_sent(), error.is_unknown()) {
            (true, false) => Fate::NotSent,
            (false, true) => Fate::Unknown,
            (false, false) => Fate::Neither,
            (true, true) => panic!("both not sent and unknown: {error:?}"),
        };
        let (kind, initiator, code) = (error.kind(), error.initiator(), error.reply_code());
        Self { kind, initiator, code, method: error.method_id(), fate, retryable: error.is_retryable() }
    }

    /// Of this kind; who waited cannot tell what became of the request, and who asked for nothing
    /// has nothing to tell.
    fn new(kind: ErrorKind, initiator: Option<Initiator>, when: When) -> Self {
        let fate = match when {
            When::Open => Fate::Neither,
            _ if when.is_handshake() => Fate::NotSent,
            _ => Fate::Unknown,
        };
        Self { kind, initiator, code: None, method: None, fate, retryable: false }
    }
}

/// A misbehaviour, of which the expectations are still to be said.
pub(super) struct Misbehaviour {
    name: String,
    when: When,
    does: Does,
}

pub(super) fn when(when: When, name: impl Into<String>, does: Does) -> Misbehaviour {
    Misbehaviour { name: name.into(), when, does }
}

/// A misbehaviour of octets that are sent.
pub(super) fn sends(at: When, name: impl Into<String>, octets: impl Into<Vec<u8>>) -> Misbehaviour {
    when(at, name, Does::Sends(octets.into()))
}

fn method((class, method): (u16, u16)) -> Option<MethodId> {
    Some(MethodId::new(class, method)).filter(|_| (class, method) != NO_METHOD)
}

impl Misbehaviour {
    fn expect(self, outcome: Outcome, says: Says) -> Case {
        let Self { name, when, does } = self;
        let then_obliges = outcome == Outcome::Succeeds && says == Says::GoesOn;
        Case { name, when, does, outcome, answers: Vec::new(), says, reaction: Reaction::Agrees, then_obliges }
    }

    fn fails(self, kind: ErrorKind, initiator: Option<Initiator>, says: Says) -> Case {
        let failed = Failed::new(kind, initiator, self.when);
        self.expect(Outcome::Fails(failed), says)
    }

    /// It breaks the protocol: the client closes the connection with this code, and blames this
    /// method.
    pub(super) fn breaks(self, code: ReplyCode, blamed: (u16, u16)) -> Case {
        let failed = Failed::new(ErrorKind::Protocol, Some(Initiator::Client), self.when);
        let failed = Failed { code: Some(code), method: method(blamed), ..failed };
        self.expect(Outcome::Fails(failed), Says::Close(code, blamed))
    }

    /// It breaks the protocol on channel 1 alone: the client closes that with this code, and blames
    /// this method.
    pub(super) fn breaks_channel(self, code: ReplyCode, blamed: (u16, u16)) -> Case {
        let failed = Failed::new(ErrorKind::Protocol, Some(Initiator::Client), self.when);
        let failed = Failed { code: Some(code), method: method(blamed), ..failed };
        let case = self.expect(Outcome::Fails(failed), Says::GoesOn);
        Case { answers: vec![(1, "channel.close")], ..case }
    }

    /// It breaks the protocol where the client has said that it goes: no more is said to it.
    pub(super) fn breaks_off(self) -> Case {
        self.fails(ErrorKind::Protocol, Some(Initiator::Client), Says::Ends)
    }

    /// It changes nothing.
    pub(super) fn passes(self) -> Case {
        self.expect(Outcome::Succeeds, Says::GoesOn)
    }

    /// It changes nothing, but for what the client says.
    pub(super) fn draws<const N: usize>(self, answers: [(u16, &'static str); N]) -> Case {
        Case { answers: answers.into(), ..self.passes() }
    }

    /// It completes what the client was about, and the connection ends in the way that it says.
    pub(super) fn completes(self, says: Says) -> Case {
        self.expect(Outcome::Succeeds, says)
    }

    /// An error of the request alone, which the broker has answered; the connection goes on.
    pub(super) fn spoils(self, kind: ErrorKind) -> Case {
        let failed = Failed { fate: Fate::Neither, ..Failed::new(kind, None, self.when) };
        self.expect(Outcome::Fails(failed), Says::GoesOn)
    }

    /// It ends the handshake, for a reason that the client saw by itself, without another word of
    /// the client's: a connection that is not open is not closed by methods (AMQP 0-9-1 §2.2.4).
    pub(super) fn ends_handshake(self, kind: ErrorKind) -> Case {
        self.fails(kind, Some(Initiator::Client), Says::Ends)
    }

    /// The client waits no longer: it leaves, or forgets the request and goes on.
    pub(super) fn times_out(self) -> Case {
        let leaves = self.when.is_handshake() || self.when == When::Closing;
        let says = if leaves { Says::Ends } else { Says::GoesOn };
        let initiator = self.when.is_handshake().then_some(Initiator::Client);
        self.fails(ErrorKind::TimedOut, initiator, says).retryable()
    }

    /// The transport is gone, which is of this kind: worth a retry, unless the end is the broker's
    /// way to refuse.
    pub(super) fn loses_transport(self, kind: ErrorKind) -> Case {
        let case = self.fails(kind, Some(Initiator::Transport), Says::Ends);
        let refuses = matches!(kind, ErrorKind::Authentication | ErrorKind::AccessRefused);
        if refuses { case } else { case.retryable() }
    }

    /// The client takes the broker for dead, or of no use, and leaves without a word (AMQP 0-9-1
    /// §4.2.7).
    pub(super) fn gives_up(self) -> Case {
        self.fails(ErrorKind::ConnectionClosed, Some(Initiator::Client), Says::Ends).retryable()
    }

    /// The broker closes the connection with this code.
    pub(super) fn closes(self, kind: ErrorKind, code: ReplyCode) -> Case {
        let case = self.fails(kind, Some(Initiator::Broker), Says::CloseOk).with_code(code);
        case.retryable_if_it_passes(code)
    }

    /// The broker closes channel 1 with this code, and nothing else.
    pub(super) fn closes_channel(self, code: ReplyCode) -> Case {
        let case = self.fails(ErrorKind::ChannelClosed, Some(Initiator::Broker), Says::GoesOn);
        Case { answers: vec![(1, "channel.close-ok")], ..case }.with_code(code).retryable_if_it_passes(code)
    }
}

impl Case {
    /// Whatever the words: an operator's doing or a shutdown, a fault or a lack inside the broker,
    /// a lock that is held by whom it may not have missed yet, or no consumer for the moment.
    fn retryable_if_it_passes(self, code: ReplyCode) -> Self {
        let passing = [
            ReplyCode::NO_CONSUMERS,
            ReplyCode::CONNECTION_FORCED,
            ReplyCode::RESOURCE_LOCKED,
            ReplyCode::RESOURCE_ERROR,
            ReplyCode::INTERNAL_ERROR,
        ];
        if passing.contains(&code) { self.retryable() } else { self }
    }

    fn with_code(mut self, code: ReplyCode) -> Self {
        self.failed().code = Some(code);
        self
    }

    pub(super) fn retryable(mut self) -> Self {
        self.failed().retryable = true;
        self
    }

    /// The broker blames this method, and so has answered it, if it is the one that was asked.
    pub(super) fn blaming(mut self, blamed: (u16, u16), fate: Fate) -> Self {
        let failed = self.failed();
        (failed.method, failed.fate) = (method(blamed), fate);
        self
    }

    /// And this is what the client says first.
    pub(super) fn saying<const N: usize>(self, answers: [(u16, &'static str); N]) -> Self {
        Self { answers: answers.into(), ..self }
    }

    /// What the peer did was all that was due.
    pub(super) fn and_no_more(self) -> Self {
        Self { then_obliges: false, ..self }
    }

    /// What was due comes after it all the same.
    pub(super) fn and_what_was_due(self) -> Self {
        Self { then_obliges: true, ..self }
    }

    /// And the connection ends like this.
    pub(super) fn and_then(self, says: Says) -> Self {
        Self { says, ..self }
    }

    /// To the client's close, the peer reacts like this.
    pub(super) fn then(self, reaction: Reaction) -> Self {
        Self { reaction, ..self }
    }

    fn failed(&mut self) -> &mut Failed {
        match &mut self.outcome {
            Outcome::Fails(failed) => failed,
            Outcome::Succeeds => panic!("{}: it does not fail", self.name),
        }
    }
}
