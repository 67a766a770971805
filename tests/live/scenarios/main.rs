//! What a program does with a broker, on a real one. `tests/run` runs these; they fail where they
//! are run without it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod acknowledging;
mod adapters;
mod alternate_exchanges;
mod authentication;
mod auto_delete_exchanges;
mod basic;
mod bindings;
mod changed_returns;
mod channels;
mod closing;
mod confirms;
mod connection;
mod consumer_priority;
mod consumer_tags;
mod consumers;
mod content;
mod content_frames;
mod dead_lettering;
mod errors;
mod exchange_equivalence;
mod exchange_refusals;
mod exchanges;
mod first_message;
mod foreign;
mod further_keys;
mod handshake;
mod headers_exchange;
mod heartbeats;
mod interop;
mod large_headers;
mod lifecycle;
mod listing;
mod messages;
mod operator;
mod order_of_answers;
mod order_table;
mod overflow;
mod prefetch;
mod priorities;
mod publishing;
mod queue_arguments;
mod queue_equivalence;
mod queue_expiry;
mod queue_lifetimes;
mod queue_names;
mod queue_refusals;
mod queues;
mod quorum_queues;
mod refusal;
mod refused_frames;
mod repeated_deaths;
mod reply_to;
mod requeueing;
mod returns;
mod routed;
mod routing;
mod settling_in_transactions;
mod single_active_consumer;
mod streams;
mod time_to_live;
mod transactions;
mod typed_queues;
