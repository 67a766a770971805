use super::*;
use crate::protocol::exchange::Declare;
use crate::wire::FieldValue;

/// A virtual host `/` with queues of these names.
fn host(queues: &[&str]) -> VirtualHost {
    let mut host = VirtualHost::new("/".into());
    for (id, name) in (0..).zip(queues) {
        host.insert_queue((*name).into(), QueueId(id));
    }
    host
}

fn queue(name: &str) -> Destination {
    Destination::Queue(name.into())
}

fn exchange(name: &str) -> Destination {
    Destination::Exchange(name.into())
}

fn names(names: &[&str]) -> Vec<ShortString> {
    names.iter().copied().map(ShortString::from).collect()
}

/// A virtual host, with names as plain strings.
impl VirtualHost {
    #[track_caller]
    fn make(&mut self, name: &str, kind: &str) {
        self.declare(&Declare::default().exchange(name).kind(kind));
    }

    #[track_caller]
    fn declare(&mut self, declare: &Declare) {
        assert_eq!(self.declare_exchange(declare), Ok(()));
    }

    #[track_caller]
    fn link(&mut self, source: &str, destination: &Destination, key: &str) {
        assert_eq!(self.bind(&source.into(), destination, &key.into(), &FieldTable::new()), Ok(()));
    }

    #[track_caller]
    fn unlink(&mut self, source: &str, destination: &Destination, key: &str) -> Vec<ShortString> {
        self.unbind(&source.into(), destination, &key.into(), &FieldTable::new()).unwrap_or_default()
    }

    fn routed(&self, exchange: &str, keys: &[&str]) -> Vec<ShortString> {
        self.route(&exchange.into(), &names(keys), None).into_iter().collect()
    }

    fn has(&self, name: &str) -> bool {
        self.exchange(&name.into()).is_some()
    }
}

fn alternate(name: &str, kind: &str, to: &str) -> Declare {
    Declare::default().exchange(name).kind(kind).arguments(FieldTable::from([("alternate-exchange", to)]))
}

fn text<T>(result: Result<T, Refusal>) -> Option<String> {
    result.err().map(|refusal| refusal.text())
}

mod auto_delete;
mod binding;
mod declaring;
mod publishing;
