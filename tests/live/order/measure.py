"""Sends every pair of methods in one write, and counts in which order a broker answers: README.md says more.

    python measure.py URL --kind classic|quorum|stream --count 100 --out FILE
"""

import argparse
import itertools
from collections import Counter, defaultdict

from pamqp import base, commands

from items import ITEMS, Trial, answers, mode_before
from peer import Basic, Channel, Confirm, Connection, Ended, Exchange, Peer, Queue, Tx, message, method, name

SLOTS = 10  # Trials of one slot share their queues, which changes no answer.
AT_ONCE = 1200  # Channels of one connection, each with a pair of its own.
CONNECTIONS = 40  # For pairs that end their connection.


class Stuck(Exception):
    """Something that was expected does not arrive."""


class Lost(Exception):
    """The connection was closed."""


class Pair:
    """Two methods, and which answer is whose."""

    def __init__(self, first, second):
        self.items, self.mode = (first, second), mode_before(first, second)
        self.wanted = answers(self.items, self.mode)
        self.titles = (first.title, second.title)
        self.reopens = self.titles == ("channel.close", "channel.open")
        # A fence is sent on another channel where the pair may have closed its own.
        self.fenced = not {"channel.close", "channel.open"} & set(self.titles)

    @property
    def likely_fatal(self):
        first, second = self.titles
        return first in ("channel.close", "tx.commit (publish)") or second == "channel.open"

    def arrived(self, trial):
        """What arrived, each with the place that it answers; and whether that is all."""
        left = [list(wanted) for wanted in self.wanted]
        publishes = [i for i, wanted in enumerate(self.wanted) if "basic.ack" in wanted]
        out = []
        for frame in trial.frames:
            kind = name(frame)
            if isinstance(frame, (Channel.Close, Connection.Close)):
                text = frame.reply_text.replace(f"order.{trial.kind}.{trial.slot}.", "").replace("\n", "\\n")
                out.append(f"{kind.split('.')[0]} {frame.reply_code} by {blamed(frame)}: {text}")
                continue
            if kind == "basic.ack":
                places = [i for n, i in enumerate(publishes, 1) if "basic.ack" in left[i]
                          and (n == frame.delivery_tag or frame.multiple and n < frame.delivery_tag)]
            else:
                places = self.whose(kind, frame, left)
            for i in places:
                left[i].remove(kind)
            marks = [f"{i + 1}" if len(self.wanted[i]) == 1 else f"{i + 1}:{kind.split('.')[1]}" for i in places]
            out.append("+".join(marks) or kind)
        return out, not any(left)

    def whose(self, kind, frame, left):
        places = [i for i in (0, 1) if kind in left[i]]
        if len(places) < 2 or kind == "basic.get-ok":
            return places[:1]
        fields = dict(frame)
        mark = fields.get("consumer_tag") or fields.get("queue") or fields.get("routing_key") or ""
        if mark.startswith("amq."):
            return [i for i in places if self.titles[i].endswith("(no tag)")][:1]
        return [int(mark[-1])] if mark.endswith(("0", "1")) else places[:1]

    def finished(self, trial):
        _, all_of_it = self.arrived(trial)
        return all_of_it or closed(trial) or not self.reopens and has(trial, Channel.CloseOk)


def blamed(close):
    """The method that a close names as being at fault."""
    found = commands.INDEX_MAPPING.get(close.class_id << 16 | close.method_id)
    return name(found.__new__(found)) if found else "no method"


def has(trial, kind):
    return any(isinstance(frame, kind) for frame in trial.frames)


def closed(trial):
    return has(trial, Channel.Close)


class Round:
    """Pairs on one connection, each on a channel of its own."""

    def __init__(self, peer, kind, pairs):
        self.peer, self.pairs = peer, dict(enumerate(pairs, 1))
        self.trials = {n: Trial(n, kind, n % SLOTS) for n in self.pairs}
        self.fence = Trial(len(self.pairs) + 1, kind, 0)

    def prepare(self):
        out = []
        for n, pair in self.pairs.items():
            trial = self.trials[n]
            out.append(trial.out(Channel.Open()))
            if trial.kind == "stream":
                out.append(trial.out(Basic.Qos(prefetch_count=5)))
            out += [item.setup(trial, i) for i, item in enumerate(pair.items)]
            if pair.mode:
                out.append(trial.out({"tx": Tx.Select, "confirm": Confirm.Select}[pair.mode]()))
            out += [item.within(trial, i) for i, item in enumerate(pair.items)]
        self.send(out)
        self.until(lambda trial: len(trial.frames) >= trial.asked or closed(trial))
        for n, trial in self.trials.items():
            if closed(trial) or has(trial, Basic.GetEmpty):
                raise Stuck(f"setup of {self.pairs[n].titles}: {dict(trial.frames[-1])}")
            trial.frames = []

    def send(self, out):
        """Reads in between, so that neither side stops the other."""
        for part in out:
            self.peer.write(part)
            while received := self.peer.receive(0):
                self.take(received)

    def take(self, received):
        channel, frame = received
        if isinstance(frame, Connection.Close):
            self.peer.write(method(Connection.CloseOk(), 0))
            raise Lost(frame)
        if isinstance(frame, base.Frame):
            (self.trials.get(channel) or self.fence).frames.append(frame)
            return channel
        return None

    def until(self, done, fence=False):
        left = {n for n, trial in self.trials.items() if not done(trial)}
        while left or fence and not self.fence.frames:
            received = self.peer.receive(40)
            if received is None:
                raise Stuck([(self.pairs[n].titles, [name(f) for f in self.trials[n].frames]) for n in left][:3])
            channel = self.take(received)
            if channel in left and done(self.trials[channel]):
                left.discard(channel)

    def run(self):
        """How each was answered, by channel."""
        self.prepare()
        self.send([b"".join(item.send(self.trials[n], i) for i, item in enumerate(pair.items))
                   for n, pair in self.pairs.items()])
        self.until(lambda trial: self.pairs[trial.channel].finished(trial))
        self.late()
        return {n: self.outcome(n) for n in self.pairs}

    def late(self):
        """Something that is answered last, so that a close that comes late is seen."""
        before = {}
        for n, trial in self.trials.items():
            if self.pairs[n].fenced and not closed(trial):
                before[n] = len(trial.frames)
                self.peer.write(method(Exchange.Declare(exchange="amq.direct", passive=True), n))
        self.peer.write(self.fence.out(Channel.Open()))
        fenced = lambda trial: any(isinstance(f, Exchange.DeclareOk) for f in trial.frames[before[trial.channel]:])
        self.until(lambda trial: trial.channel not in before or closed(trial) or fenced(trial), fence=True)
        for n in before:
            frames = self.trials[n].frames
            at = [i for i, f in enumerate(frames) if i >= before[n] and isinstance(f, Exchange.DeclareOk)]
            if at:
                del frames[at[-1]]

    def outcome(self, n):
        return ",".join(self.pairs[n].arrived(self.trials[n])[0]) or "nothing"


class Broker:
    def __init__(self, url, kind):
        self.url, self.kind = url, kind
        peer = Peer(url)
        self.version = peer.version
        peer.close()

    def together(self, pairs):
        """Each pair once, on one connection."""
        peer = Peer(self.url)
        try:
            return list(Round(peer, self.kind, pairs).run().values())
        finally:
            peer.close()

    def apart(self, pair, count):
        """One pair many times, each on a connection of its own, some connections at once."""
        rounds = [Round(Peer(self.url), self.kind, [pair]) for _ in range(count)]
        for each in rounds:
            each.prepare()
        for each in rounds:
            each.peer.write(b"".join(item.send(each.trials[1], i) for i, item in enumerate(pair.items)))
        outcomes = []
        for each in rounds:
            try:
                each.until(pair.finished)
                each.late()
            except Lost as lost:
                each.trials[1].frames.append(lost.args[0])
            except Ended:
                each.trials[1].frames.append(Connection.Close(0, "hung up", 0, 0))
            outcomes.append(each.outcome(1))
            each.peer.close()
        return outcomes

    def stock(self, wanted):
        """Messages to get, and no others."""
        peer = Peer(self.url)
        peer.call(Channel.Open())
        peer.call(Confirm.Select())
        stock = f"order.{self.kind}.stock"
        missing = wanted - peer.call(Queue.Declare(queue=stock, passive=True)).message_count
        peer.write(b"".join(message("", stock) for _ in range(missing)))
        acked = 0
        while acked < missing:
            ack = peer.receive()[1]
            acked = ack.delivery_tag if ack.multiple else acked + 1
        if self.kind != "stream":
            peer.call(Queue.Purge(queue=f"order.{self.kind}.sink"))
        peer.close()

    def queues(self, delete):
        """Declares what every trial finds there, or deletes it and what trials left."""
        peer = Peer(self.url)
        peer.call(Channel.Open())
        trials = [Trial(1, self.kind, slot) for slot in range(SLOTS)]
        for what, i, trial in itertools.product(("q", "gone"), (0, 1), trials):
            if delete:
                peer.call(Queue.Delete(queue=trial.name(what, i)))
                peer.call(Exchange.Delete(exchange=trial.name("x" if what == "q" else what, i)))
            elif what == "q":
                self.declare(peer, trial.name(what, i), self.kind)
        for what, kind in (("sink", self.kind), ("stock", "classic" if self.kind == "stream" else self.kind)):
            if delete:
                peer.call(Queue.Delete(queue=trials[0].common(what)))
            else:
                self.declare(peer, trials[0].common(what), kind)
        peer.close()

    def declare(self, peer, queue, kind):
        arguments = {} if kind == "classic" else {"x-queue-type": kind}
        answer = peer.call(Queue.Declare(queue=queue, durable=True, arguments=arguments))
        assert isinstance(answer, Queue.DeclareOk), dict(answer)


def measure(broker, count, seen):
    """Counts of outcomes by pair. Pairs that end a connection are found out, and then tried apart."""
    items = [item for item in ITEMS if broker.kind in item.kinds]
    # No client opens an open channel; it ends the connection some time later.
    pairs = [Pair(a, b) for a, b in itertools.product(items, repeat=2)
             if mode_before(a, b) is not False and a.title != "channel.open"]
    together, fatal = [], []
    for pair in pairs:
        (fatal if pair.likely_fatal else together).append(pair)
    for _ in range(count):
        for at in range(0, len(together), AT_ONCE):
            fatal += attempt(broker, together[at:at + AT_ONCE], seen)
        together = [pair for pair in together if pair not in fatal]
        yield
    for pair in fatal:
        seen.pop(pair.titles, None)
        wanted = min(count, 20) if "channel.open" in pair.titles or "channel.close" in pair.titles else count
        while wanted > 0:
            broker.stock(2 * CONNECTIONS)
            try:
                outcomes = broker.apart(pair, min(wanted, CONNECTIONS))
            except (Stuck, Ended, Lost) as stuck:
                seen[pair.titles][f"stuck: {stuck}"] += 1
                break
            seen[pair.titles].update(outcomes)
            wanted -= len(outcomes)
        yield


def attempt(broker, pairs, seen):
    """Tries all once; where the connection is lost, halves them until it is known of which. Gives these."""
    broker.stock(4 * len(pairs))
    try:
        for pair, outcome in zip(pairs, broker.together(pairs)):
            seen[pair.titles][outcome] += 1
        return []
    except (Lost, Ended):
        if len(pairs) == 1:
            return pairs
        half = len(pairs) // 2
        return attempt(broker, pairs[:half], seen) + attempt(broker, pairs[half:], seen)
    except Stuck as stuck:
        print("stuck", stuck, flush=True)
        return []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--kind", default="classic")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--out", required=True)
    chosen = parser.parse_args()
    broker, seen = Broker(chosen.url, chosen.kind), defaultdict(Counter)
    broker.queues(delete=False)
    for n, _ in enumerate(measure(broker, chosen.count, seen)):
        print(n, flush=True)
        with open(chosen.out, "w", encoding="utf-8") as out:
            for (first, second), outcomes in seen.items():
                for outcome, times in outcomes.most_common():
                    print(first, second, broker.kind, broker.version, outcome, times, sep="\t", file=out)
    broker.queues(delete=True)


if __name__ == "__main__":
    main()
