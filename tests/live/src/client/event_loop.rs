//! The event loop of callbacks, on a thread of its own. What lives there is known here by proxies:
//! a request goes in by [`Remote::call`], and its handler sends the answer out.

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, mpsc};

use leveret::callback::{EventLoop, Handle, Remote};
use tokio::sync::oneshot;

use super::Answer;

/// The state that handlers are lent: whatever scenarios hold.
#[derive(Default)]
pub(super) struct Hall {
    things: BTreeMap<u64, Box<dyn Any>>,
}

/// One loop for the connections of all scenarios.
static REMOTE: LazyLock<Remote<Hall>> = LazyLock::new(|| {
    let (sender, receiver) = mpsc::channel();
    let run = move || {
        let mut event_loop = EventLoop::new().expect("an event loop");
        sender.send(event_loop.handle().remote()).expect("somebody waits for it");
        let mut hall = Hall::default();
        loop {
            // It returns where there is nothing left to wait for; what comes next may come from
            // outside.
            event_loop.run(&mut hall).expect("the loop runs");
            event_loop.pass(&mut hall, None).expect("the loop waits");
        }
    };
    std::thread::Builder::new().name("event loop".to_owned()).spawn(run).expect("a thread for the loop");
    receiver.recv().expect("the loop is there")
});

/// Runs a job on the loop.
fn call(job: impl FnOnce(&mut Hall, &Handle<Hall>) + Send + 'static) {
    assert!(REMOTE.call(job), "the loop goes on");
}

/// Where a handler sends the answer, to somebody who may be gone. Of several handlers, the first
/// one that is called answers.
pub(super) struct Reply<R>(Rc<Cell<Option<oneshot::Sender<R>>>>);

impl<R> Reply<R> {
    fn new(sender: oneshot::Sender<R>) -> Self {
        Self(Rc::new(Cell::new(Some(sender))))
    }

    pub(super) fn send(&self, answer: R) {
        if let Some(sender) = self.0.take() {
            drop(sender.send(answer));
        }
    }
}

impl<R> Clone for Reply<R> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

/// Runs a job on the loop, when it is awaited, and waits for the reply.
pub(super) fn ask<R: Send + 'static>(
    job: impl FnOnce(&mut Hall, &Handle<Hall>, Reply<R>) + Send + 'static,
) -> Answer<'static, R> {
    Box::pin(async move {
        let (reply, replied) = oneshot::channel();
        call(move |hall, handle| job(hall, handle, Reply::new(reply)));
        replied.await.expect("every handler is called")
    })
}

/// Something that lives on the loop, for as long as there is a proxy of it.
pub(super) struct Proxy<T> {
    place: Arc<Place>,
    thing: PhantomData<fn() -> T>,
}

/// Where it is among the others.
struct Place(u64);

impl Hall {
    /// Takes something in.
    pub(super) fn put<T: 'static>(&mut self, thing: T) -> Proxy<T> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        self.things.insert(number, Box::new(thing));
        Proxy { place: Arc::new(Place(number)), thing: PhantomData }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let number = self.0;
        call(move |hall, _| drop(hall.things.remove(&number)));
    }
}

impl<T: 'static> Proxy<T> {
    /// Does something with it, when the answer is awaited; some handler replies.
    pub(super) fn ask<R: Send + 'static>(
        &self,
        request: impl FnOnce(&T, Reply<R>) + Send + 'static,
    ) -> Answer<'static, R> {
        let proxy = self.clone();
        ask(move |hall, _, reply| request(proxy.thing(hall), reply))
    }

    /// Takes it out, and does something with it.
    pub(super) fn take<R: Send + 'static>(self, request: impl FnOnce(T) -> R + Send + 'static) -> Answer<'static, R> {
        ask(move |hall, _, reply| {
            let taken = hall.things.remove(&self.place.0).and_then(|thing| thing.downcast().ok());
            reply.send(request(*taken.expect("it is there until it is taken")));
        })
    }

    /// Does something with it, at once; the order of such calls is kept.
    pub(super) fn begin(&self, request: impl FnOnce(&T) + Send + 'static) {
        let proxy = self.clone();
        call(move |hall, _| request(proxy.thing(hall)));
    }

    /// Looks at it, and waits for the loop to have done so.
    pub(super) fn look<R: Send + 'static>(&self, look: impl FnOnce(&T) -> R + Send + 'static) -> R {
        let (sender, receiver) = mpsc::channel();
        self.begin(move |thing| drop(sender.send(look(thing))));
        receiver.recv().expect("the loop goes on")
    }

    fn thing<'a>(&self, hall: &'a Hall) -> &'a T {
        let thing = hall.things.get(&self.place.0).and_then(|thing| thing.downcast_ref());
        thing.expect("it is there as long as there is a proxy")
    }
}

impl<T> Clone for Proxy<T> {
    fn clone(&self) -> Self {
        Self { place: Arc::clone(&self.place), thing: PhantomData }
    }
}

impl<T> fmt::Debug for Proxy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.place.0).finish()
    }
}
