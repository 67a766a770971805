//! The table of brokers' texts: those of RabbitMQ 3.10 to 4.3, and in the last row of each code any
//! other text.
//!
//! The comment above a row, or above the first of several rows that share it, gives the reason of
//! its decision.

use super::Answer;
use crate::protocol::ReplyCode as Code;

/// A reason that lasts until something is changed.
const fn lasting(code: Code, words: &'static str, hint: &'static str) -> Answer {
    Answer { code, words, passes: false, hint }
}

/// A reason that passes without a change.
const fn passing(code: Code, words: &'static str, hint: &'static str) -> Answer {
    Answer { code, words, passes: true, hint }
}

const LIMITED: &str =
    "wait until other connections are closed, including lost ones of this program, or raise the limit";
const CHANNELS: &str = "wait until other channels are closed, or raise the limit";
const RESERVED: &str = "names that begin with amq. are the broker's: choose another";
const PERMISSION: &str = "the user lacks a permission for it (rabbitmqctl set_permissions, set_topic_permissions)";
const AWAY: &str = "the queue's node or leader is not available at the moment: try again after a pause";
const CONSUMER_TIMEOUT: &str =
    "a delivery stayed unsettled longer than the broker's consumer_timeout: settle sooner, prefetch less, or raise it";
const SIZE: &str = "the broker's max_message_size is smaller: send less at a time, or raise it";
const ARGUMENTS: &str = "correct the arguments, which the broker does not accept here";
const REPLY_TO: &str = "consume amq.rabbitmq.reply-to once per channel, with no_ack, and publish on that channel";
const STREAM_CALLS: &str =
    "a stream is consumed with acknowledgements; it has no basic.get, purge, reject or global prefetch";
const EMPTY_HOST: &str =
    "the name of the virtual host is empty: write the default one, /, as %2F (amqp://host/%2F), or leave the slash out";
const HOST: &str = "check that the virtual host exists and that the user may access it";
const TYPE: &str = "use a type that the broker has: direct, fanout, topic, headers, or that of an enabled plugin";
const SWITCH: &str = "a channel either confirms or is transactional: use another one for the other";
const CORRECT: &str = "correct what the broker complains about";
const BUG: &str = "this is a fault of the client, or of something between client and broker: please report it";

#[rustfmt::skip]
pub(super) const TABLE: &[Answer] = &[
    // The message is too large for the broker at any time.
    lasting(Code::CONTENT_TOO_LARGE, "", "send less at a time"),
    // No queue took a mandatory message: that stays so until a queue is bound.
    lasting(Code::NO_ROUTE, "", "bind a queue by this routing key, or publish without mandatory"),
    // Another consumer may start.
    passing(Code::NO_CONSUMERS, "", "publish it again when there is a consumer"),

    // With a provider, the next connection has new credentials.
    passing(Code::CONNECTION_FORCED, "credential expired", "connect again with fresh credentials; a provider renews them in time"),
    // The next open tells the reasons apart: it refuses a user who was deleted, and accepts others.
    passing(Code::CONNECTION_FORCED, "", "the broker stops, or an operator closed the connection"),
    // A virtual host or path that is not there.
    lasting(Code::INVALID_PATH, "", HOST),

    // Credentials stay wrong: accounts lock when they are tried again and again.
    lasting(Code::ACCESS_REFUSED, "Login was refused", "check user and password; RabbitMQ accepts guest only from its own machine"),
    // A name stays reserved.
    lasting(Code::ACCESS_REFUSED, "queue name '*reserved prefix", RESERVED),
    lasting(Code::ACCESS_REFUSED, "exchange name '*reserved prefix", RESERVED),
    // The other consumer may be a lost one of this program, until the broker misses its heartbeats.
    // A standby waits in the same way to take over.
    passing(Code::ACCESS_REFUSED, "queue '", "another consumer of the queue is exclusive: wait until it ends, or make neither exclusive"),
    // The broker's own exchanges do not change.
    lasting(Code::ACCESS_REFUSED, "deletion of system exchange", "the broker's own exchanges cannot be deleted"),
    lasting(Code::ACCESS_REFUSED, "operation not permitted on the default exchange", "the default exchange has each queue bound to it by its name, and nothing else"),
    // An exchange stays internal.
    lasting(Code::ACCESS_REFUSED, "cannot publish to internal", "publish to an exchange that this one is bound to"),
    // Permissions last until an operator changes them.
    lasting(Code::ACCESS_REFUSED, "*access to ", PERMISSION),
    lasting(Code::ACCESS_REFUSED, "", "the broker does not allow this to the user"),

    // The queues exist, and their node, leader or process returns after a restart, an election or a
    // failover.
    passing(Code::NOT_FOUND, "failed to perform operation on", AWAY),
    passing(Code::NOT_FOUND, "home node '", AWAY),
    passing(Code::NOT_FOUND, "queue '*process is stopped by supervisor", AWAY),
    passing(Code::NOT_FOUND, "queue '*has crashed", AWAY),
    // A name that is empty stays empty.
    lasting(Code::NOT_FOUND, "no previously declared queue", "give the queue's name: none was declared on this channel"),
    // Only a declare makes what does not exist.
    lasting(Code::NOT_FOUND, "", "declare what is missing first"),

    // A queue with a single active consumer never supports `basic.get`.
    lasting(Code::RESOURCE_LOCKED, "cannot obtain access to locked", "consume instead: a queue with a single active consumer has no basic.get"),
    // The owner may be a lost connection of this program, until the broker misses its heartbeats.
    passing(Code::RESOURCE_LOCKED, "", "it is exclusive to another connection, perhaps a lost one of this program: wait until that ends, or declare it with the exclusive flag that it has"),

    // The message has returned to its queue: a consumer on another channel receives it.
    passing(Code::PRECONDITION_FAILED, "delivery acknowledgement on channel", CONSUMER_TIMEOUT),
    // A node that has just started gets its replica a little later.
    passing(Code::PRECONDITION_FAILED, "*does not have a running", AWAY),
    passing(Code::PRECONDITION_FAILED, "failed consuming from stream", AWAY),
    // The broker refuses the same request until the request or the entity is changed.
    lasting(Code::PRECONDITION_FAILED, "message size ", SIZE),
    lasting(Code::PRECONDITION_FAILED, "unknown delivery tag", "settle each delivery once, and on the channel on which it arrived"),
    lasting(Code::PRECONDITION_FAILED, "inequivalent arg", "declare it with the properties that it has, declare another name, or delete it first"),
    lasting(Code::PRECONDITION_FAILED, "invalid expiration", "an expiration is a whole number of milliseconds in digits, such as 60000"),
    lasting(Code::PRECONDITION_FAILED, "invalid message", "correct the message's properties or headers"),
    lasting(Code::PRECONDITION_FAILED, "user_id property", "leave user_id out, or give the connection's user"),
    lasting(Code::PRECONDITION_FAILED, "consumer prefetch count is not set", "set a prefetch count (basic_qos) before consuming a stream"),
    lasting(Code::PRECONDITION_FAILED, "cannot switch from", SWITCH),
    lasting(Code::PRECONDITION_FAILED, "channel is not transactional", "call tx_select first"),
    lasting(Code::PRECONDITION_FAILED, "transaction has reached", "commit more often"),
    // A part of the transaction may be done; repeating the whole would do that part twice.
    lasting(Code::PRECONDITION_FAILED, "partial tx completion", "a part may be done: find out which before repeating it"),
    lasting(Code::PRECONDITION_FAILED, "queue '*in use", "it has consumers: cancel them, or delete it without if_unused"),
    lasting(Code::PRECONDITION_FAILED, "exchange '*in use", "it is bound: unbind it, or delete it without if_unused"),
    lasting(Code::PRECONDITION_FAILED, "queue '*not empty", "purge it, or delete it without if_empty"),
    lasting(Code::PRECONDITION_FAILED, "fast reply consumer", REPLY_TO),
    lasting(Code::PRECONDITION_FAILED, "reply consumer", REPLY_TO),
    lasting(Code::PRECONDITION_FAILED, "unknown exchange type", TYPE),
    lasting(Code::PRECONDITION_FAILED, "invalid exchange type", TYPE),
    // Unlike connections, declared entities do not end with a lost client.
    lasting(Code::PRECONDITION_FAILED, "cannot declare *limit", "delete what is not needed any more, or raise the limit"),
    lasting(Code::PRECONDITION_FAILED, "Cannot declare a server-named queue", "give the queue a name"),
    lasting(Code::PRECONDITION_FAILED, "Invalid x-match", ARGUMENTS),
    lasting(Code::PRECONDITION_FAILED, "invalid ", ARGUMENTS),
    lasting(Code::PRECONDITION_FAILED, "", "request what exists and is allowed, or change that first"),

    // The broker could not parse a frame or did not expect it: it would refuse the same again.
    lasting(Code::FRAME_ERROR, "Malformed UTF-8", "names have to be UTF-8"),
    lasting(Code::FRAME_ERROR, "", BUG),
    lasting(Code::SYNTAX_ERROR, "", BUG),
    lasting(Code::COMMAND_INVALID, "unknown exchange type", TYPE),
    lasting(Code::COMMAND_INVALID, "invalid exchange type", TYPE),
    lasting(Code::COMMAND_INVALID, "", CORRECT),
    lasting(Code::CHANNEL_ERROR, "unexpected command while processing", "send nothing on the channel before the answer"),
    lasting(Code::CHANNEL_ERROR, "", BUG),
    lasting(Code::UNEXPECTED_FRAME, "", BUG),

    // A part of the transaction may be done; repeating the whole would do that part twice.
    lasting(Code::RESOURCE_ERROR, "partial tx completion", "a part may be done: find out which before repeating it"),
    // The standard describes the lack of a resource as temporary.
    passing(Code::RESOURCE_ERROR, "", "the broker lacked a resource: try again after a pause"),

    // A name that is empty, unknown or closed to this user stays so.
    lasting(Code::NOT_ALLOWED, "vhost  not found", EMPTY_HOST),
    lasting(Code::NOT_ALLOWED, "access to vhost '' refused", EMPTY_HOST),
    // Other connections end. Lost ones of this program count until the broker misses their
    // heartbeats.
    passing(Code::NOT_ALLOWED, "access to vhost '*connection limit", LIMITED),
    passing(Code::NOT_ALLOWED, "connection refused", LIMITED),
    // The virtual host is starting or restarting.
    passing(Code::NOT_ALLOWED, "access to vhost '*is down", "the virtual host is down at the moment: try again after a pause"),
    lasting(Code::NOT_ALLOWED, "access to vhost '", HOST),
    lasting(Code::NOT_ALLOWED, "vhost ", HOST),
    // The limit of this connection, which it would reach again. The broker's limit, in the next
    // row, counts the channels of other connections too.
    lasting(Code::NOT_ALLOWED, "number of channels opened (", "close some, or raise channel_max"),
    passing(Code::NOT_ALLOWED, "number of channels opened ", CHANNELS),
    lasting(Code::NOT_ALLOWED, "attempt to reuse consumer tag", "choose another tag, or none: the broker generates one"),
    lasting(Code::NOT_ALLOWED, "reached maximum (", "consume on further channels"),
    // The broker has checked the secret.
    lasting(Code::NOT_ALLOWED, "New secret was refused", "give a secret of the same user that is still valid"),
    lasting(Code::NOT_ALLOWED, "Secret update failed", "give a secret of the same user that is still valid"),
    lasting(Code::NOT_ALLOWED, "", CORRECT),

    // The broker does not have the feature, now or later.
    lasting(Code::NOT_IMPLEMENTED, "immediate=true", "publish without immediate, which brokers no longer have; a short expiration has nearly the same effect"),
    lasting(Code::NOT_IMPLEMENTED, "prefetch_size!=0", "set prefetch_count instead"),
    lasting(Code::NOT_IMPLEMENTED, "*stream", STREAM_CALLS),
    lasting(Code::NOT_IMPLEMENTED, "", "do without it: the broker does not have it"),

    // The feature is disabled by configuration, or removed.
    lasting(Code::INTERNAL_ERROR, "Feature `*is deprecated", "use what replaces it, or permit it in the broker's configuration"),
    lasting(Code::INTERNAL_ERROR, "Feature `*is removed", "use what replaces it"),
    // The virtual host is starting or restarting.
    passing(Code::INTERNAL_ERROR, "access to vhost '", "the virtual host is down at the moment: try again after a pause"),
    passing(Code::INTERNAL_ERROR, "vhost '", "the virtual host is down at the moment: try again after a pause"),
    // A cluster without a majority decides nothing until its nodes return.
    passing(Code::INTERNAL_ERROR, "*metadata store operation timed out", "the cluster has no majority at the moment: try again after a pause"),
    // A node that stopped during the request (nodedown), a timeout or a crash: in a failover these
    // last for moments.
    passing(Code::INTERNAL_ERROR, "", "the broker had an internal error: try again after a pause, and see its log if that lasts"),
];
