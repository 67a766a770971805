//! Changes of a full record take as long as those of a small one.

use super::*;
use crate::engine::steps::steps_of;

#[test]
fn a_change_of_a_full_record_visits_no_other_entity() {
    let mut record = record();
    let queues = (0..10_000).map(|number| queue(&format!("q{number}")));
    let bindings = (0..40_000).map(|number| bind(&format!("q{}", number % 10_000), "e", &number.to_string()));
    let consumers = (0..10_000).map(|number| consume(number, 1, &format!("q{number}")));
    apply(&mut record, queues.chain(bindings).chain(consumers).chain([exchange("e")]));
    let changes = [
        queue("q1"),
        queue("new"),
        bind("q1", "e", "new"),
        unbind("q1", "e", "1"),
        consume(20_000, 1, "new"),
        Change::ConsumerEnded(consumer(1)),
        Change::ChannelClosed(channel(2)),
        exchange("new"),
        delete_exchange("new"),
    ];
    for change in changes {
        let (steps, ()) = steps_of(|| apply(&mut record, [change.clone()]));
        assert!(steps <= 2, "{change:?} took {steps} steps");
    }
    // A queue takes its three other bindings and its consumer with it.
    let (steps, ()) = steps_of(|| apply(&mut record, [delete_queue("q2")]));
    assert!((5..=6).contains(&steps), "{steps} steps");
    let (steps, ()) = steps_of(|| record.rename_queue(&name("q3"), &name("renamed")));
    assert_eq!(steps, 5);
}

#[test]
fn a_thousand_consumers_of_an_auto_delete_queue_end_one_by_one() {
    let mut record = record();
    apply(&mut record, [auto_delete_queue("q")]);
    apply(&mut record, (0..1000).map(|slot| consume(slot, 1, "q")));
    let end = |record: &mut Topology| apply(record, (0..999).map(|slot| Change::ConsumerEnded(consumer(slot))));
    let (steps, ()) = steps_of(|| end(&mut record));
    assert_eq!((steps, record.len()), (999, 2));
    apply(&mut record, [Change::ChannelClosed(channel(1))]);
    assert_eq!(record.len(), 0);
}
