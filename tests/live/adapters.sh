# shellcheck shell=bash
# The scenarios on every adapter, but for those that adapters.txt says an adapter does not run; and the matrix of what ran.
# Sourced by tests/run, whose `live`, `suite`, `count`, `say`, `output`, `clients` and `ran` it uses.

adapters=(task thread readiness blocking callback callback-thread)
brokers=()
declare -A matrix=()

# Runs them on the broker that the environment names; calls it by this name.
live_tests_on_every_adapter() {
  local broker=$1 adapter name scenario
  local -a skipped
  brokers+=("$broker")
  for adapter in "${adapters[@]}"; do
    if [[ $adapter != task ]] && ! time_is_left; then
      matrix[$adapter $broker]='no time'
      continue
    fi
    skipped=()
    while read -r scenario; do
      skipped+=(--skip "$scenario")
    done < <(scenarios_without "$adapter")
    : >"$clients"
    name="live tests on $broker by the adapter $adapter"
    LEVERET_TEST_ADAPTER=$adapter LEVERET_TEST_CLIENTS=$clients suite "$name" "${live[@]}" --exact "${skipped[@]}"
    matrix[$adapter $broker]=$ran
    matrix[$adapter without]=$((${#skipped[@]} / 2))
    [[ $adapter == task ]] || every_scenario_had_a_client "$name"
  done
}

# Where the time is limited, by LEVERET_TEST_UNTIL in seconds since 1970, what may be left out begins before that.
time_is_left() {
  [[ -z ${LEVERET_TEST_UNTIL-} ]] || (($(date +%s) < LEVERET_TEST_UNTIL))
}

# The paths of the scenarios that do not run on an adapter.
scenarios_without() {
  local adapter=$1
  "${live[@]}" --list --format terse </dev/null 2>/dev/null | sed -n 's/: test$//p' | awk -v adapter="$adapter" '
    FNR == NR && /^(#|$)/ { next }
    FNR == NR && /^    / { if (is_without) subjects[$1]; next }
    FNR == NR {
      split($0, head, ": ")
      is_without = head[1] == "clientless" ? adapter != "task" : index(" " head[1] " ", " " adapter " ")
      next
    }
    {
      for (subject in subjects)
        if ($0 == subject || subject ~ /::$/ && index($0, subject) == 1) { print; break }
    }
  ' tests/live/adapters.txt -
}

# One that opens no connection by the adapter would count for nothing: adapters.txt has to list it.
every_scenario_had_a_client() {
  local idle
  idle=$(comm -23 <(sed -n 's/^test \(.*\) \.\.\. ok$/\1/p' "$output" | sort) <(sort -u "$clients"))
  [[ -z $idle ]] || count "$1, of those without a client of the crate: ${idle//$'\n'/, }" 0 1
}

# How many scenarios ran on which adapter and broker, and which did not, and why.
print_matrix() {
  local adapter broker
  ((${#brokers[@]} > 0)) || return 0
  say '' 'Scenarios that ran, by adapter and broker:'
  printf '  %-16s' ''
  printf '%10s' "${brokers[@]}" 'listed'
  printf '\n'
  for adapter in "${adapters[@]}"; do
    printf '  %-16s' "$adapter"
    for broker in "${brokers[@]}" without; do
      printf '%10s' "${matrix[$adapter $broker]-none}"
    done
    printf '\n'
  done
  say '' 'Scenarios that do not run on every adapter (listed, above):' ''
  sed '/^#/d; /./,$!d; s/^/  /' tests/live/adapters.txt
}
