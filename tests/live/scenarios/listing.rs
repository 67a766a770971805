//! Listings of brokers, and how they are compared.

use leveret_live_tests::listing::{Listing, rows_of};

#[test]
fn rows_are_compared_without_their_order_and_the_names_that_brokers_give() {
    let bindings = |first: &str, second: &str| {
        let rows = [second, first].map(|name| format!("{{\"to\":\"{name}\",\"key\":\"{name}\"}}"));
        Listing::new([vec![], vec![], rows.to_vec(), vec![]])
    };
    assert_eq!(bindings("amq.gen-Ab_c-9", "q"), bindings("q", "amq.gen-xyz"));
    assert_ne!(bindings("amq.gen-Ab_c-9", "q"), bindings("amq.gen-Ab_c-9", "amq.gen-xyz"));
    assert_eq!(bindings("amq.gen-Ab_c-9", "q").bindings[0], r#"{"to":"amq.gen","key":"amq.gen"}"#);
}

#[test]
fn rows_are_told_apart_by_their_kind() {
    let printed = "queue\t[{name,a}]\nbinding\t[{name,queue}]\nqueue\t[{name,b}]\nok\n";
    assert_eq!(rows_of("queue", printed), ["[{name,a}]", "[{name,b}]"]);
    assert_eq!(rows_of("binding", printed), ["[{name,queue}]"]);
    assert_eq!(rows_of("ok", printed), Vec::<String>::new());
}
