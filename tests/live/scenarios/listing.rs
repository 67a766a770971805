//! Listings of brokers, and how they are compared.

use leveret_live_tests::listing::{Listing, rows_of_json};

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
fn a_table_in_json_has_a_row_a_line() {
    let printed = "[\n{\"name\":\"a\",\"arguments\":[]}\n,{\"name\":\"b\",\"arguments\":[[\"x\",\"long\",1]]}\n]\n";
    let rows = ["{\"name\":\"a\",\"arguments\":[]}", "{\"name\":\"b\",\"arguments\":[[\"x\",\"long\",1]]}"];
    assert_eq!(rows_of_json(printed), rows);
    assert_eq!(rows_of_json("[\n]\n"), Vec::<String>::new());
}
