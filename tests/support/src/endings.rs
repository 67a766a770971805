//! What is left at the end of a test, which is the end of its thread: every connection is over, and
//! nothing is left of it.
//!
//! By then the runtime and all handles are gone. A panic in the end of a thread aborts the process,
//! and says which test it was.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::sync::Once;

/// Looks at one connection, and says what is left; none where it is not over.
type Look = Box<dyn Fn() -> Option<String>>;

/// The connections that were opened on a thread.
#[derive(Default)]
struct Opened {
    test: String,
    looks: Vec<Look>,
}

thread_local! {
    static OPENED: RefCell<Opened> = RefCell::default();
    /// The test has failed: there is enough to say.
    static FAILED: Cell<bool> = const { Cell::new(false) };
}

/// Looks when the thread ends, by what `Connection::leftovers` gives: what an engine has, and how
/// many waiters there are. An engine that has nothing displays nothing.
pub fn watch<L: Display>(leftovers: impl Fn() -> Option<(L, usize)> + 'static) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            FAILED.set(true);
            hook(info);
        }));
    });
    OPENED.with_borrow_mut(|opened| {
        opened.test = std::thread::current().name().unwrap_or_default().to_owned();
        opened.looks.push(Box::new(move || {
            let (left, waiting) = leftovers()?;
            Some(if waiting == 0 { left.to_string() } else { format!("{left}{waiting} waiters") })
        }));
    });
}

impl Drop for Opened {
    fn drop(&mut self) {
        if FAILED.get() {
            return;
        }
        for look in &self.looks {
            let Some(left) = look() else { panic!("a connection of {} is not over", self.test) };
            assert!(left.is_empty(), "{} left behind: {left}", self.test);
        }
    }
}
