#!/usr/bin/env bash
# A job that the commands of Debian's amqp-tools (rabbitmq-c) do on a broker: amqp_tools_job.sh URL PREFIX. Names that
# it declares begin with PREFIX.
#
# Ends with an error as soon as the broker does anything else than what is expected.
set -euo pipefail

url=$1
prefix=$2
queue=$prefix.queue

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

expect() {
  [[ $2 == "$3" ]] || fail "$1: '$2' came, '$3' was expected"
}

for command in amqp-declare-queue amqp-publish amqp-get amqp-consume amqp-delete-queue; do
  command -v "$command" >/dev/null || fail "Missing: $command, of Debian's amqp-tools."
done

expect 'the name of the declared queue' "$(amqp-declare-queue --url="$url" --queue="$queue" --durable)" "$queue"

# What the queue does not hold is told by a status of its own.
status=0
amqp-get --url="$url" --queue="$queue" >/dev/null || status=$?
expect 'the status of getting from an empty queue' "$status" 2

for body in first second third; do
  amqp-publish --url="$url" --routing-key="$queue" --persistent --content-type=text/plain --header='kind: job' --body="$body"
done
expect 'the message that is got' "$(amqp-get --url="$url" --queue="$queue")" first

# A command that fails leaves its message in the queue, and the next consumer has it again.
status=0
amqp-consume --url="$url" --queue="$queue" --count=1 -- sh -c 'cat >/dev/null; exit 1' || status=$?
expect 'the status of consuming by a command that fails' "$status" 0
consumed=$(amqp-consume --url="$url" --queue="$queue" --count=2 --prefetch-count=1 -- sh -c 'cat; echo')
expect 'the messages that are consumed' "$(sort <<<"$consumed" | tr '\n' ' ')" 'second third '

# By an exchange: the consumer declares a queue of its own and binds it, at a time that only its first message tells.
amqp-consume --url="$url" --exchange=amq.topic --routing-key="$prefix.*" --exclusive --count=1 --heartbeat=5 cat \
  >"${TMPDIR:-/tmp}/$prefix.consumed" &
consumer=$!
trap 'kill "$consumer" 2>/dev/null || true; rm -f "${TMPDIR:-/tmp}/$prefix.consumed"' EXIT
for ((attempt = 0; attempt < 200; attempt++)); do
  kill -0 "$consumer" 2>/dev/null || break
  amqp-publish --url="$url" --exchange=amq.topic --routing-key="$prefix.news" --body=news
  sleep 0.1
done
wait "$consumer" || fail 'the consumer that binds a queue of its own failed'
expect 'the message by the exchange' "$(cat "${TMPDIR:-/tmp}/$prefix.consumed")" news

# A refusal, in the broker's words.
if refusal=$(amqp-get --url="$url" --queue="$prefix.missing" 2>&1); then
  fail 'a queue that does not exist was found'
fi
[[ $refusal == *"404"*"NOT_FOUND - no queue '$prefix.missing' in vhost '"* ]] || fail "the refusal: $refusal"

# shellcheck disable=SC2001 # it takes a pattern
refusal=$(amqp-get --url="$(sed 's|//[^/@]*@|//guest:wrong@|' <<<"$url")" --queue="$queue" 2>&1) || true
[[ $refusal == *"403"*"ACCESS_REFUSED - Login was refused"* ]] || fail "the refusal of a wrong password: $refusal"

amqp-publish --url="$url" --routing-key="$queue" --body=rest
expect 'the messages that go with the queue' "$(amqp-delete-queue --url="$url" --queue="$queue")" 1
echo done
