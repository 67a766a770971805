"""Every method that a client sends on a channel: what has to be there before, what is sent, and what answers it."""

from peer import Basic, Channel, Confirm, Exchange, Queue, Tx, message, method

CLASSIC, GOT, ALL = ("classic",), ("classic", "quorum"), ("classic", "quorum", "stream")
STORED = {"delivery_mode": 2}


class Item:
    """`setup` is done before the channel gets its mode, `within` after it; `kinds` are the queue types tried."""

    def __init__(self, title, send, *answers, setup=None, within=None, mode=None, kinds=CLASSIC):
        self.title, self.send, self.answers, self.mode, self.kinds = title, send, answers, mode, kinds
        self.setup, self.within = setup or nothing, within or nothing

    @property
    def publishes(self):
        return self.title.startswith("basic.publish")


class Trial:
    """One channel with names of its own; functions of an item have it and 0 or 1, the place in the pair."""

    def __init__(self, channel, kind, slot):
        self.channel, self.kind, self.slot = channel, kind, slot
        self.frames, self.tags, self.asked = [], {}, 0

    def name(self, what, i=""):
        return f"order.{self.kind}.{self.slot}.{what}{i}"

    def common(self, what):
        return f"order.{self.kind}.{what}"

    def out(self, command):
        self.asked += command.synchronous
        return method(command, self.channel)

    def declare(self, queue):
        arguments = {} if self.kind == "classic" else {"x-queue-type": self.kind}
        return self.out(Queue.Declare(queue=queue, durable=True, arguments=arguments))

    def publish(self, key, **more):
        return message("", key, channel=self.channel, **STORED, **more)

    def unsettled(self, what):
        """Gets a message that stays unsettled; `what` is its name here."""
        self.tags[what] = len(self.tags) + 1
        return self.out(Basic.Get(queue=self.common("stock")))


def nothing(_trial, _i):
    return b""


def exchanges():
    def declare(t, i):
        return t.out(Exchange.Declare(exchange=t.name("x", i)))

    def declare_gone(t, i):
        return t.out(Exchange.Declare(exchange=t.name("gone", i)))

    def delete(t, i):
        return t.out(Exchange.Delete(exchange=t.name("gone", i)))

    def bind(t, i):
        return t.out(Exchange.Bind(destination="amq.fanout", source="amq.direct", routing_key=t.name("k", i)))

    def unbind(t, i):
        return t.out(Exchange.Unbind(destination="amq.fanout", source="amq.direct", routing_key=t.name("k", i)))

    yield Item("exchange.declare", declare, "exchange.declare-ok")
    yield Item("exchange.delete", delete, "exchange.delete-ok", setup=declare_gone)
    yield Item("exchange.bind", bind, "exchange.bind-ok")
    yield Item("exchange.unbind", unbind, "exchange.unbind-ok", setup=bind)


def queues():
    def declare(t, i):
        return t.declare(t.name("q", i))

    def passive(t, i):
        return t.out(Queue.Declare(queue=t.name("q", i), passive=True))

    def bind(t, i):
        return t.out(Queue.Bind(queue=t.name("q", i), exchange="amq.direct", routing_key="k"))

    def unbind(t, i):
        return t.out(Queue.Unbind(queue=t.name("q", i), exchange="amq.direct", routing_key="k"))

    def purge(t, i):
        return t.out(Queue.Purge(queue=t.name("q", i)))

    def declare_gone(t, i):
        return t.declare(t.name("gone", i))

    def delete(t, i):
        return t.out(Queue.Delete(queue=t.name("gone", i)))

    yield Item("queue.declare", declare, "queue.declare-ok", kinds=ALL)
    yield Item("queue.declare (passive)", passive, "queue.declare-ok", kinds=ALL)
    yield Item("queue.bind", bind, "queue.bind-ok", kinds=ALL)
    yield Item("queue.unbind", unbind, "queue.unbind-ok", setup=bind, kinds=ALL)
    yield Item("queue.purge", purge, "queue.purge-ok", kinds=GOT)
    yield Item("queue.delete", delete, "queue.delete-ok", setup=declare_gone, kinds=ALL)


def consumers():
    def qos(t, i):
        return t.out(Basic.Qos(prefetch_count=10 + i))

    def shared_qos(t, i):
        return t.out(Basic.Qos(prefetch_count=10 + i, global_=True))

    def consume(t, i):
        return t.out(Basic.Consume(queue=t.name("q", i), consumer_tag=f"new{i}"))

    def unnamed(t, i):
        return t.out(Basic.Consume(queue=t.name("q", i)))

    def old(t, i):
        return t.out(Basic.Consume(queue=t.name("q", i), consumer_tag=f"old{i}"))

    def cancel(t, i):
        return t.out(Basic.Cancel(consumer_tag=f"old{i}"))

    def cancel_none(t, i):
        return t.out(Basic.Cancel(consumer_tag=f"none{i}"))

    yield Item("basic.qos", qos, "basic.qos-ok", kinds=ALL)
    yield Item("basic.qos (global)", shared_qos, "basic.qos-ok", kinds=GOT)
    yield Item("basic.consume", consume, "basic.consume-ok", kinds=ALL)
    yield Item("basic.consume (no tag)", unnamed, "basic.consume-ok", kinds=ALL)
    yield Item("basic.cancel", cancel, "basic.cancel-ok", setup=old, kinds=ALL)
    yield Item("basic.cancel (no consumer)", cancel_none, "basic.cancel-ok")


def contents():
    def publish(t, _):
        return t.publish(t.common("sink"))

    def nowhere(t, i):
        return message("", f"nowhere{i}", channel=t.channel, mandatory=True)

    def get(t, _):
        return t.out(Basic.Get(queue=t.common("stock"), no_ack=True))

    def get_empty(t, i):
        return t.out(Basic.Get(queue=t.name("q", i), no_ack=True))

    yield Item("basic.publish", publish, kinds=ALL)
    yield Item("basic.publish (returned)", nowhere, "basic.return")
    yield Item("basic.publish (confirmed)", publish, mode="confirm", kinds=ALL)
    yield Item("basic.publish (confirmed, returned)", nowhere, "basic.return", mode="confirm")
    yield Item("basic.get", get, "basic.get-ok", kinds=GOT)
    yield Item("basic.get (empty)", get_empty, "basic.get-empty", kinds=GOT)


def settlements():
    def hold(t, i):
        return t.unsettled(i)

    def hold_another(t, i):
        return t.unsettled(i + 2)

    def ack(t, i):
        return t.out(Basic.Ack(t.tags[i]))

    def nack(t, i):
        return t.out(Basic.Nack(t.tags[i], requeue=True))

    def reject(t, i):
        return t.out(Basic.Reject(t.tags[i], requeue=True))

    def recover(t, _):
        return t.out(Basic.Recover(requeue=True))

    def recover_async(t, _):
        return t.out(Basic.RecoverAsync(requeue=True))

    yield Item("basic.ack", ack, setup=hold, kinds=GOT)
    yield Item("basic.nack", nack, setup=hold, kinds=GOT)
    yield Item("basic.reject", reject, setup=hold, kinds=GOT)
    yield Item("basic.recover", recover, "basic.recover-ok", setup=hold_another, kinds=GOT)
    yield Item("basic.recover-async", recover_async, setup=hold_another, kinds=GOT)


def modes():
    def confirm(t, _):
        return t.out(Confirm.Select())

    def select(t, _):
        return t.out(Tx.Select())

    def commit(t, _):
        return t.out(Tx.Commit())

    def rollback(t, _):
        return t.out(Tx.Rollback())

    def publish(t, _):
        return t.publish(t.common("sink"))

    def hold(t, i):
        return t.unsettled(i + 4)

    def ack(t, i):
        return t.out(Basic.Ack(t.tags[i + 4]))

    def flow(t, _):
        return t.out(Channel.Flow(active=True))

    def close(t, _):
        return t.out(Channel.Close(200, "done", 0, 0))

    def reopen(t, _):
        return t.out(Channel.Open())

    yield Item("confirm.select", confirm, "confirm.select-ok")
    yield Item("tx.select", select, "tx.select-ok")
    yield Item("tx.commit", commit, "tx.commit-ok", mode="tx")
    yield Item("tx.commit (publish)", commit, "tx.commit-ok", within=publish, mode="tx", kinds=ALL)
    yield Item("tx.commit (ack)", commit, "tx.commit-ok", setup=hold, within=ack, mode="tx", kinds=GOT)
    yield Item("tx.rollback", rollback, "tx.rollback-ok", within=publish, mode="tx")
    yield Item("channel.flow", flow, "channel.flow-ok")
    yield Item("channel.close", close, "channel.close-ok")
    yield Item("channel.open", reopen)


ITEMS = [*exchanges(), *queues(), *consumers(), *contents(), *settlements(), *modes()]


def mode_before(first, second):
    """What the channel is before the pair: plain (None), confirm or tx; False where no channel sends both."""
    modes = {first.mode, second.mode} - {None}
    if len(modes) > 1:
        return False
    mode = next(iter(modes), None)
    # The first of the pair makes it so.
    return None if (first.title, mode) in (("tx.select", "tx"), ("confirm.select", "confirm")) else mode


def answers(pair, mode):
    """What answers each of a pair."""
    wanted = [list(item.answers) for item in pair]
    for i, item in enumerate(pair):
        if item.publishes and (mode == "confirm" or i == 1 and pair[0].title == "confirm.select"):
            wanted[i].append("basic.ack")
    if (pair[0].title, pair[1].title) == ("channel.close", "channel.open"):
        wanted[1].append("channel.open-ok")
    # Nothing of a transaction comes back before it is committed.
    if mode == "tx" and pair[0].title == "basic.publish (returned)" and not pair[1].title.startswith("tx.commit"):
        wanted[0] = []
    if pair[1].title == "basic.publish (returned)" and (mode == "tx" or pair[0].title == "tx.select"):
        wanted[1] = []
    return wanted
