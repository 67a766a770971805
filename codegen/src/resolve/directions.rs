//! Which peers send a method, from the `chassis` elements: the peer that implements a method
//! receives it.

use super::names;
use crate::model::Sender;
use crate::problem::Problems;
use crate::spec::{Element, Kind};

/// Which peers may send a method.
pub(super) fn sender(method: &Element, problems: &mut Problems) -> Sender {
    check(method, problems);
    let received_by = |peer| method.children_of(Kind::Chassis).any(|chassis| chassis.name() == peer);
    match (received_by("server"), received_by("client")) {
        (true, true) => Sender::Both,
        (true, false) => Sender::Client,
        (false, true) => Sender::Server,
        (false, false) => {
            problems.report(method.problem("no `chassis` says which peer implements it, so which one sends it"));
            Sender::Both
        }
    }
}

/// Reports wrong `chassis` elements of a class or method.
pub(super) fn check(element: &Element, problems: &mut Problems) {
    names::check(element.children_of(Kind::Chassis), problems);
    for chassis in element.children_of(Kind::Chassis) {
        if !["client", "server"].contains(&chassis.name()) {
            let message = format!("unknown peer `{}`: there are `client`, `server`", chassis.name());
            problems.report(chassis.problem_with("name", message));
        }
        match chassis.value("implement") {
            Some("MUST" | "SHOULD" | "MAY") => {}
            Some(other) => {
                let message = format!("`implement` is `{other}`: there are `MUST`, `SHOULD`, `MAY`");
                problems.report(chassis.problem_with("implement", message));
            }
            None => problems.report(chassis.problem("the attribute `implement` is missing")),
        }
    }
}
