//! The loop by itself: stops, timers, what other threads hand in, passes.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use leveret::callback::{EventLoop, Timer};

use super::guard::Guard;

type Log = Vec<u32>;

const HOUR: Duration = Duration::from_secs(3600);

fn event_loop() -> (EventLoop<Log>, Log, Guard) {
    (EventLoop::new().unwrap(), Log::new(), Guard::new())
}

#[test]
fn a_loop_with_nothing_to_do_returns_at_once() {
    let (mut event_loop, mut log, _guard) = event_loop();
    event_loop.run(&mut log).unwrap();
    // A handle for other threads does not keep it.
    let _remote = event_loop.handle().remote();
    event_loop.run(&mut log).unwrap();
}

#[test]
fn a_stop_before_the_run_makes_it_return_before_anything_is_called_and_counts_once() {
    let (mut event_loop, mut log, _guard) = event_loop();
    event_loop.handle().call_later(Duration::ZERO, |log, _| log.push(1));
    event_loop.handle().stop();
    event_loop.handle().stop();
    event_loop.run(&mut log).unwrap();
    assert!(log.is_empty());
    event_loop.run(&mut log).unwrap();
    assert_eq!(log, [1]);
}

#[test]
fn a_stop_from_a_handler_is_heard_before_the_next_handler_and_loses_none() {
    let (mut event_loop, mut log, _guard) = event_loop();
    let handle = event_loop.handle().clone();
    let remote = handle.remote();
    for number in 0..2 {
        handle.call_later(Duration::ZERO, move |log, handle| {
            log.push(number);
            handle.stop();
        });
        remote.call(move |log, handle| {
            log.push(10 + number);
            handle.stop();
        });
    }
    for expected in [&[0][..], &[0, 1], &[0, 1, 10], &[0, 1, 10, 11]] {
        event_loop.run(&mut log).unwrap();
        assert_eq!(log, expected);
    }
    event_loop.run(&mut log).unwrap();
    event_loop.run(&mut log).unwrap();
    assert_eq!(log.len(), 4);
}

#[test]
fn a_stop_from_another_thread_ends_a_run_that_waits() {
    let (mut event_loop, mut log, _guard) = event_loop();
    event_loop.handle().call_later(HOUR, |_, _| panic!("it is not time"));
    let remote = event_loop.handle().remote();
    let (runs, is_running) = std::sync::mpsc::channel();
    event_loop.handle().call_later(Duration::ZERO, move |_, _| runs.send(()).unwrap());
    let stops = thread::spawn(move || {
        is_running.recv().unwrap();
        remote.stop();
    });
    event_loop.run(&mut log).unwrap();
    stops.join().unwrap();
}

#[test]
fn timers_are_called_by_their_times_and_of_one_time_in_the_order_in_which_they_were_set() {
    let (mut event_loop, mut log, _guard) = event_loop();
    let handle = event_loop.handle();
    for (number, milliseconds) in [(4, 20), (1, 0), (3, 10), (2, 1), (5, 30)] {
        handle.call_later(Duration::from_millis(milliseconds), move |log, _| log.push(number));
    }
    let began = Instant::now();
    event_loop.run(&mut log).unwrap();
    assert_eq!(log, [1, 2, 3, 4, 5]);
    assert!(began.elapsed() >= Duration::from_millis(30), "not before its time");
}

#[test]
fn what_a_pass_adds_is_called_by_the_next_pass() {
    let (mut event_loop, mut log, _guard) = event_loop();
    event_loop.handle().call_later(Duration::ZERO, |log, handle| {
        log.push(1);
        handle.call_later(Duration::ZERO, |log, handle| {
            log.push(3);
            let remote = handle.remote();
            assert!(remote.clone().call(move |log, _| {
                log.push(4);
                assert!(remote.call(|log, _| log.push(5)));
            }));
        });
        assert!(handle.remote().call(|log, _| log.push(2)));
    });
    for expected in [&[1][..], &[1, 3, 2], &[1, 3, 2, 4], &[1, 3, 2, 4, 5]] {
        event_loop.pass(&mut log, Some(Duration::ZERO)).unwrap();
        assert_eq!(log, expected);
    }
}

#[test]
fn a_timer_without_an_end_keeps_the_loop_until_it_is_cancelled() {
    let (mut event_loop, mut log, _guard) = event_loop();
    let handle = event_loop.handle().clone();
    let never = handle.call_later(Duration::MAX, |_, _| panic!("never"));
    handle.call_later(Duration::from_millis(1), move |log, handle| {
        log.push(1);
        assert!(handle.cancel(never));
        assert!(!handle.cancel(never));
    });
    event_loop.run(&mut log).unwrap();
    assert_eq!(log, [1]);
}

#[test]
fn a_timer_that_was_called_cannot_be_cancelled_even_by_itself() {
    let (mut event_loop, mut log, _guard) = event_loop();
    let itself = Rc::new(Cell::new(None::<Timer>));
    let seen = Rc::clone(&itself);
    let handle = event_loop.handle().clone();
    let timer = handle.call_later(Duration::ZERO, move |log: &mut Log, handle| {
        assert!(!handle.cancel(seen.get().unwrap()));
        log.push(1);
    });
    itself.set(Some(timer));
    event_loop.run(&mut log).unwrap();
    assert_eq!(log, [1]);
    assert!(!handle.cancel(timer));
}

#[test]
fn what_other_threads_hand_in_is_called_once_each_in_the_order_of_each_thread() {
    const EACH: u32 = 1000;
    let (mut event_loop, mut log, _guard) = event_loop();
    let done = event_loop.handle().call_later(HOUR, |_, _| panic!("it is not time"));
    let finished = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (remote, finished) = (event_loop.handle().remote(), Arc::clone(&finished));
            thread::spawn(move || {
                for number in 0..EACH {
                    assert!(remote.call(move |log, _| log.push(thread * EACH + number)));
                }
                if finished.fetch_add(1, Ordering::AcqRel) == 3 {
                    assert!(remote.call(move |_, handle| assert!(handle.cancel(done))));
                }
            })
        })
        .collect();
    event_loop.run(&mut log).unwrap();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for thread in 0..4 {
        let of_thread: Vec<_> = log.iter().copied().filter(|number| number / EACH == thread).collect();
        assert_eq!(of_thread, (thread * EACH..(thread + 1) * EACH).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_handed_in_when_the_loop_is_gone_is_dropped_and_told() {
    let (event_loop, _log, _guard) = event_loop();
    let (handle, remote) = (event_loop.handle().clone(), event_loop.handle().remote());
    let held = Arc::new(());
    let (waits, late) = (Arc::clone(&held), Arc::clone(&held));
    assert!(remote.call(move |_, _| drop(waits)));
    drop(event_loop);
    assert_eq!(Arc::strong_count(&held), 2, "what waited is dropped");
    assert!(!remote.call(move |_, _| drop(late)));
    let late = Arc::clone(&held);
    let timer = handle.call_later(Duration::ZERO, move |_, _| drop(late));
    assert!(!handle.cancel(timer));
    assert_eq!(Arc::strong_count(&held), 1);
    remote.stop();
    handle.stop();
}

#[test]
fn threads_that_hand_in_while_the_loop_goes_lose_nothing_of_their_own() {
    let (event_loop, _log, _guard) = event_loop();
    let remote = event_loop.handle().remote();
    let held = Arc::new(());
    let holds = Arc::clone(&held);
    let (began, has_begun) = std::sync::mpsc::channel();
    let hands_in = thread::spawn(move || {
        let mut refused = false;
        while !refused {
            let holds = Arc::clone(&holds);
            refused = !remote.call(move |_, _| drop(holds));
            let _ = began.send(());
        }
    });
    has_begun.recv().unwrap();
    drop(event_loop);
    hands_in.join().unwrap();
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn a_run_ends_as_soon_as_the_state_says_so() {
    let (mut event_loop, mut log, _guard) = event_loop();
    for number in 0..5 {
        event_loop.handle().call_later(Duration::from_millis(number), move |log, _| log.push(1));
    }
    event_loop.run_until(&mut log, |log| log.len() >= 3).unwrap();
    let so_far = log.len();
    assert!((3..=5).contains(&so_far));
    event_loop.run_until(&mut log, |log| log.len() >= 3).unwrap();
    assert_eq!(log.len(), so_far, "it is asked before the first pass");
    event_loop.run(&mut log).unwrap();
    assert_eq!(log.len(), 5);
}

#[test]
fn a_pass_waits_no_longer_than_its_limit_and_not_at_all_for_what_is_due() {
    let (mut event_loop, mut log, _guard) = event_loop();
    event_loop.handle().call_later(HOUR, |_, _| panic!("it is not time"));
    let began = Instant::now();
    event_loop.pass(&mut log, Some(Duration::ZERO)).unwrap();
    event_loop.pass(&mut log, Some(Duration::from_millis(20))).unwrap();
    assert!((Duration::from_millis(20)..HOUR).contains(&began.elapsed()));
    event_loop.handle().call_later(Duration::ZERO, |log, _| log.push(1));
    event_loop.pass(&mut log, Some(HOUR)).unwrap();
    assert!(event_loop.handle().remote().call(|log, _| log.push(2)));
    event_loop.pass(&mut log, None).unwrap();
    event_loop.handle().call_later(Duration::from_millis(1), |log, _| log.push(3));
    event_loop.pass(&mut log, Some(Duration::MAX)).unwrap();
    assert_eq!(log, [1, 2, 3]);
}
