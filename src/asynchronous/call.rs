//! Requests: the builder of a call, and the future of its reply.

use std::future::Future;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Channel;
use crate::engine::{Comeback, Completion, Reply};
use crate::error::{Error, Result};
use crate::link::Wait;
use crate::protocol::{Method, Recordable, Request, basic};

/// A call of a method of the protocol, made when it is awaited. It has a setter for each field of
/// the method that is not a required name.
///
/// If it is dropped before it resolves, the broker may have carried out the request. The channel
/// stays usable: a reply that arrives later is matched to this call and discarded.
#[derive(Debug)]
#[must_use = "a call is made when it is awaited"]
pub struct Call<'a, R> {
    channel: &'a Channel,
    request: R,
    recorded: bool,
}

impl<'a, R> Call<'a, R> {
    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn driving(&self) -> Option<&'a crate::driver::mio::Driving> {
        self.channel.driving()
    }

    pub(crate) fn new(channel: &'a Channel, request: R) -> Self {
        Self { channel, request, recorded: true }
    }

    /// The request, without the channel.
    #[cfg(feature = "callback")]
    pub(crate) fn into_request(self) -> (R, bool) {
        (self.request, self.recorded)
    }

    /// The request, on a channel.
    #[cfg(feature = "callback")]
    pub(crate) fn of_request(channel: &'a Channel, (request, recorded): (R, bool)) -> Self {
        Self { channel, request, recorded }
    }

    /// Changes the request.
    pub(crate) fn map(mut self, change: impl FnOnce(R) -> R) -> Self {
        self.request = change(self.request);
        self
    }
}

impl<R: Recordable> Call<'_, R> {
    /// Sets whether what this request makes comes back after the connection is lost. Without it, it
    /// does. Has no effect without [`Recovery::Topology`](crate::Recovery::Topology).
    ///
    /// What was recorded before by another request stays so: to declare a recorded queue again with
    /// `recorded(false)` does not remove it from [`topology`](super::Connection::topology).
    pub fn recorded(mut self, recorded: bool) -> Self {
        self.recorded = recorded;
        self
    }
}

impl<'a, R> IntoFuture for Call<'a, R>
where
    R: Request + Into<Method>,
    R::Reply: TryFrom<Method>,
{
    type Output = Result<R::Reply>;
    type IntoFuture = CallFuture<'a, R>;

    fn into_future(self) -> CallFuture<'a, R> {
        let ask = Ask::Call(self.request.into(), R::REPLIES, self.recorded);
        CallFuture { reply: ReplyFuture::asking(self.channel, ask), request: PhantomData }
    }
}

/// The future of a [`Call`], which resolves to the reply.
#[derive(Debug)]
#[must_use = "a call is made when it is awaited"]
pub struct CallFuture<'a, R> {
    reply: ReplyFuture<'a>,
    request: PhantomData<fn(R) -> R>,
}

impl<R> Future for CallFuture<'_, R>
where
    R: Request,
    R::Reply: TryFrom<Method>,
{
    type Output = Result<R::Reply>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = ready!(Pin::new(&mut self.reply).poll(context))?;
        Poll::Ready(R::Reply::try_from(reply.into_method()).map_err(|_| Error::internal("a reply of another method")))
    }
}

/// The future of the reply to any method.
#[derive(Debug)]
pub(super) struct ReplyFuture<'a> {
    channel: &'a Channel,
    stage: Stage,
}

/// What to request of the engine.
#[derive(Debug)]
enum Ask {
    /// Makes a call. The flag is whether what it makes comes back after a loss.
    Call(Method, &'static [crate::protocol::MethodId], bool),
    /// Starts a consumer, with this prefetch where one is given.
    Consume(basic::Consume, Option<u16>, Comeback),
}

#[derive(Debug)]
enum Stage {
    /// The request was not made yet. Boxed, because a method is large.
    Asking(Box<Ask>),
    Waiting(Wait),
    Done,
}

impl<'a> ReplyFuture<'a> {
    pub(super) fn new(channel: &'a Channel, request: Method, replies: &'static [crate::protocol::MethodId]) -> Self {
        Self::asking(channel, Ask::Call(request, replies, true))
    }

    fn asking(channel: &'a Channel, ask: Ask) -> Self {
        Self { channel, stage: Stage::Asking(Box::new(ask)) }
    }

    /// Starts a consumer. Its reply carries the key of the consumer, so that nothing else can claim
    /// it.
    pub(super) fn consume(
        channel: &'a Channel,
        request: basic::Consume,
        prefetch: Option<u16>,
        comeback: Comeback,
    ) -> Self {
        Self::asking(channel, Ask::Consume(request, prefetch, comeback))
    }
}

impl Future for ReplyFuture<'_> {
    type Output = Result<Box<Reply>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Stage::Asking(ask) = &this.stage {
            let key = this.channel.key();
            let wait = Wait::begin(this.channel.shared(), |state, id, now| match &**ask {
                Ask::Call(request, replies, true) => state.engine.call(key, request, replies, id, now),
                Ask::Call(request, replies, false) => state.engine.call_unrecorded(key, request, replies, id, now),
                Ask::Consume(request, prefetch, comeback) => {
                    state.engine.consume(key, request.clone(), *prefetch, *comeback, id, now)
                }
            });
            // If the engine refuses the request, the stage stays `Done`: a later poll must not
            // repeat it.
            this.stage = Stage::Done;
            this.stage = Stage::Waiting(wait?);
        }
        let Stage::Waiting(wait) = &mut this.stage else {
            return Poll::Ready(Err(Error::internal("a call was polled after it was done")));
        };
        let completion = ready!(Pin::new(wait).poll(context));
        this.stage = Stage::Done;
        Poll::Ready(match completion? {
            Completion::Reply(reply) => Ok(reply),
            _ => Err(Error::internal("a call was answered by something else")),
        })
    }
}

/// A method that has no reply, sent when it is awaited. It resolves when the method is queued.
#[derive(Debug)]
#[must_use = "a method is sent when it is awaited"]
pub struct SendMethod<'a, M> {
    channel: &'a Channel,
    method: M,
    is_request: bool,
}

impl<'a, M: crate::protocol::ProtocolMethod> SendMethod<'a, M> {
    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn driving(&self) -> Option<&'a crate::driver::mio::Driving> {
        self.channel.driving()
    }

    pub(super) fn new(channel: &'a Channel, method: M) -> Self {
        Self { channel, method, is_request: M::IS_REQUEST }
    }

    /// Changes the method.
    pub(crate) fn map(mut self, change: impl FnOnce(M) -> M) -> Self {
        self.method = change(self.method);
        self
    }
}

impl<M: Into<Method>> IntoFuture for SendMethod<'_, M> {
    type Output = Result<()>;
    type IntoFuture = std::future::Ready<Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { channel, method, is_request } = self;
        let method = method.into();
        let sent = channel.shared().with(|state| state.engine.send(channel.key(), &method, is_request));
        std::future::ready(sent.map_err(Error::from))
    }
}
