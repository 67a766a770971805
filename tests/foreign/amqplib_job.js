// A job that Node's amqplib does on a broker: amqplib_job.js URL PREFIX. Names that it declares begin with PREFIX.
//
// Ends with an error as soon as the broker does anything else than what is expected.
"use strict";

const { deepStrictEqual: equal, ok } = require("node:assert");
const { once } = require("node:events");
const { setTimeout: sleep } = require("node:timers/promises");
const amqplib = require("amqplib");

const headers = { kind: "job", attempt: 1, tags: ["a", "b"], nested: { deep: true } };

async function declare(channel, prefix) {
  const { exchange } = await channel.assertExchange(`${prefix}.exchange`, "headers", { autoDelete: true });
  const { queue } = await channel.assertQueue("", { exclusive: true });
  ok(queue.startsWith("amq.gen-"), `the server names queues, this one ${queue}`);
  await channel.bindQueue(queue, exchange, "", { "x-match": "all", kind: "job" });
  equal(await channel.checkQueue(queue), { queue, messageCount: 0, consumerCount: 0 });
  return { exchange, queue };
}

// Publishes with confirms; what no queue takes comes back before it is confirmed.
async function publish(channel, exchange) {
  const returned = [];
  channel.on("return", (message) => returned.push(message));
  for (const number of [0, 1, 2]) {
    channel.publish(exchange, "any", Buffer.from(`job ${number}`), { headers, persistent: true, mandatory: true });
  }
  channel.publish(exchange, "any", Buffer.from("nobody's"), { headers: { kind: "rest" }, mandatory: true });
  await channel.waitForConfirms();
  equal(returned.map((message) => message.content.toString()), ["nobody's"]);
  equal([returned[0].fields.replyCode, returned[0].fields.replyText], [312, "NO_ROUTE"]);
}

// Consumes one at a time: the first message is put back once, all are acknowledged.
async function work(channel, exchange, queue) {
  await channel.prefetch(1);
  const seen = [];
  const { consumerTag } = await new Promise((resolve, reject) => {
    const consumer = channel.consume(queue, async (message) => {
      try {
        const { fields, properties, content } = message;
        seen.push([content.toString(), fields.redelivered]);
        equal([fields.exchange, fields.routingKey], [exchange, "any"]);
        equal(properties.headers, headers);
        equal(properties.deliveryMode, 2);
        if (seen.length === 1) {
          channel.nack(message);
          return;
        }
        channel.ack(message);
        if (seen.length === 4) {
          resolve(await consumer);
        }
      } catch (error) {
        reject(error);
      }
    });
  });
  equal(seen, [["job 0", false], ["job 0", true], ["job 1", false], ["job 2", false]]);
  await channel.cancel(consumerTag);
  equal(await channel.get(queue), false);
}

// Gets a message, rejects it, gets it again, and purges another.
async function fetch(channel, queue) {
  channel.sendToQueue(queue, Buffer.from("first"));
  channel.sendToQueue(queue, Buffer.alloc(300_000, "x"));
  await channel.waitForConfirms();
  const first = await channel.get(queue);
  equal([first.content.toString(), first.fields.redelivered, first.fields.messageCount], ["first", false, 1]);
  channel.reject(first, true);
  const again = await channel.get(queue);
  equal([again.content.toString(), again.fields.redelivered], ["first", true]);
  channel.ack(again);
  const large = await channel.get(queue);
  ok(large.content.equals(Buffer.alloc(300_000, "x")), "a message of several frames comes as it was sent");
  channel.nack(large);
  equal(await channel.purgeQueue(queue), { messageCount: 1 });
}

// A request and its answer over the pseudo-queue for replies.
async function ask(connection, queue) {
  const server = await connection.createChannel();
  await server.consume(queue, (question) => {
    server.sendToQueue(question.properties.replyTo, Buffer.from(`${question.content}!`));
    server.ack(question);
  });
  const client = await connection.createChannel();
  const answered = new Promise((resolve) => {
    client.consume("amq.rabbitmq.reply-to", resolve, { noAck: true }).then(() => {
      client.sendToQueue(queue, Buffer.from("well"), { replyTo: "amq.rabbitmq.reply-to" });
    });
  });
  equal((await answered).content.toString(), "well!");
  await client.close();
  await server.close();
}

// A refusal closes its channel and nothing else.
async function beRefused(connection, virtualHost, prefix) {
  const channel = await connection.createChannel();
  const failed = once(channel, "error");
  const missing = `${prefix}.missing`;
  await channel.checkQueue(missing).then(
    () => ok(false, "a queue that does not exist was found"),
    () => {},
  );
  const [error] = await failed;
  equal(error.code, 404);
  ok(error.message.includes(`"NOT_FOUND - no queue '${missing}' in vhost '${virtualHost}'"`), error.message);
  await (await connection.createChannel()).close();
}

async function main() {
  const [url, prefix] = process.argv.slice(2);
  const connection = await amqplib.connect(`${url}?heartbeat=5`);
  const channel = await connection.createConfirmChannel();
  const { exchange, queue } = await declare(channel, prefix);
  await publish(channel, exchange);
  await work(channel, exchange, queue);
  await fetch(channel, queue);
  await ask(connection, queue);
  await beRefused(connection, decodeURIComponent(new URL(url).pathname.slice(1)) || "/", prefix);
  // Several heartbeats: without those of either side the other would give up.
  await sleep(16_000);
  equal(await channel.deleteQueue(queue), { messageCount: 0 });
  await connection.close();
  console.log("done");
}

const givenUp = setTimeout(() => {
  console.error("the job is not done after 100 s");
  process.exit(1);
}, 100_000);
main().then(
  () => clearTimeout(givenUp),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
