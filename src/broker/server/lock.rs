//! The lock of a broker: either one step runs, or one thread inspects, with any number of guards.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};
use std::thread::{self, ThreadId};

/// A lock that an inspecting thread may take again to read, and that panics if a thread would wait
/// for itself.
///
/// A failed assertion in a test that inspects poisons it. Poisoning is ignored, because the value
/// is unchanged.
pub(super) struct Lock<T> {
    turn: Mutex<Turn>,
    /// Notified when the last inspection ends.
    free: Condvar,
    /// Never waited for: a step holds the turn while it uses the value, and while a thread
    /// inspects, no other gets the turn.
    value: RwLock<T>,
}

/// Which thread inspects, if any.
#[derive(Default)]
struct Turn {
    /// The inspecting thread.
    inspector: Option<ThreadId>,
    /// The number of its inspections.
    inspections: usize,
}

/// The value, for one step.
pub(super) struct Locked<'a, T> {
    // Fields are dropped in this order.
    value: RwLockWriteGuard<'a, T>,
    _turn: MutexGuard<'a, Turn>,
}

/// The value, for a thread that reads it, or changes it while it has no other inspection.
pub(super) struct Inspection<'a, T> {
    lock: &'a Lock<T>,
    access: Access<'a, T>,
}

enum Access<'a, T> {
    Read(RwLockReadGuard<'a, T>),
    Write(RwLockWriteGuard<'a, T>),
    /// While it changes from one to the other, or ends.
    None,
}

impl<T> Lock<T> {
    pub(super) fn new(value: T) -> Self {
        Self { turn: Mutex::default(), free: Condvar::new(), value: RwLock::new(value) }
    }

    /// Locks the value for one step.
    ///
    /// # Panics
    ///
    /// Panics if this thread inspects, because it would wait for itself.
    pub(super) fn lock(&self) -> Locked<'_, T> {
        let turn = self.turn();
        assert!(
            turn.inspector != Some(thread::current().id()),
            "this thread holds a guard of the broker's state, maybe across an await"
        );
        let turn = self.wait(turn);
        Locked { value: self.value.write().unwrap_or_else(PoisonError::into_inner), _turn: turn }
    }

    /// Lets this thread inspect the value, which does not change in the meantime. `prepare` runs
    /// before the first inspection.
    ///
    /// # Panics
    ///
    /// Panics if this thread has another inspection that changed the value.
    #[allow(clippy::panic, reason = "a test that says what is wrong is better than one that hangs")]
    pub(super) fn inspect(&self, prepare: impl FnOnce(&mut T)) -> Inspection<'_, T> {
        let mut turn = self.turn();
        let me = thread::current().id();
        let read = if turn.inspector == Some(me) {
            match self.value.try_read() {
                Ok(value) => value,
                Err(TryLockError::Poisoned(value)) => value.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    drop(turn);
                    panic!("this thread holds a guard that changed the broker's state: drop that one first")
                }
            }
        } else {
            turn = self.wait(turn);
            let mut value = self.value.write().unwrap_or_else(PoisonError::into_inner);
            prepare(&mut value);
            RwLockWriteGuard::downgrade(value)
        };
        turn.inspector = Some(me);
        turn.inspections += 1;
        Inspection { lock: self, access: Access::Read(read) }
    }

    /// Whether this thread inspects.
    pub(super) fn is_inspected_here(&self) -> bool {
        self.turn().inspector == Some(thread::current().id())
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no thread inspects.
    fn wait<'a>(&'a self, turn: MutexGuard<'a, Turn>) -> MutexGuard<'a, Turn> {
        self.free.wait_while(turn, |turn| turn.inspector.is_some()).unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Inspection<'_, T> {
    pub(super) fn value(&self) -> &T {
        match &self.access {
            Access::Read(value) => value,
            Access::Write(value) => value,
            Access::None => unreachable!("it has access until it is dropped"),
        }
    }

    /// Returns the value for a change.
    ///
    /// # Panics
    ///
    /// Panics if this thread has another inspection.
    pub(super) fn value_mut(&mut self) -> &mut T {
        if matches!(self.access, Access::Read(_)) {
            let inspections = self.lock.turn().inspections;
            assert!(inspections == 1, "this thread holds another guard of the broker's state: drop that one first");
            // This thread keeps the turn, so no other gets the value in between.
            self.access = Access::None;
            self.access = Access::Write(self.lock.value.write().unwrap_or_else(PoisonError::into_inner));
        }
        match &mut self.access {
            Access::Write(value) => value,
            Access::Read(_) | Access::None => unreachable!("it has just been given access"),
        }
    }

    /// Returns the value if it may have been changed.
    pub(super) fn changed(&mut self) -> Option<&mut T> {
        match &mut self.access {
            Access::Write(value) => Some(value),
            Access::Read(_) | Access::None => None,
        }
    }
}

impl<T> Drop for Inspection<'_, T> {
    fn drop(&mut self) {
        self.access = Access::None;
        let mut turn = self.lock.turn();
        turn.inspections -= 1;
        if turn.inspections == 0 {
            turn.inspector = None;
            drop(turn);
            self.lock.free.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_step_and_threads_that_inspect_lose_no_change() {
        const ROUNDS: u32 = 2000;
        let lock = Lock::new(0u32);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..ROUNDS).for_each(|_| *lock.lock() += 1));
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        let mut first = lock.inspect(|value| *value += 1);
                        let before = *first.value();
                        assert_eq!(*lock.inspect(|_| ()).value(), before);
                        *first.value_mut() += 1;
                        assert_eq!(*first.value(), before + 1);
                    }
                });
            }
        });
        assert_eq!(*lock.lock(), 9 * ROUNDS);
    }
}
