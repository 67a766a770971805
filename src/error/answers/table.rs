//! The table of what brokers say: RabbitMQ 3.10 to 4.3, and in the last row of each code whatever
//! is not known.
//!
//! The reason of each decision stands above its row, or above the first of several rows that have
//! it in common.

use super::Answer;
use crate::protocol::ReplyCode as Code;

/// It lasts until somebody does something about it.
const fn lasting(code: Code, words: &'static str, hint: &'static str) -> Answer {
    Answer { code, words, passes: false, hint }
}

/// It passes by itself.
const fn passing(code: Code, words: &'static str, hint: &'static str) -> Answer {
    Answer { code, words, passes: true, hint }
}

const LIMITED: &str =
    "wait until other connections are closed, lost ones of this program's among them, or raise the limit";
const CHANNELS: &str = "wait until other channels are closed, or raise the limit";
const RESERVED: &str = "names that begin with amq. are the broker's: choose another";
const PERMISSION: &str = "the user lacks a permission for it (rabbitmqctl set_permissions, set_topic_permissions)";
const AWAY: &str = "the queue's node or leader is away for the moment: try again after a pause";
const CONSUMER_TIMEOUT: &str =
    "a delivery was held longer than the broker's consumer_timeout: settle sooner, prefetch less, or raise that";
const SIZE: &str = "the broker's max_message_size is smaller: send less at a time, or raise that";
const ARGUMENTS: &str = "mend the arguments, which the broker does not take for this";
const REPLY_TO: &str = "consume amq.rabbitmq.reply-to once a channel, with no_ack, and publish on that channel";
const STREAM_CALLS: &str =
    "a stream is consumed with acknowledgements; it has no basic.get, purge, reject or global prefetch";
const EMPTY_HOST: &str = "the virtual host was given with an empty name: write the default one, /, as %2F (amqp://host/%2F), or leave its slash out";
const HOST: &str = "check that the virtual host exists and that the user may access it";
const TYPE: &str = "use a type that the broker has: direct, fanout, topic, headers, or that of an enabled plugin";
const SWITCH: &str = "a channel either confirms or is transactional: use another one for the other";
const MEND: &str = "mend what the broker complains of";
const BUG: &str = "this is a fault of the client, or of what is in between: please report it";

#[rustfmt::skip]
pub(super) const TABLE: &[Answer] = &[
    // Too much for the broker at any time.
    lasting(Code::CONTENT_TOO_LARGE, "", "send less at a time"),
    // No queue took a mandatory message: nothing on the way changes that.
    lasting(Code::NO_ROUTE, "", "bind a queue by this routing key, or publish without mandatory"),
    // Another consumer may come.
    passing(Code::NO_CONSUMERS, "", "publish it again when there is a consumer"),

    // With a provider, the next connection has new credentials.
    passing(Code::CONNECTION_FORCED, "credential expired", "connect again with fresh credentials; a provider renews them in time"),
    // Whoever was deleted is refused at the next open, which says so for certain; others forced out
    // are welcome again.
    passing(Code::CONNECTION_FORCED, "", "the broker stops, or an operator closed the connection"),
    // A virtual host or path that is not there.
    lasting(Code::INVALID_PATH, "", HOST),

    // Credentials stay wrong: accounts lock when they are tried again and again.
    lasting(Code::ACCESS_REFUSED, "Login was refused", "check user and password; RabbitMQ lets guest in from its own machine only"),
    // A name stays reserved.
    lasting(Code::ACCESS_REFUSED, "queue name '*reserved prefix", RESERVED),
    lasting(Code::ACCESS_REFUSED, "exchange name '*reserved prefix", RESERVED),
    // The other consumer may be a lost one of our own, until the broker misses its heartbeats; or a
    // standby takes over so.
    passing(Code::ACCESS_REFUSED, "queue '", "another consumer has the queue to itself: wait until it is gone, or make neither exclusive"),
    // What is the broker's own stays so.
    lasting(Code::ACCESS_REFUSED, "deletion of system exchange", "the broker's own exchanges cannot be deleted"),
    lasting(Code::ACCESS_REFUSED, "operation not permitted on the default exchange", "the default exchange has each queue bound to it by its name, and nothing else"),
    // An exchange stays internal.
    lasting(Code::ACCESS_REFUSED, "cannot publish to internal", "publish to an exchange that this one is bound to"),
    // Permissions change when somebody changes them.
    lasting(Code::ACCESS_REFUSED, "*access to ", PERMISSION),
    lasting(Code::ACCESS_REFUSED, "", "the broker does not allow this to the user"),

    // They exist, and their node, leader or process comes back: a restart, an election, a failover.
    passing(Code::NOT_FOUND, "failed to perform operation on", AWAY),
    passing(Code::NOT_FOUND, "home node '", AWAY),
    passing(Code::NOT_FOUND, "queue '*process is stopped by supervisor", AWAY),
    passing(Code::NOT_FOUND, "queue '*has crashed", AWAY),
    // A name that is empty stays empty.
    lasting(Code::NOT_FOUND, "no previously declared queue", "give the queue's name: none was declared on this channel"),
    // What is not there comes by a declare.
    lasting(Code::NOT_FOUND, "", "declare what is missing first"),

    // A queue with a single active consumer never has it.
    lasting(Code::RESOURCE_LOCKED, "cannot obtain access to locked", "consume instead: a queue with a single active consumer has no basic.get"),
    // The owner may be a lost connection of our own, until the broker misses its heartbeats.
    passing(Code::RESOURCE_LOCKED, "", "it is exclusive to another connection, a lost one of this program's perhaps: wait for its end, or declare it as it is"),

    // The message is in its queue again: consuming goes on, on another channel.
    passing(Code::PRECONDITION_FAILED, "delivery acknowledgement on channel", CONSUMER_TIMEOUT),
    // A node that just started has its replica a little later.
    passing(Code::PRECONDITION_FAILED, "*does not have a running", AWAY),
    passing(Code::PRECONDITION_FAILED, "failed consuming from stream", AWAY),
    // The same request is refused the same way until it, or what is there, is changed.
    lasting(Code::PRECONDITION_FAILED, "message size ", SIZE),
    lasting(Code::PRECONDITION_FAILED, "unknown delivery tag", "settle each delivery once, and on the channel that it came on"),
    lasting(Code::PRECONDITION_FAILED, "inequivalent arg", "declare it with what it has, under another name, or delete it first"),
    lasting(Code::PRECONDITION_FAILED, "invalid expiration", "an expiration is a whole number of milliseconds in digits, such as 60000"),
    lasting(Code::PRECONDITION_FAILED, "invalid message", "mend the message's properties or headers"),
    lasting(Code::PRECONDITION_FAILED, "user_id property", "leave user_id out, or give the connection's user"),
    lasting(Code::PRECONDITION_FAILED, "consumer prefetch count is not set", "set a prefetch count (basic_qos) before consuming a stream"),
    lasting(Code::PRECONDITION_FAILED, "cannot switch from", SWITCH),
    lasting(Code::PRECONDITION_FAILED, "channel is not transactional", "call tx_select first"),
    lasting(Code::PRECONDITION_FAILED, "transaction has reached", "commit more often"),
    // A part of it may be done: repeated as it is, that would be done twice.
    lasting(Code::PRECONDITION_FAILED, "partial tx completion", "a part may be done: find out which before repeating it"),
    lasting(Code::PRECONDITION_FAILED, "queue '*in use", "it has consumers: cancel them, or delete it without if_unused"),
    lasting(Code::PRECONDITION_FAILED, "exchange '*in use", "it is bound: unbind it, or delete it without if_unused"),
    lasting(Code::PRECONDITION_FAILED, "queue '*not empty", "purge it, or delete it without if_empty"),
    lasting(Code::PRECONDITION_FAILED, "fast reply consumer", REPLY_TO),
    lasting(Code::PRECONDITION_FAILED, "reply consumer", REPLY_TO),
    lasting(Code::PRECONDITION_FAILED, "unknown exchange type", TYPE),
    lasting(Code::PRECONDITION_FAILED, "invalid exchange type", TYPE),
    // Unlike connections, what was declared does not go away with a lost client.
    lasting(Code::PRECONDITION_FAILED, "cannot declare *limit", "delete what is not needed any more, or raise the limit"),
    lasting(Code::PRECONDITION_FAILED, "Cannot declare a server-named queue", "give the queue a name"),
    lasting(Code::PRECONDITION_FAILED, "Invalid x-match", ARGUMENTS),
    lasting(Code::PRECONDITION_FAILED, "invalid ", ARGUMENTS),
    lasting(Code::PRECONDITION_FAILED, "", "ask for what is there and allowed, or change that first"),

    // The broker could not read or place what came: it would not the next time either.
    lasting(Code::FRAME_ERROR, "Malformed UTF-8", "names have to be UTF-8"),
    lasting(Code::FRAME_ERROR, "", BUG),
    lasting(Code::SYNTAX_ERROR, "", BUG),
    lasting(Code::COMMAND_INVALID, "unknown exchange type", TYPE),
    lasting(Code::COMMAND_INVALID, "invalid exchange type", TYPE),
    lasting(Code::COMMAND_INVALID, "", MEND),
    lasting(Code::CHANNEL_ERROR, "unexpected command while processing", "send nothing on the channel before the answer"),
    lasting(Code::CHANNEL_ERROR, "", BUG),
    lasting(Code::UNEXPECTED_FRAME, "", BUG),

    // A part of it may be done: repeated as it is, that would be done twice.
    lasting(Code::RESOURCE_ERROR, "partial tx completion", "a part may be done: find out which before repeating it"),
    // Resources come back, by the standard's own words.
    passing(Code::RESOURCE_ERROR, "", "the broker lacked a resource: try again after a pause"),

    // The same names stay empty, unknown and closed to this user.
    lasting(Code::NOT_ALLOWED, "vhost  not found", EMPTY_HOST),
    lasting(Code::NOT_ALLOWED, "access to vhost '' refused", EMPTY_HOST),
    // Connections end: our own lost ones count until the broker misses their heartbeats.
    passing(Code::NOT_ALLOWED, "access to vhost '*connection limit", LIMITED),
    passing(Code::NOT_ALLOWED, "connection refused", LIMITED),
    // A virtual host that starts, or is started again.
    passing(Code::NOT_ALLOWED, "access to vhost '*is down", "the virtual host is down for the moment: try again after a pause"),
    lasting(Code::NOT_ALLOWED, "access to vhost '", HOST),
    lasting(Code::NOT_ALLOWED, "vhost ", HOST),
    // The limit of this connection, which it reaches again; the broker's counts the channels of
    // others too.
    lasting(Code::NOT_ALLOWED, "number of channels opened (", "close some, or raise channel_max"),
    passing(Code::NOT_ALLOWED, "number of channels opened ", CHANNELS),
    lasting(Code::NOT_ALLOWED, "attempt to reuse consumer tag", "choose another tag, or none: the broker makes one up"),
    lasting(Code::NOT_ALLOWED, "reached maximum (", "consume on further channels"),
    // The broker has judged the secret.
    lasting(Code::NOT_ALLOWED, "New secret was refused", "give a secret of the same user that is still good"),
    lasting(Code::NOT_ALLOWED, "Secret update failed", "give a secret of the same user that is still good"),
    lasting(Code::NOT_ALLOWED, "", MEND),

    // The broker does not have it, today or later.
    lasting(Code::NOT_IMPLEMENTED, "immediate=true", "publish without immediate, which brokers have no more; a short expiration does nearly the same"),
    lasting(Code::NOT_IMPLEMENTED, "prefetch_size!=0", "set prefetch_count instead"),
    lasting(Code::NOT_IMPLEMENTED, "*stream", STREAM_CALLS),
    lasting(Code::NOT_IMPLEMENTED, "", "do without it: the broker does not have it"),

    // It was configured away, or will be gone with the next version.
    lasting(Code::INTERNAL_ERROR, "Feature `*is deprecated", "use what replaces it, or permit it in the broker's configuration"),
    lasting(Code::INTERNAL_ERROR, "Feature `*is removed", "use what replaces it"),
    // A virtual host that starts, or is started again.
    passing(Code::INTERNAL_ERROR, "access to vhost '", "the virtual host is down for the moment: try again after a pause"),
    passing(Code::INTERNAL_ERROR, "vhost '", "the virtual host is down for the moment: try again after a pause"),
    // A cluster without a majority decides nothing until its nodes are back.
    passing(Code::INTERNAL_ERROR, "*metadata store operation timed out", "the cluster has no majority for the moment: try again after a pause"),
    // A node that went in the middle of something (nodedown), a timeout, a crash: in a failover
    // these last for moments.
    passing(Code::INTERNAL_ERROR, "", "the broker failed inside: try again after a pause, and see its log where that lasts"),
];
