//! Client engines and the broker's state in one room, in virtual time, stepped by hand: no socket,
//! no task, no sleep.

mod client;
mod scenarios;
mod walk;
mod world;
