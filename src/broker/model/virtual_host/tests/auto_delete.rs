//! Auto-delete exchanges, which are deleted with the last binding of which they are the source.

use super::*;

fn with_auto_delete(queues: &[&str], exchanges: &[&str]) -> VirtualHost {
    let mut host = host(queues);
    for name in exchanges {
        host.declare(&Declare::default().exchange(*name).kind("direct").auto_delete(true));
    }
    host
}

#[test]
fn an_exchange_stays_until_its_last_binding_goes() {
    let mut host = with_auto_delete(&["q"], &["x"]);
    host.link("x", &queue("q"), "k");
    host.link("x", &queue("q"), "l");
    assert_eq!(host.unlink("x", &queue("q"), "k"), names(&[]));
    assert_eq!(host.unlink("x", &queue("q"), "nope"), names(&[]));
    assert!(host.has("x"));
    assert_eq!(host.unlink("x", &queue("q"), "l"), ["x"]);
    assert!(!host.has("x"));
}

#[test]
fn an_exchange_that_never_had_a_binding_stays() {
    let mut host = with_auto_delete(&["q"], &["x"]);
    assert_eq!(host.unlink("x", &queue("q"), "k"), names(&[]));
    assert_eq!(host.remove_queue(&"q".into()), names(&[]));
    assert!(host.has("x"));
}

#[test]
fn to_be_a_destination_keeps_no_exchange_and_loses_none() {
    let mut host = with_auto_delete(&["q"], &["x"]);
    host.link("amq.direct", &exchange("x"), "k");
    assert_eq!(host.unlink("amq.direct", &exchange("x"), "k"), names(&[]));
    assert!(host.has("x"));
    host.link("amq.direct", &exchange("x"), "k");
    host.link("x", &queue("q"), "k");
    assert_eq!(host.unlink("x", &queue("q"), "k"), ["x"]);
    assert_eq!(host.bindings().count(), 0);
}

#[test]
fn exchanges_go_with_the_queue_that_they_led_to_by_name() {
    let mut host = with_auto_delete(&["p", "q"], &["z", "x", "y"]);
    for source in ["x", "y", "z", "amq.direct"] {
        host.link(source, &queue("q"), "k");
        host.link(source, &queue("q"), "l");
    }
    host.link("y", &queue("p"), "k");
    assert_eq!(host.remove_queue(&"q".into()), ["x", "z"]);
    assert!(host.has("y") && host.has("amq.direct"));
    assert_eq!((host.queue(&"q".into()), host.queue(&"p".into())), (None, Some(QueueId(0))));
    assert_eq!(host.bindings().count(), 1);
}

#[test]
fn chains_of_exchanges_go_at_once() {
    let mut host = with_auto_delete(&["q"], &["a", "b", "c"]);
    host.link("a", &exchange("b"), "k");
    host.link("b", &exchange("c"), "k");
    host.link("c", &queue("q"), "k");
    assert_eq!(host.remove_queue(&"q".into()), ["c", "b", "a"]);
    assert_eq!(host.bindings().count(), 0);
}

#[test]
fn exchanges_go_with_the_exchange_that_they_led_to() {
    let mut host = with_auto_delete(&["q"], &["a", "b"]);
    host.make("x", "direct");
    host.link("a", &exchange("b"), "k");
    host.link("b", &exchange("x"), "k");
    host.link("x", &queue("q"), "k");
    assert_eq!(host.delete_exchange(&"x".into(), false), Ok(names(&["x", "b", "a"])));
}

#[test]
fn exchanges_in_a_circle_keep_each_other() {
    let mut host = with_auto_delete(&["q"], &["a", "b", "c"]);
    host.link("a", &exchange("b"), "k");
    host.link("b", &exchange("a"), "k");
    host.link("b", &queue("q"), "k");
    host.link("c", &exchange("c"), "k");
    host.link("c", &queue("q"), "k");
    assert_eq!(host.remove_queue(&"q".into()), names(&[]));
    assert_eq!(host.unlink("a", &exchange("b"), "k"), ["a", "b"]);
    assert!(host.has("c"));
}
