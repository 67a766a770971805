//! The version in the protocol header, and the port.

use super::numbers;
use crate::model::Version;
use crate::problem::Problems;
use crate::spec::Element;

/// The version and port in the root element.
pub(super) fn version(root: &Element, problems: &mut Problems) -> Version {
    let version = Version {
        major: numbers::number(root, "major", problems),
        minor: numbers::number(root, "minor", problems),
        revision: root.attribute("revision").map(|_| numbers::number(root, "revision", problems)),
        port: numbers::number(root, "port", problems),
    };
    match version {
        Version { revision: Some(_), .. } => version,
        // Qpid's file has no revision and includes it in the minor number. There is no other
        // version 0-91.
        Version { major: 0, minor: 91, .. } => {
            problems.warn(root.warning_with("minor", "version 0-91 is read as 0-9-1"));
            Version { minor: 9, revision: Some(1), ..version }
        }
        _ => {
            let message = "no attribute `revision`: the protocol header is that of versions before 0-9-1";
            problems.warn(root.warning_with("revision", message));
            version
        }
    }
}
