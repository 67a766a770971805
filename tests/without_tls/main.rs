//! What the crate says of TLS where it was built without it. With the feature `tls` there is
//! nothing here.
#![cfg(not(feature = "tls"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use leveret::config::{ParametersError, ParametersErrorKind, Tls};
use leveret::{Connection, ConnectionParameters, ErrorKind};

fn assert_names_the_feature(error: &ParametersError) {
    assert_eq!(error.kind(), ParametersErrorKind::Unsupported);
    assert!(error.to_string().contains("enable its feature `tls`"), "{error}");
}

#[test]
fn an_amqps_url_is_refused_with_the_feature_that_is_missing() {
    assert_names_the_feature(&ConnectionParameters::from_url("amqps://h").unwrap_err());
}

#[test]
fn parameters_with_tls_are_refused_with_the_feature_that_is_missing() {
    assert_names_the_feature(&ConnectionParameters::default().tls(Tls::default()).validate().unwrap_err());
}

#[test]
fn opening_with_tls_fails_before_anything_is_tried() {
    let mut opening = pin!(Connection::open("amqps://h"));
    let Poll::Ready(opened) = opening.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits for something");
    };
    let error = opened.unwrap_err();
    assert!(error.kind() == ErrorKind::Parameters && error.is_not_sent() && !error.is_retryable(), "{error:?}");
}
