//! What is wrong with a specification is reported with file, line, column and element path, all of
//! it at once.
#![allow(clippy::panic, reason = "a test may panic")]

use leveret_codegen::{Source, load};

/// A class that is right, around what a test puts into its one method.
fn in_method(inner: &str) -> String {
    let rest = "<chassis name='server' implement='MUST'/></method>\n</class>";
    format!("<class name='queue' index='50'>\n<method name='declare' index='10'>\n{inner}\n{rest}")
}

/// A specification whose second line is the first of `inner`.
fn spec(inner: &str) -> String {
    format!("<amqp major='0' minor='9' revision='1' port='5672'>\n{inner}\n</amqp>")
}

/// Asserts what is reported of the sources `a.xml`, `b.xml`, …, a problem a line.
#[track_caller]
fn assert_reported(texts: &[&str], expected: &[&str]) {
    let names = ["a.xml", "b.xml", "c.xml"];
    let sources: Vec<Source> = names.iter().zip(texts).map(|(name, text)| Source::new(*name, *text)).collect();
    let reported = load(&sources).map_or_else(|errors| errors.to_string(), |_| String::new());
    assert_eq!(reported.lines().collect::<Vec<_>>(), expected);
}

/// Asserts what is reported of the inside of a specification.
#[track_caller]
fn assert_problems(inner: &str, expected: &[&str]) {
    assert_reported(&[&spec(inner)], expected);
}

#[test]
fn a_specification_with_nothing_wrong_is_loaded() {
    assert_problems(&in_method("<field name='ticket' type='short'/>"), &[]);
}

#[test]
fn no_specification_is_a_problem() {
    assert_reported(&[], &["specification: there is none to read"]);
}

#[test]
fn malformed_xml_is_reported_where_it_breaks() {
    assert_reported(
        &["<amqp>\n  <class name='x'>\n  </method>\n</amqp>"],
        &["a.xml:3:3: /amqp/class[x]: malformed XML: expected `</class>`, but `</method>` was found"],
    );
    assert_reported(&["<amqp>\n  <doc>"], &["a.xml:2:3: /amqp/doc: malformed XML: the element is never closed"]);
    assert_reported(
        &["<amqp>\n  <doc>a &nbsp; b</doc>\n</amqp>"],
        &[
            "a.xml:1:1: /amqp: the attribute `major` is missing",
            "a.xml:1:1: /amqp: the attribute `minor` is missing",
            "a.xml:1:1: /amqp: the attribute `port` is missing",
            "a.xml:2:10: /amqp/doc: malformed XML: unknown entity `&nbsp;`",
        ],
    );
    assert_reported(
        &["<amqp>\n  <doc <\n</amqp>"],
        &[
            "a.xml:2:3: /amqp/doc: malformed XML: in the tag, attribute key must be directly followed by `=` or space",
            "a.xml:2:3: /amqp/doc: malformed XML: the element is never closed",
        ],
    );
    assert_reported(
        &["<amqp major=0/>"],
        &[
            "a.xml:1:1: /amqp: malformed XML: in the tag, attribute value must be enclosed in `\"` or `'`",
            "a.xml:1:1: /amqp: the attribute `major` is missing",
            "a.xml:1:1: /amqp: the attribute `minor` is missing",
            "a.xml:1:1: /amqp: the attribute `port` is missing",
        ],
    );
    assert_reported(
        &["<amqp major='0' major='1'/>"],
        &[
            "a.xml:1:1: /amqp: malformed XML: an attribute is given twice",
            "a.xml:1:1: /amqp: the attribute `minor` is missing",
            "a.xml:1:1: /amqp: the attribute `port` is missing",
        ],
    );
    assert_reported(&[""], &["a.xml:1:1: there is no element `amqp`"]);
    assert_reported(
        &["<amqp><bogus>"],
        &["a.xml:1:1: /amqp: malformed XML: the element is never closed", "a.xml:1:7: /amqp: unknown element `bogus`"],
    );
    assert_reported(
        &["<amqp><!-- <doc/></amqp>"],
        &["a.xml:1:7: /amqp: malformed XML: comment not closed: `-->` not found before end of input"],
    );
}

#[test]
fn another_root_is_reported() {
    assert_reported(&["<protocol/>"], &["a.xml:1:1: unknown element `protocol`"]);
    assert_reported(
        &["<amqp major='0' minor='9' revision='1' port='5672'/>\n<amqp/>"],
        &["a.xml:2:1: a second root, `amqp`"],
    );
}

#[test]
fn an_element_that_the_bindings_hang_on_is_not_passed_over_in_prose_either() {
    assert_problems("<doc>See <field/>.</doc>", &["a.xml:2:10: /amqp/doc: `field` has no place in `doc`"]);
}

#[test]
fn an_unknown_element_is_reported_and_what_is_in_it_is_not() {
    assert_problems("<klass name='x'>\n<method/>\n</klass>", &["a.xml:2:1: /amqp: unknown element `klass`"]);
    assert_problems(&in_method("<bits/>"), &["a.xml:4:1: /amqp/class[queue]/method[declare]: unknown element `bits`"]);
}

#[test]
fn an_element_in_the_wrong_place_is_reported() {
    assert_problems("<method name='x' index='1'/>", &["a.xml:2:1: /amqp: `method` has no place in `amqp`"]);
}

#[test]
fn an_unknown_attribute_is_reported_with_those_that_there_are() {
    assert_problems(
        "<constant name='frame-end' vallue='206' value='206'/>",
        &[
            "a.xml:2:28: /amqp/constant[frame-end]: unknown attribute `vallue`: `constant` has `name`, `value`, `class`, `label`",
        ],
    );
}

#[test]
fn a_missing_attribute_is_reported() {
    assert_problems("<constant value='1'/>", &["a.xml:2:1: /amqp/constant: the attribute `name` is missing"]);
    assert_problems(
        "<constant name='frame-end'/>",
        &["a.xml:2:1: /amqp/constant[frame-end]: the attribute `value` is missing"],
    );
    assert_problems("<domain name='path'/>", &["a.xml:2:1: /amqp/domain[path]: the attribute `type` is missing"]);
    assert_problems("<class name='queue'/>", &["a.xml:2:1: /amqp/class[queue]: the attribute `index` is missing"]);
    assert_reported(
        &["<amqp/>"],
        &[
            "a.xml:1:1: /amqp: the attribute `major` is missing",
            "a.xml:1:1: /amqp: the attribute `minor` is missing",
            "a.xml:1:1: /amqp: the attribute `port` is missing",
        ],
    );
}

#[test]
fn a_number_that_does_not_parse_or_fit_is_reported() {
    assert_problems(
        "<constant name='frame-end' value='0xce'/>",
        &["a.xml:2:28: /amqp/constant[frame-end]: `value` is `0xce`, which is no number of 32 bits"],
    );
    assert_problems(
        "<constant name='frame-end' value='4294967296'/>",
        &["a.xml:2:28: /amqp/constant[frame-end]: `value` is `4294967296`, which is no number of 32 bits"],
    );
    assert_problems(
        "<constant name='frame-end' value='+1'/>",
        &["a.xml:2:28: /amqp/constant[frame-end]: `value` is `+1`, which is no number of 32 bits"],
    );
    assert_problems(
        "<constant name='no-route' value='70000' class='soft-error'/>",
        &["a.xml:2:27: /amqp/constant[no-route]: `value` is `70000`, which is no number of 16 bits"],
    );
    assert_problems(
        "<class name='queue' index='65536'/>",
        &["a.xml:2:21: /amqp/class[queue]: `index` is `65536`, which is no number of 16 bits"],
    );
    assert_reported(
        &["<amqp major='256' minor='9' revision='1' port='65536'/>"],
        &[
            "a.xml:1:7: /amqp: `major` is `256`, which is no number of 8 bits",
            "a.xml:1:42: /amqp: `port` is `65536`, which is no number of 16 bits",
        ],
    );
}

#[test]
fn a_flag_that_is_neither_set_nor_clear_is_reported() {
    assert_problems(
        &in_method("<field name='x' type='bit' reserved='true'/>"),
        &[
            "a.xml:4:28: /amqp/class[queue]/method[declare]/field[x]: `reserved` is `true`, which is neither `0` nor `1`",
        ],
    );
}

#[test]
fn an_unknown_class_of_constant_is_reported() {
    assert_problems(
        "<constant name='no-route' value='312' class='mild-error'/>",
        &[
            "a.xml:2:39: /amqp/constant[no-route]: unknown class `mild-error`: a constant is a `soft-error`, a `hard-error` or has none",
        ],
    );
}

#[test]
fn an_unknown_type_is_reported() {
    assert_problems(
        "<domain name='path' type='string'/>",
        &[
            "a.xml:2:21: /amqp/domain[path]: unknown type `string`: there are `bit`, `octet`, `short`, `long`, `longlong`, `shortstr`, `longstr`, `timestamp`, `table`, `content`",
        ],
    );
    assert_problems(
        &in_method("<field name='x' type='string'/>"),
        &[
            "a.xml:4:17: /amqp/class[queue]/method[declare]/field[x]: unknown type `string`: there are `bit`, `octet`, `short`, `long`, `longlong`, `shortstr`, `longstr`, `timestamp`, `table`, `content`",
        ],
    );
}

#[test]
fn an_unknown_domain_is_reported() {
    assert_problems(
        &in_method("<field name='x' domain='path'/>"),
        &["a.xml:4:17: /amqp/class[queue]/method[declare]/field[x]: unknown domain `path`"],
    );
}

#[test]
fn a_field_has_either_a_domain_or_a_type() {
    let domain = "<domain name='path' type='shortstr'/>\n";
    let fields = "<field name='x' domain='path' type='bit'/>\n<field name='y'/>";
    assert_problems(
        &format!("{domain}{}", in_method(fields)),
        &[
            "a.xml:5:1: /amqp/class[queue]/method[declare]/field[x]: the field has both a domain and a type",
            "a.xml:6:1: /amqp/class[queue]/method[declare]/field[y]: the field has neither a domain nor a type",
        ],
    );
}

#[test]
fn a_name_that_is_given_twice_is_reported() {
    assert_problems(
        "<constant name='a' value='1'/>\n<constant name='a' value='2'/>",
        &["a.xml:3:11: /amqp/constant[a]: the name `a` is taken at a.xml:2:1"],
    );
    assert_problems(
        "<domain name='a' type='bit'/>\n<domain name='a' type='bit'/>",
        &["a.xml:3:9: /amqp/domain[a]: the name `a` is taken at a.xml:2:1"],
    );
    assert_problems(
        "<class name='a' index='1'/>\n<class name='a' index='2'/>",
        &["a.xml:3:8: /amqp/class[a]: the name `a` is taken at a.xml:2:1"],
    );
    assert_problems(
        &in_method("<field name='a' type='bit'/>\n<field name='a' type='bit'/>"),
        &["a.xml:5:8: /amqp/class[queue]/method[declare]/field[a]: the name `a` is taken at a.xml:4:1"],
    );
    assert_problems(
        &in_method("<response name='declare'/>\n<response name='declare'/>"),
        &["a.xml:5:11: /amqp/class[queue]/method[declare]/response[declare]: the name `declare` is taken at a.xml:4:1"],
    );
    assert_problems(
        &in_method("<chassis name='server' implement='MUST'/>"),
        &["a.xml:5:10: /amqp/class[queue]/method[declare]/chassis[server]: the name `server` is taken at a.xml:4:1"],
    );
}

#[test]
fn a_name_that_differs_by_its_spaces_alone_is_taken() {
    assert_problems(
        &in_method("<field name='no wait' type='bit'/>\n<field name='no-wait' type='bit'/>"),
        &["a.xml:5:8: /amqp/class[queue]/method[declare]/field[no-wait]: the name `no-wait` is taken at a.xml:4:1"],
    );
}

#[test]
fn an_index_or_reply_code_that_is_given_twice_is_reported() {
    assert_problems(
        "<class name='a' index='1'/>\n<class name='b' index='01'/>",
        &["a.xml:3:17: /amqp/class[b]: the index 1 is taken by `a` at a.xml:2:1"],
    );
    let code = |name: &str| format!("<constant name='{name}' value='312' class='soft-error'/>\n");
    assert_problems(
        &[code("a"), code("b")].concat(),
        &["a.xml:3:20: /amqp/constant[b]: the value 312 is taken by `a` at a.xml:2:1"],
    );
    let method = "<method name='a' index='1'><chassis name='client' implement='MUST'/></method>\n";
    let methods = [method, &method.replace("'a'", "'b'")].concat();
    assert_problems(
        &format!("<class name='x' index='1'>\n{methods}</class>"),
        &["a.xml:4:18: /amqp/class[x]/method[b]: the index 1 is taken by `a` at a.xml:3:1"],
    );
}

#[test]
fn plain_constants_may_share_a_value() {
    assert_problems("<constant name='a' value='1'/>\n<constant name='b' value='1'/>", &[]);
}

#[test]
fn a_response_that_does_not_exist_is_reported() {
    assert_problems(
        &in_method("<response name='declare-ok'/>"),
        &[
            "a.xml:4:11: /amqp/class[queue]/method[declare]/response[declare-ok]: the class `queue` has no method `declare-ok`",
        ],
    );
}

#[test]
fn a_method_that_nobody_implements_is_reported() {
    assert_problems(
        "<class name='a' index='1'><method name='b' index='1'/></class>",
        &["a.xml:2:27: /amqp/class[a]/method[b]: no `chassis` says which peer implements it, so which one sends it"],
    );
}

#[test]
fn a_chassis_that_says_nothing_is_reported() {
    assert_problems(
        &in_method("<chassis name='broker' implement='MUST'/>"),
        &[
            "a.xml:4:10: /amqp/class[queue]/method[declare]/chassis[broker]: unknown peer `broker`: there are `client`, `server`",
        ],
    );
    assert_problems(
        &in_method("<chassis name='client' implement='PERHAPS'/>"),
        &[
            "a.xml:4:24: /amqp/class[queue]/method[declare]/chassis[client]: `implement` is `PERHAPS`: there are `MUST`, `SHOULD`, `MAY`",
        ],
    );
    assert_problems(
        &in_method("<chassis name='client'/>"),
        &["a.xml:4:1: /amqp/class[queue]/method[declare]/chassis[client]: the attribute `implement` is missing"],
    );
}

#[test]
fn a_name_that_is_none_is_reported() {
    assert_problems(
        &in_method("<field name='1st' type='bit'/>"),
        &[
            "a.xml:4:8: /amqp/class[queue]/method[declare]/field[1st]: `1st` is no name: a letter, then letters and digits, hyphens between them",
        ],
    );
    assert_problems(
        &in_method("<field name='-' type='bit'/>"),
        &[
            "a.xml:4:8: /amqp/class[queue]/method[declare]/field[-]: `-` is no name: a letter, then letters and digits, hyphens between them",
        ],
    );
}

#[test]
fn identifiers_that_clash_in_rust_are_reported() {
    assert_problems(
        &in_method("<field name='no-wait' type='bit'/>\n<field name='no_wait' type='bit'/>"),
        &[
            "a.xml:5:8: /amqp/class[queue]/method[declare]/field[no_wait]: the field `no_wait` in Rust is taken by /amqp/class[queue]/method[declare]/field[no-wait] at a.xml:4:1",
        ],
    );
    assert_problems(
        &in_method("<field name='type' type='bit'/>\n<field name='kind' type='bit'/>"),
        &[
            "a.xml:5:8: /amqp/class[queue]/method[declare]/field[kind]: the field `kind` in Rust is taken by /amqp/class[queue]/method[declare]/field[type] at a.xml:4:1",
        ],
    );
    assert_problems(
        "<constant name='a-b' value='1'/>\n<constant name='A-B' value='2'/>",
        &["a.xml:3:11: /amqp/constant[A-B]: the constant `A_B` in Rust is taken by /amqp/constant[a-b] at a.xml:2:1"],
    );
    let method = "<method name='properties' index='1'><chassis name='client' implement='MUST'/></method>";
    assert_problems(
        &format!("<class name='a' index='1'>\n<field name='b' type='bit'/>\n{method}\n</class>"),
        &[
            "a.xml:4:9: /amqp/class[a]/method[properties]: the type `Properties` in Rust is taken by /amqp/class[a] at a.xml:2:1",
        ],
    );
}

#[test]
fn everything_wrong_in_all_files_is_reported_at_once_in_their_order() {
    let base = spec("<klass/>\n<constant name='frame-end' value='x'/>\n<class name='queue' index='50'/>");
    let overlay = "<amqp>\n<constant name='a' value='y'/>\n<class name='queue'>\n<bogus/>\n<doc/>\n</class>\n<class name='tx' label='transactions'/>\n</amqp>";
    assert_reported(
        &[&base, overlay],
        &[
            "a.xml:2:1: /amqp: unknown element `klass`",
            "a.xml:3:28: /amqp/constant[frame-end]: `value` is `x`, which is no number of 32 bits",
            "b.xml:2:20: /amqp/constant[a]: `value` is `y`, which is no number of 32 bits",
            "b.xml:4:1: /amqp/class[queue]: unknown element `bogus`",
            "b.xml:7:1: /amqp/class[tx]: changes what is not there: `/amqp` has no such element; to add one, give it whole",
        ],
    );
}

#[test]
fn a_file_that_is_no_xml_does_not_make_the_others_look_wrong() {
    let overlay = "<amqp>\n<constant name='a' value='y'/>\n<class name='queue' label='queues'/>\n<bogus/>\n</amqp>";
    assert_reported(
        &["<amqp>", overlay],
        &["a.xml:1:1: /amqp: malformed XML: the element is never closed", "b.xml:4:1: /amqp: unknown element `bogus`"],
    );
}

#[test]
fn an_overlay_that_changes_nothing_is_reported() {
    let base = spec("<constant name='a' value='1'/>\n<domain name='b' type='bit'/>\n<class name='queue' index='50'/>");
    let overlay = |inner: &str| format!("<amqp>\n{inner}\n</amqp>");
    assert_reported(
        &[&base, &overlay("<constant name='a' value='1'/>")],
        &["b.xml:2:1: /amqp/constant[a]: changes nothing: the base already says so"],
    );
    assert_reported(
        &[&base, &overlay("<domain name='b'/>")],
        &["b.xml:2:1: /amqp/domain[b]: changes nothing: the base already says so"],
    );
    assert_reported(
        &[&base, &overlay("<constant name='b' label='x'/>")],
        &[
            "b.xml:2:1: /amqp/constant[b]: changes what is not there: `/amqp` has no such element; to add one, give it whole",
        ],
    );
    assert_reported(
        &[&base, &overlay("<class name='tx' index='90'/>")],
        &[
            "b.xml:2:1: /amqp/class[tx]: changes what is not there: `/amqp` has no such element; to add one, give it whole",
        ],
    );
    assert_reported(
        &[&base, &overlay("<class name='queue'><method name='x' index='1'/></class>")],
        &[
            "b.xml:2:21: /amqp/class[queue]/method[x]: changes what is not there: `/amqp/class[queue]` has no such element; to add one, give it whole",
        ],
    );
    assert_reported(
        &[&base, &overlay("<constant name='a' value='2'/><constant name='a' value='3'/>")],
        &["b.xml:2:31: /amqp/constant[a]: given twice in one file, first at b.xml:2:1"],
    );
}

#[test]
fn what_an_overlay_gets_wrong_is_reported_in_the_overlay() {
    let base = spec("<class name='queue' index='50'/>");
    assert_reported(
        &[&base, "<amqp>\n<class name='queue'\n  index='x'/>\n</amqp>"],
        &["b.xml:3:3: /amqp/class[queue]: `index` is `x`, which is no number of 16 bits"],
    );
}

#[test]
fn a_problem_is_one_line_whatever_it_quotes() {
    let expected = "a.xml:2:1: /amqp: malformed XML: expected `</amqp>`, but `</am qp>` was found";
    assert_reported(&["<amqp>\n</am\nqp>"], &[expected]);
}

#[test]
fn columns_count_characters() {
    assert_problems("<!-- ü --><bogus/>", &["a.xml:2:11: /amqp: unknown element `bogus`"]);
    assert_reported(&["\u{feff}<bogus/>"], &["a.xml:1:1: unknown element `bogus`"]);
}
