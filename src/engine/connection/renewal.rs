//! The schedule by which credentials that expire are renewed.
//!
//! ```text
//!          four fifths of the time have passed       a secret              update-secret-ok
//!  off ──▶ due ────────────────────────────▶ wanted ──────────▶ updating ──────────────────▶ due, or off if it does not expire
//!           ▲                                  │                   │
//!           └──── a twenty-fifth of it later ──┴───────────────────┘  no secret, none in time, no answer
//! ```
//!
//! So a renewal that fails is retried several times before the remaining fifth has passed.

use std::time::{Duration, Instant};

use crate::config::Secret;
use crate::engine::{ConnectionNotice, Engine};

/// The shortest time between two requests for a secret.
const LEAST: Duration = Duration::from_secs(1);

/// The reason for the update that is sent to the broker.
const REASON: &str = "the secret expires";

/// The schedule of renewals.
#[derive(Debug, Default)]
pub(in crate::engine) struct Renewal {
    stage: Stage,
    /// How long the present secret is valid, from when it was given.
    valid_for: Duration,
    /// How long fetching another one may take.
    limit: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Stage {
    #[default]
    Off,
    Due(Instant),
    /// A secret is wanted until then; whether [`Wanted::Now`] was returned.
    Wanted {
        until: Option<Instant>,
        asked: bool,
    },
    /// The secret was sent to the broker, which has not answered. How long it is valid, and from
    /// when.
    Updating {
        valid_for: Option<Duration>,
        given: Instant,
    },
}

/// Whether a secret is wanted: what [`Engine::poll_secret_wanted`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// It is not wanted, or not any more: a fetch that is still running took too long and can be
    /// stopped.
    No,
    /// It is to be fetched now. This is returned once for each secret.
    Now,
    /// It was asked for and has not been given.
    Asked,
}

impl Renewal {
    /// When the schedule has something to do.
    pub(in crate::engine) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Due(at) => Some(at),
            Stage::Wanted { until, .. } => until,
            Stage::Off | Stage::Updating { .. } => None,
        }
    }

    /// The stage that is due after `part` of the secret's validity, counted from `from`.
    fn after(&self, part: f64, from: Instant) -> Stage {
        // A secret that is valid for longer than a clock can count does not expire.
        let pause = Duration::try_from_secs_f64(self.valid_for.as_secs_f64() * part).unwrap_or(Duration::MAX);
        from.checked_add(pause.max(LEAST)).map_or(Stage::Off, Stage::Due)
    }
}

impl Engine {
    /// Starts the schedule: the secret of the connection expires `valid_for` after `now`. Before
    /// that, [`Engine::poll_secret_wanted`] asks for another one, which has to be given within
    /// `limit`.
    pub fn renew_secret(&mut self, valid_for: Duration, limit: Option<Duration>, now: Instant) {
        self.renewal = Renewal { stage: Stage::Off, valid_for, limit };
        self.renewal.stage = self.renewal.after(0.8, now);
    }

    /// Returns whether a secret is to be fetched. Answer with [`Engine::handle_secret`] or
    /// [`Engine::handle_no_secret`].
    pub fn poll_secret_wanted(&mut self) -> Wanted {
        if self.check_open().is_err() {
            return Wanted::No;
        }
        match &mut self.renewal.stage {
            Stage::Wanted { asked: true, .. } => Wanted::Asked,
            Stage::Wanted { asked, .. } => {
                *asked = true;
                Wanted::Now
            }
            Stage::Off | Stage::Due(_) | Stage::Updating { .. } => Wanted::No,
        }
    }

    /// Takes a secret that was fetched, and sends it to the broker. `valid_for` is how long it is
    /// valid; `None` if it does not expire.
    pub fn handle_secret(&mut self, secret: &Secret, valid_for: Option<Duration>, now: Instant) {
        if !matches!(self.renewal.stage, Stage::Wanted { .. }) {
            return;
        }
        self.renewal.stage = Stage::Updating { valid_for, given: now };
        if let Err(failure) = self.send_secret(secret, &REASON.into(), None, now) {
            self.handle_no_renewal(failure.to_string(), now);
        }
    }

    /// Reports that no secret could be fetched, and why. It is asked for again later.
    pub fn handle_no_secret(&mut self, why: String, now: Instant) {
        if matches!(self.renewal.stage, Stage::Wanted { .. }) {
            self.handle_no_renewal(why, now);
        }
    }

    /// Handles the broker's answer to a secret that the schedule sent.
    pub(super) fn handle_renewed(&mut self) {
        let Stage::Updating { valid_for, given } = self.renewal.stage else { return };
        self.renewal.stage = Stage::Off;
        if let Some(valid_for) = valid_for {
            self.renewal.valid_for = valid_for;
            self.renewal.stage = self.renewal.after(0.8, given);
        }
    }

    /// Keeps the present secret, notifies the observers, and schedules another attempt.
    pub(super) fn handle_no_renewal(&mut self, why: String, now: Instant) {
        if self.check_open().is_err() {
            self.renewal.stage = Stage::Off;
            return;
        }
        self.renewal.stage = self.renewal.after(0.04, now);
        self.tell_connection(&ConnectionNotice::SecretNotUpdated(why));
    }

    /// Does what the schedule has due at `now`.
    pub(super) fn pass_renewal(&mut self, now: Instant) {
        match self.renewal.stage {
            Stage::Due(at) if at <= now => {
                let limit = self.renewal.limit;
                let until = limit.and_then(|limit| now.checked_add(limit));
                self.renewal.stage = Stage::Wanted { until, asked: false };
            }
            Stage::Wanted { until: Some(until), .. } if until <= now => {
                let limit = self.renewal.limit.unwrap_or_default();
                self.handle_no_renewal(format!("no credentials within {limit:?} (credentials_timeout)"), now);
            }
            _ => {}
        }
    }
}
