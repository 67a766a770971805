//! Connections that survive what an operator takes away and gives back: a virtual host, a user, a
//! place among the connections, and memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use leveret::config::Provided;
use leveret::{ConnectionEvent, Credentials, Result};
use leveret_live_tests::client::{Connection, ConnectionEvents};
use leveret_live_tests::survivor::Survivor;
use leveret_live_tests::{Alarm, Disturbed, Operator, Permissions, eventually, next, parameters, soon, unique};

use super::surviving;

/// Waits for an event.
async fn until(events: &mut ConnectionEvents, mut is_it: impl FnMut(&ConnectionEvent) -> bool) {
    loop {
        let event = soon(events.next()).await.expect("it does not end");
        if is_it(&event) {
            return;
        }
        assert!(!matches!(event, ConnectionEvent::Closed(_)), "{event:?}");
    }
}

async fn until_refused(events: &mut ConnectionEvents) {
    until(events, |event| matches!(event, ConnectionEvent::ReconnectFailed { .. })).await;
}

async fn until_recovered(events: &mut ConnectionEvents) {
    until(events, |event| matches!(event, ConnectionEvent::Recovered { .. })).await;
}

/// The survivor has what it had, and works.
async fn expect_all(
    survivor: &mut Survivor,
    operator: &Operator,
    before: &leveret_live_tests::listing::Listing,
) -> Result<()> {
    let same = eventually(|| async { (survivor.listing(operator).await == *before).then_some(()) });
    if tokio::time::timeout(Duration::from_secs(20), same).await.is_err() {
        assert_eq!(survivor.listing(operator).await, *before);
    }
    soon(survivor.channel.publish("durable", "durable", "after")).await?;
    let delivery = next(&mut survivor.consumers[0]).await;
    assert_eq!(delivery.body(), b"after");
    soon(delivery.ack()).await
}

#[tokio::test]
async fn a_virtual_host_that_is_deleted_and_made_again_gets_everything_back() -> Result<()> {
    let operator = Operator::shared();
    let mut survivor = Survivor::settle(&operator, surviving(parameters())).await;
    let before = survivor.listing(&operator).await;
    let mut events = survivor.connection.events();
    let (host, user) = (survivor.virtual_host().to_owned(), leveret_live_tests::user());
    operator.delete_virtual_host(&host).await;
    until_refused(&mut events).await;
    operator.add_virtual_host(&host).await;
    operator.set_permissions(&user, &host, Permissions::ALL).await;
    until_recovered(&mut events).await;
    expect_all(&mut survivor, &operator, &before).await?;
    survivor.leave(&operator).await;
    Ok(())
}

#[tokio::test]
async fn a_user_who_is_deleted_and_made_again_with_another_password_comes_back_by_a_provider() -> Result<()> {
    let operator = Operator::shared();
    let (user, password) = (unique("rotated"), Arc::new(Mutex::new("old".to_owned())));
    operator.add_user(&user, "old").await;
    let provider = {
        let (user, password) = (user.clone(), Arc::clone(&password));
        move || {
            let password = password.lock().expect("nobody panics").clone();
            let credentials = Credentials::plain(&*user, password);
            async move { Ok(Provided::from(credentials)) }
        }
    };
    // The name is what the survivor gives permissions to.
    let credentials = Credentials::plain(&*user, "").or(Credentials::provided_by(provider));
    let mut survivor = Survivor::settle(&operator, surviving(parameters()).credentials(credentials)).await;
    let before = survivor.listing(&operator).await;
    let mut events = survivor.connection.events();
    operator.delete_user(&user).await;
    until_refused(&mut events).await;
    operator.add_user(&user, "new").await;
    *password.lock().expect("nobody panics") = "new".to_owned();
    operator.set_permissions(&user, survivor.virtual_host(), Permissions::ALL).await;
    until_recovered(&mut events).await;
    expect_all(&mut survivor, &operator, &before).await?;
    survivor.leave(&operator).await;
    operator.delete_user(&user).await;
    Ok(())
}

#[tokio::test]
async fn a_connection_for_which_there_is_no_place_comes_back_when_there_is() -> Result<()> {
    let operator = Operator::shared();
    let (user, name) = (unique("limited"), unique("connection"));
    operator.add_user(&user, "secret").await;
    let parameters = parameters().credentials(Credentials::plain(&*user, "secret"));
    let mut survivor = Survivor::settle(&operator, surviving(parameters.clone()).connection_name(name.clone())).await;
    let before = survivor.listing(&operator).await;
    let mut events = survivor.connection.events();
    let other = soon(Connection::open(parameters.virtual_host(survivor.virtual_host()))).await?;
    operator.limit_user(&user, Some(1), None).await;
    operator.close_connection(&name, "to be refused").await;
    until_refused(&mut events).await;
    soon(other.close()).await?;
    until_recovered(&mut events).await;
    expect_all(&mut survivor, &operator, &before).await?;
    survivor.leave(&operator).await;
    operator.delete_user(&user).await;
    Ok(())
}

#[tokio::test]
async fn a_connection_that_is_blocked_for_too_long_comes_back() -> Result<()> {
    let broker = Disturbed::broker().await;
    let parameters = surviving(broker.parameters()).blocked_connection_timeout(Duration::from_secs(1));
    let connection = soon(Connection::open(parameters)).await?;
    let channel = soon(connection.open_channel()).await?;
    let (queue, mut events) = (unique("blocked"), connection.events());
    // It is not exclusive: the broker does not read what comes from the old connection, and so does
    // not see its end either.
    soon(channel.queue_declare(&queue).durable(true)).await?;
    broker.raise(Alarm::Memory).await;
    soon(channel.publish("", &queue, "the one that makes the broker block")).await?;
    let mut is_cause_told = false;
    until(&mut events, |event| {
        is_cause_told |= matches!(event, ConnectionEvent::Lost { cause, .. } if cause.is_blocked_too_long());
        matches!(event, ConnectionEvent::Recovered { .. })
    })
    .await;
    assert!(is_cause_told);
    broker.clear(Alarm::Memory).await;
    soon(channel.publish("", &queue, "after the alarm")).await?;
    eventually(|| async {
        let got = channel.get(&queue).no_ack(true).await.expect("the queue is there")?;
        (got.body() == b"after the alarm").then_some(())
    })
    .await;
    soon(channel.queue_delete(&queue)).await?;
    soon(connection.close()).await
}
