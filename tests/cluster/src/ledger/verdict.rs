//! What must not be in a ledger after its queue was drained.

use std::collections::BTreeMap;

use super::{Entry, Ledger, Outcome};

/// A rule: what a message that breaks it is, and how it is told from others.
type Rule = (&'static str, fn(&Entry) -> bool);

const RULES: &[Rule] = &[
    ("was published, and its outcome was never reported", |entry| entry.outcome.is_none()),
    ("was confirmed, and never delivered", |entry| entry.outcome == Some(Outcome::Confirmed) && entry.deliveries == 0),
    ("was reported as not sent, and was delivered", |entry| {
        entry.outcome == Some(Outcome::NotSent) && entry.deliveries > 0
    }),
    ("was returned, and was delivered", |entry| entry.outcome == Some(Outcome::Returned) && entry.deliveries > 0),
    ("left the queue, and the application never acknowledged it", |entry| {
        entry.deliveries > 0 && entry.acknowledged == 0
    }),
    // Of a message that was published once, the broker flags every delivery but the first.
    ("was delivered again without the flag `redelivered`", |entry| entry.deliveries - entry.flagged > 1),
];

impl Ledger {
    /// Returns a sentence for each rule that messages break. It is empty if all is well. The queue
    /// has been drained.
    pub(crate) fn violations(&self) -> Vec<String> {
        let state = self.lock();
        let mut broken: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (id, entry) in state.entries.iter().enumerate() {
            for (sentence, breaks) in RULES {
                if breaks(entry) {
                    broken.entry(sentence).or_default().push(id);
                }
            }
        }
        let mut sentences: Vec<String> = broken.into_iter().map(|(sentence, ids)| say(sentence, &ids)).collect();
        if let [first, ..] = state.strangers.as_slice() {
            sentences.push(format!(
                "{} deliveries were of no message of this ledger, first {first}.",
                state.strangers.len()
            ));
        }
        sentences
    }
}

fn say(sentence: &str, ids: &[usize]) -> String {
    let shown: Vec<String> = ids.iter().take(5).map(usize::to_string).collect();
    let more = if ids.len() > shown.len() { format!(" and {} more", ids.len() - shown.len()) } else { String::new() };
    format!("Message {}{more} {sentence}.", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger of one message.
    fn ledger(entry: Entry) -> Ledger {
        let ledger = Ledger::default();
        ledger.lock().entries.push(entry);
        ledger
    }

    fn done() -> Entry {
        Entry { outcome: Some(Outcome::Confirmed), deliveries: 1, flagged: 0, acknowledged: 1, stale: 0 }
    }

    #[test]
    fn a_ledger_in_order_breaks_no_rule() {
        let never_arrived = Entry { outcome: Some(Outcome::Unknown), ..Entry::default() };
        let redelivered = Entry { deliveries: 3, flagged: 2, stale: 2, ..done() };
        // Its first delivery went to a connection that was lost before the application saw it.
        let seen_late = Entry { flagged: 1, ..done() };
        let acknowledged_in_vain = Entry { deliveries: 2, flagged: 1, acknowledged: 2, ..done() };
        let refused = Entry { outcome: Some(Outcome::NotSent), ..Entry::default() };
        for entry in [done(), never_arrived, redelivered, seen_late, acknowledged_in_vain, refused] {
            assert_eq!(ledger(entry.clone()).violations(), [""; 0], "{entry:?}");
        }
    }

    #[test]
    fn each_rule_is_broken_by_its_message() {
        let broken = [
            ("its outcome was never reported", Entry { outcome: None, ..done() }),
            ("never delivered", Entry { deliveries: 0, acknowledged: 0, ..done() }),
            ("reported as not sent", Entry { outcome: Some(Outcome::NotSent), ..done() }),
            ("was returned", Entry { outcome: Some(Outcome::Returned), ..done() }),
            ("never acknowledged it", Entry { acknowledged: 0, stale: 1, ..done() }),
            ("without the flag", Entry { deliveries: 2, ..done() }),
        ];
        assert_eq!(broken.len(), RULES.len());
        for (sentence, entry) in broken {
            let violations = ledger(entry).violations();
            assert!(matches!(&*violations, [one] if one.contains(sentence)), "{sentence}: {violations:?}");
        }
    }

    #[test]
    fn a_delivery_of_no_message_is_a_violation() {
        let ledger = ledger(done());
        ledger.deliver(Some(1), false, || "the second".to_owned());
        ledger.deliver(None, false, || "nonsense".to_owned());
        assert_eq!(ledger.violations(), ["2 deliveries were of no message of this ledger, first the second."]);
    }

    #[test]
    fn a_violation_names_the_first_messages() {
        let ledger = Ledger::default();
        for _ in 0..7 {
            ledger.publish();
        }
        let expected = "Message 0, 1, 2, 3, 4 and 2 more was published, and its outcome was never reported.";
        assert_eq!(ledger.violations(), [expected]);
    }
}
