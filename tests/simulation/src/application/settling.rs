//! Settling deliveries.

use std::future::Future;
use std::sync::Arc;

use leveret::{Delivery, Requeue};

use super::{Application, outcome};
use crate::ledger::{Settlement, message_of};
use crate::script::{Step, Verb};

impl Application {
    pub(super) fn settle(self: &Arc<Self>, step: &Step) -> bool {
        let number = step.get("client");
        let taken = self.with(number, |client| {
            let held = client.deliveries.len();
            (held > 0).then(|| client.deliveries.remove(step.get("nth") as usize % held))
        });
        let Some(delivery) = taken.flatten() else { return false };
        if step.verb == Verb::DeliveryDrop {
            return true;
        }
        let how = settlement(step);
        let message = message_of(delivery.body());
        let settle = (number as usize, delivery.channel().number(), delivery.delivery_tag(), message, how);
        // Counted before it is made: the broker may read it before its future resolves.
        *self.ledger().settles.entry(settle).or_default() += 1;
        let this = Arc::clone(self);
        let settling = async move {
            let settled = make(delivery, how).await;
            if let Err(error) = &settled {
                let mut ledger = this.ledger();
                ledger.count(format!("settle {:?}", error.kind()));
                if let Some(count) = ledger.settles.get_mut(&settle) {
                    *count -= 1;
                }
            }
            outcome(settled, |()| "settled".to_owned())
        };
        self.spawn(step.to_string(), step.polls, Box::pin(settling));
        true
    }
}

fn settlement(step: &Step) -> Settlement {
    let requeue = step.is("requeue");
    match step.verb {
        Verb::Ack => Settlement::ack(false),
        Verb::AckMultiple => Settlement::ack(true),
        Verb::Nack => Settlement::nack(false, requeue),
        Verb::NackMultiple => Settlement::nack(true, requeue),
        _ => Settlement::reject(requeue),
    }
}

fn make(delivery: Delivery, how: Settlement) -> impl Future<Output = leveret::Result<()>> + Send + use<> {
    let requeue = if how.requeue { Requeue::Yes } else { Requeue::No };
    match (how.method, how.multiple) {
        ("ack", false) => delivery.ack(),
        ("ack", true) => delivery.ack_multiple(),
        ("nack", false) => delivery.nack(requeue),
        ("nack", true) => delivery.nack_multiple(requeue),
        _ => delivery.reject(requeue),
    }
}
