//! Which tasks are woken when output is taken.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use bytes::BytesMut;

use super::*;
use crate::broker::{Fault, Settings, Target};

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes what there is to write to a client that said the protocol header, with a watcher; tells
/// how much that is, and whether the watcher was woken.
fn take(fault: Option<Fault>) -> (usize, bool) {
    let now = Instant::now();
    let shared = Shared::new(State::new(Settings::default(), now));
    let id = shared.connect(now);
    shared.step(Some(id), |state| {
        fault.into_iter().for_each(|fault| state.inject(Target::Connection(id), fault));
        state.handle_bytes(id, &mut BytesMut::from(&b"AMQP\0\0\x09\x01"[..]), now);
    });
    let woken = Arc::new(Woken::default());
    shared.watch(shared.watcher(), Waker::from(Arc::clone(&woken)));
    let taken = shared.look(id, true, now).outbound.unwrap().len();
    (taken, woken.0.load(Ordering::Relaxed) > 0)
}

#[test]
fn octets_that_are_taken_wake_nobody_who_waits_for_a_change() {
    let (taken, woken) = take(None);
    assert!(taken > 100 && !woken);
}

#[test]
fn octets_that_are_the_last_ones_wake_who_waits_for_a_change() {
    assert_eq!(take(Some(Fault::CutOutput(20))), (20, true));
}
