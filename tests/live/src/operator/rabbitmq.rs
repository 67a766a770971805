//! An operator of RabbitMQ, through `rabbitmqctl`.

use super::{Act, Alarm};
use crate::command;
use crate::listing::{Listing, rows_of};

/// The `rabbitmqctl` of one node.
pub(super) struct RabbitMq {
    control: String,
}

impl RabbitMq {
    pub(super) fn new(control: String) -> Self {
        Self { control }
    }

    pub(super) async fn act(&self, act: Act<'_>) {
        match act {
            Act::AddUser { name, password } => self.control(&["add_user", name, password]).await,
            Act::DeleteUser { name } => self.control(&["delete_user", name]).await,
            Act::SetPermissions { user, virtual_host, allowed } => {
                let arguments = ["-p", virtual_host, user, allowed.configure, allowed.write, allowed.read];
                self.control(&[&["set_permissions"], &arguments[..]].concat()).await
            }
            Act::ClearPermissions { user, virtual_host } => {
                self.control(&["clear_permissions", "-p", virtual_host, user]).await
            }
            Act::AddVirtualHost { name } => self.control(&["add_vhost", name]).await,
            Act::DeleteVirtualHost { name } => self.control(&["delete_vhost", name]).await,
            Act::LimitUser { name, connections, channels } => {
                let limits = limits(&[("max-connections", connections), ("max-channels", channels)]);
                self.control(&["set_user_limits", name, &limits]).await
            }
            Act::LimitVirtualHost { name, connections } => {
                self.control(&["set_vhost_limits", "-p", name, &limits(&[("max-connections", connections)])]).await
            }
            Act::SetConsumerTimeout(timeout) => {
                let timeout = timeout.as_millis();
                let expression = format!(
                    "application:set_env(rabbit, channel_tick_interval, 1000), \
                     application:set_env(rabbit, consumer_timeout, {timeout})."
                );
                self.control(&["eval", &expression]).await
            }
            Act::StopQueue { name } => self.control(&["eval", &stop_queue(name)]).await,
            Act::CloseConnection { name, reason } => {
                let process = self.process_of(name).await;
                self.control(&["close_connection", &process, reason]).await
            }
            Act::CloseAllConnections { reason } => self.control(&["close_all_connections", "--global", reason]).await,
            // In one go: starting `rabbitmqctl` is what takes its time.
            Act::CloseAgain { times, pause } => {
                let (pause, close) =
                    (pause.as_millis(), "catch rabbit_networking:close_connection(Connection, \"again\")");
                let all = format!("[{close} || Connection <- rabbit_networking:connections()]");
                let expression = format!("[begin {all}, timer:sleep({pause}) end || _ <- lists:seq(1, {times})].");
                self.control(&["eval", &expression]).await
            }
            Act::Raise(alarm) => {
                let resource = resource(alarm);
                let expression = format!("rabbit_alarm:set_alarm({{{{resource_limit, {resource}, node()}}, []}}).");
                self.control(&["eval", &expression]).await
            }
            Act::Clear(alarm) => self.control(&["eval", &format!("{}.", clear(alarm))]).await,
            Act::Stop => self.control(&["stop_app"]).await,
            Act::Start => self.control(&["start_app"]).await,
        };
    }

    /// Every alarm at once: starting `rabbitmqctl` is what takes its time.
    pub(super) async fn clear_all(&self) {
        let expression = format!("{}, {}.", clear(Alarm::Memory), clear(Alarm::Disk));
        self.control(&["eval", &expression]).await;
    }

    pub(super) async fn connection_names(&self) -> Vec<String> {
        self.named_connections().await.into_iter().map(|(_, name)| name).collect()
    }

    /// What the commands `list_exchanges`, `list_queues`, `list_bindings` and `list_consumers`
    /// list, in one go: starting `rabbitmqctl` is what takes its time.
    pub(super) async fn listing(&self, virtual_host: &str) -> Listing {
        let expression = format!(
            "V = <<\"{virtual_host}\">>, \
             P = fun(Kind, Rows) -> [io:format(\"~s\\t~0tp~n\", [Kind, Row]) || Row <- Rows] end, \
             P(exchange, rabbit_exchange:info_all(V, [name, type, durable, auto_delete, internal, arguments])), \
             P(queue, rabbit_amqqueue:info_all(V, \
                 [name, type, durable, auto_delete, exclusive, arguments, exclusive_consumer_tag])), \
             P(binding, rabbit_binding:info_all(V)), \
             P(consumer, [lists:keydelete(channel_pid, 1, C) || C <- rabbit_amqqueue:consumers_all(V)])."
        );
        let printed = self.control(&["eval", &expression]).await;
        Listing::new(["exchange", "queue", "binding", "consumer"].map(|kind| rows_of(kind, &printed)))
    }

    async fn process_of(&self, name: &str) -> String {
        let named = self.named_connections().await;
        let found = named.into_iter().find(|(_, other)| other == name);
        found.unwrap_or_else(|| panic!("no connection is named {name}")).0
    }

    /// The process of each connection that has a name, and the name.
    async fn named_connections(&self) -> Vec<(String, String)> {
        let listed = self.control(&["-q", "list_connections", "--no-table-headers", "pid", "client_properties"]).await;
        let named = listed.lines().filter_map(|line| {
            let (process, properties) = line.split_once('\t')?;
            let (_, behind) = properties.split_once("{\"connection_name\",\"")?;
            let (name, _) = behind.split_once('"')?;
            Some((process.to_owned(), name.to_owned()))
        });
        named.collect()
    }

    async fn control(&self, arguments: &[&str]) -> String {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        command::run(self.control.clone(), arguments).await
    }
}

/// Limits as JSON, without those that are not given.
fn limits(all: &[(&str, Option<u32>)]) -> String {
    let given = all.iter().filter_map(|(name, limit)| limit.map(|limit| format!("\"{name}\": {limit}")));
    format!("{{{}}}", given.collect::<Vec<_>>().join(", "))
}

/// What the end of a virtual host's supervisor does to a queue: it is marked as stopped, and its
/// process ends in order.
fn stop_queue(name: &str) -> String {
    format!(
        "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{name}\">>)), \
         S = amqqueue:set_state(Q, stopped), \
         case erlang:function_exported(rabbit_db_queue, set, 1) of \
         true -> rabbit_db_queue:set(S); \
         false -> rabbit_misc:execute_mnesia_transaction(fun() -> rabbit_amqqueue:store_queue(S) end) end, \
         exit(amqqueue:get_pid(Q), shutdown)."
    )
}

/// The call that clears an alarm.
fn clear(alarm: Alarm) -> String {
    format!("rabbit_alarm:clear_alarm({{resource_limit, {}, node()}})", resource(alarm))
}

fn resource(alarm: Alarm) -> &'static str {
    match alarm {
        Alarm::Memory => "memory",
        Alarm::Disk => "disk",
    }
}
