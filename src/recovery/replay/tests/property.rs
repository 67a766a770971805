//! Whatever the broker refuses, each entity comes back or is reported.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::recording::{bind, bind_exchange, channel, consume, consumer, exchange, queue, server_named_queue};
use super::*;
use crate::recovery::replay::entry::Task;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Away,
    Locked,
    InUse,
    Forbidden,
    Different,
    NoQueue,
    NoExchange,
}

impl Kind {
    fn error(self) -> Error {
        match self {
            Self::Away => away(),
            Self::Locked => locked(),
            Self::InUse => in_exclusive_use(),
            Self::Forbidden => forbidden(),
            Self::Different => different(),
            Self::NoQueue => no_queue(),
            Self::NoExchange => no_exchange(),
        }
    }
}

fn any_change() -> impl Strategy<Value = Change> {
    let name = |number: u8| format!("n{number}");
    prop_oneof![
        (0..4_u8).prop_map(move |number| exchange(&name(number))),
        (0..4_u8).prop_map(move |number| queue(&name(number))),
        (0..5_u8, 0..5_u8).prop_map(move |(queue, exchange)| bind(&name(queue), &name(exchange), "")),
        (0..2_u8, 0..5_u8).prop_map(move |(queue, exchange)| bind(&format!("amq.gen-{queue}"), &name(exchange), "")),
        (0..4_u8, 0..4_u8).prop_map(move |(one, other)| bind_exchange(&name(one), &name(other))),
        (0..20_u32, 1..4_u16, 0..5_u8).prop_map(move |(slot, channel, queue)| consume(slot, channel, &name(queue))),
        (0..20_u32, 1..4_u16, 0..2_u8).prop_map(|(slot, channel, queue)| consume(
            slot,
            channel,
            &format!("amq.gen-{queue}")
        )),
        (20..30_u32, 1..4_u16, any::<bool>()).prop_map(move |(slot, number, exclusive)| {
            let queue = if exclusive { name(0) } else { "amq.rabbitmq.reply-to".to_owned() };
            let request = basic::Consume::default().queue(queue).consumer_tag(slot.to_string()).exclusive(exclusive);
            let (channel, consumer) = (channel(number), consumer(slot));
            Change::ConsumerStarted { channel, consumer, request: Box::new(request), prefetch: 1, recorded: true }
        }),
    ]
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => Just(Kind::Away),
        1 => Just(Kind::Locked),
        1 => Just(Kind::InUse),
        1 => Just(Kind::Forbidden),
        1 => Just(Kind::Different),
        1 => Just(Kind::NoQueue),
        1 => Just(Kind::NoExchange),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_entity_comes_back_or_is_reported(
        changes in vec(any_change(), 0..40),
        refused in vec((any::<prop::sample::Index>(), any_kind(), 1..5_u32), 0..12),
        used in 0..3_u32,
    ) {
        let named = [server_named_queue("amq.gen-0"), server_named_queue("amq.gen-1")];
        let changes: Vec<Change> = named.into_iter().chain(changes).collect();
        // What is sent without refusals is what can be refused.
        let mut plain = Run::new(changes.clone());
        plain.finish();
        let mut run = Run::new(changes);
        // What was there may be lost again, and then be refused.
        let is_stable = !refused.iter().any(|(_, kind, _)| matches!(kind, Kind::NoQueue | Kind::NoExchange));
        for (index, kind, times) in refused {
            if !plain.sent.is_empty() {
                let request: &String = index.get(&plain.sent);
                run = run.refuse(request, kind.error(), times);
            }
        }
        run.consumers("n0", used);
        run.finish();
        let made: BTreeSet<&String> = run.made.iter().collect();
        let failures = run.replay.take_failures();
        prop_assert!(failures.iter().all(|failure| !failure.is_retried));
        let failed: BTreeSet<Entity> = failures.into_iter().map(|failure| failure.entity).collect();
        let after = Run::of(run.record, Suspects::default());
        for recorded in after.record.snapshot().iter() {
            let is_made = match recorded.entity() {
                Entity::Queue(name) if name.as_bytes().starts_with(b"amq.gen-") => name.as_bytes().starts_with(b"amq.gen-new"),
                // The queue of one that had started may have got a new name since then.
                Entity::Consumer { tag, .. } => made.iter().any(|made| made.ends_with(&format!(" {tag}"))),
                _ => made.contains(&words(&Entry::new(Task::Make(recorded.clone()), Phase::Topology).request())),
            };
            let is_reported = failed.contains(&recorded.entity());
            prop_assert!(is_made || is_reported, "{} is lost", recorded.entity());
            prop_assert!(!(is_stable && is_made && is_reported), "{} is not lost", recorded.entity());
        }
        prop_assert!(run.most <= WINDOW);
        // An old name of the broker's is never sent.
        prop_assert!(!run.sent.iter().any(|sent| sent.contains("amq.gen-0") || sent.contains("amq.gen-1")));
    }
}
