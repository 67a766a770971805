//! What a test sees of what is in the broker.

use leveret::broker::{BindingDestination, Broker, Permissions, Settings, User};
use leveret::{ConnectionParameters, Credentials, FieldTable, Requeue};

use crate::{open, soon};

#[tokio::test(start_paused = true)]
async fn queues_show_how_they_were_declared_and_what_is_in_them() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    let arguments = FieldTable::from([("x-max-length", 5)]);
    soon(channel.queue_declare("kept").durable(true).arguments(arguments.clone())).await.unwrap();
    soon(channel.queue_declare("own").exclusive(true).auto_delete(true)).await.unwrap();
    let publisher = soon(channel.confirm_select()).await.unwrap();
    for body in ["taken", "left"] {
        soon(publisher.publish("", "kept", body).confirmed()).await.unwrap();
    }
    let taken = soon(channel.get("kept")).await.unwrap().unwrap();

    let state = broker.state();
    let [kept, own] = state.queues("/").try_into().unwrap();
    assert_eq!((kept.name, kept.durable, kept.exclusive), ("kept".into(), true, None));
    assert_eq!((kept.ready, kept.unacknowledged, kept.consumers), (1, 1, 0));
    assert_eq!(kept.arguments, arguments);
    assert_eq!((own.exclusive, own.auto_delete), (Some(state.connections()[0].id), true));
    assert_eq!(state.queue("/", "missing"), None);
    assert!(state.queues("missing").is_empty());
    let [left] = state.messages("/", "kept").try_into().unwrap();
    assert_eq!((left.body, left.routing_key, left.redelivered), ("left".into(), "kept".into(), false));
    drop(state);

    soon(taken.nack(Requeue::Yes)).await.unwrap();
    broker.until(|state| state.messages("/", "kept").len() == 2).await;
    let messages = broker.state().messages("/", "kept");
    assert_eq!((messages[0].body.clone(), messages[0].redelivered), ("taken".into(), true));
}

#[tokio::test(start_paused = true)]
async fn exchanges_and_bindings_show_where_messages_go() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    soon(channel.exchange_declare("logs", "topic").internal(true)).await.unwrap();
    soon(channel.queue_declare("errors")).await.unwrap();
    soon(channel.queue_bind("errors", "logs", "*.error")).await.unwrap();
    soon(channel.exchange_bind("logs", "amq.fanout", "")).await.unwrap();

    let state = broker.state();
    let kinds: Vec<_> =
        state.exchanges("/").into_iter().map(|exchange| (exchange.name.to_string(), exchange.kind)).collect();
    let expected = [
        ("", "direct"),
        ("amq.direct", "direct"),
        ("amq.fanout", "fanout"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
        ("amq.rabbitmq.trace", "topic"),
        ("amq.topic", "topic"),
        ("logs", "topic"),
    ];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
    let bindings: Vec<_> = state
        .bindings("/")
        .into_iter()
        .map(|binding| (binding.source, binding.destination, binding.routing_key))
        .collect();
    let to_logs = BindingDestination::Exchange("logs".into());
    let to_errors = BindingDestination::Queue("errors".into());
    assert_eq!(bindings, [("amq.fanout".into(), to_logs, "".into()), ("logs".into(), to_errors, "*.error".into())]);
}

#[tokio::test(start_paused = true)]
async fn consumers_and_connections_show_whose_they_are() {
    let broker = Broker::new();
    let parameters = ConnectionParameters::default().connection_name("shop");
    let connection = leveret::Connection::open_on(broker.connect(), parameters).await.unwrap();
    let channel = soon(connection.open_channel()).await.unwrap();
    let arguments = FieldTable::from([("x-single-active-consumer", true)]);
    soon(channel.queue_declare("jobs").arguments(arguments)).await.unwrap();
    let _first = soon(channel.consume("jobs").consumer_tag("first")).await.unwrap();
    let _second = soon(channel.consume("jobs").consumer_tag("second")).await.unwrap();

    let state = broker.state();
    let [shop] = state.connections().try_into().unwrap();
    assert_eq!((shop.name.as_deref(), shop.user, shop.virtual_host), (Some("shop"), "guest".into(), "/".into()));
    assert_eq!((shop.open, shop.blocked, shop.channels.len()), (true, false, 1));
    let consumers: Vec<_> =
        state.consumers("/").into_iter().map(|consumer| (consumer.tag, consumer.active, consumer.connection)).collect();
    assert_eq!(consumers, [("first".into(), true, shop.id), ("second".into(), false, shop.id)]);
}

#[tokio::test(start_paused = true)]
async fn users_have_the_virtual_hosts_and_permissions_that_the_settings_give_them() {
    let mut settings = Settings::default();
    settings.virtual_hosts.push("orders".to_owned());
    let reader = User::new("secret").permissions("orders", Permissions::new("^$", "^$", ".*").unwrap());
    settings.users.insert("reader".to_owned(), reader);
    let broker = Broker::with(settings);
    let parameters = ConnectionParameters::default().credentials(Credentials::plain("reader", "secret"));

    let elsewhere = leveret::Connection::open_on(broker.connect(), parameters.clone()).await.unwrap_err();
    assert!(elsewhere.to_string().contains("access to vhost '/' refused for user 'reader'"), "{elsewhere}");
    let connection = leveret::Connection::open_on(broker.connect(), parameters.virtual_host("orders")).await.unwrap();
    let channel = soon(connection.open_channel()).await.unwrap();
    let refused = soon(channel.queue_declare("jobs")).await.unwrap_err();
    assert_eq!(refused.reply_code(), Some(leveret::ReplyCode::ACCESS_REFUSED));
    let debug = format!("{:?}", Settings::default());
    assert!(!debug.contains("password: \"guest\""), "{debug}");
}
