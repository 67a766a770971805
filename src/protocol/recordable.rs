//! Which requests are recorded for recovery.

use super::{Request, exchange, queue};

/// A request that declares or binds something, which a connection with
/// [`Recovery::Topology`](crate::Recovery::Topology) records and declares or binds again after it
/// is lost. The trait is sealed.
pub trait Recordable: Request + sealed::Sealed {}

mod sealed {
    /// Keeps other crates from implementing the trait.
    pub trait Sealed {}
}

macro_rules! recordable {
    ($($request:ty),+) => {
        $(
            impl sealed::Sealed for $request {}
            impl Recordable for $request {}
        )+
    };
}

recordable!(exchange::Declare, exchange::Bind, queue::Declare, queue::Bind);
