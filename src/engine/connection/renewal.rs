//! When credentials that expire are renewed.
//!
//! ```text
//!          four fifths of the time are over          a secret              update-secret-ok
//!  off ──▶ due ────────────────────────────▶ wanted ──────────▶ updating ──────────────────▶ due, or off where it lasts
//!           ▲                                  │                   │
//!           └──── a twenty-fifth of it later ──┴───────────────────┘  no secret, none in time, no answer
//! ```
//!
//! So a renewal that fails is tried again some times before the fifth that is left is over.

use std::time::{Duration, Instant};

use crate::config::Secret;
use crate::engine::{ConnectionNotice, Engine};

/// The shortest pause between two questions for a secret.
const LEAST: Duration = Duration::from_secs(1);

/// What the broker is told a secret is updated for.
const REASON: &str = "the secret expires";

/// The schedule.
#[derive(Debug, Default)]
pub(in crate::engine) struct Renewal {
    stage: Stage,
    /// How long the present secret is good for, from when it was given.
    valid_for: Duration,
    /// How long it may take to give another one.
    limit: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Stage {
    #[default]
    Off,
    Due(Instant),
    /// Until then, and asked for or not yet.
    Wanted {
        until: Option<Instant>,
        asked: bool,
    },
    /// The broker has the secret, and has not answered. What comes after that.
    Updating {
        valid_for: Option<Duration>,
        given: Instant,
    },
}

/// Whether a secret is wanted, see [`Engine::poll_secret_wanted`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// It is not, or not any more: what still fetches one took too long, and can be stopped.
    No,
    /// It is to be fetched now. This is said once.
    Now,
    /// It is awaited.
    Asked,
}

impl Renewal {
    /// When time alone changes something.
    pub(in crate::engine) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Due(at) => Some(at),
            Stage::Wanted { until, .. } => until,
            Stage::Off | Stage::Updating { .. } => None,
        }
    }

    /// Part of the present secret's time from then on.
    fn after(&self, part: f64, from: Instant) -> Stage {
        // What no clock reaches lasts.
        let pause = Duration::try_from_secs_f64(self.valid_for.as_secs_f64() * part).unwrap_or(Duration::MAX);
        from.checked_add(pause.max(LEAST)).map_or(Stage::Off, Stage::Due)
    }
}

impl Engine {
    /// The secret of the connection expires `valid_for` from now. Before that another one is asked
    /// for by [`Engine::poll_secret_wanted`], and may take as long as `limit` to be given.
    pub fn renew_secret(&mut self, valid_for: Duration, limit: Option<Duration>, now: Instant) {
        self.renewal = Renewal { stage: Stage::Off, valid_for, limit };
        self.renewal.stage = self.renewal.after(0.8, now);
    }

    /// Whether a secret is to be fetched: answer with [`Engine::handle_secret`] or
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

    /// A secret was fetched. It is sent to the broker; `valid_for` is how long it is good for, none
    /// where it lasts.
    pub fn handle_secret(&mut self, secret: &Secret, valid_for: Option<Duration>, now: Instant) {
        if !matches!(self.renewal.stage, Stage::Wanted { .. }) {
            return;
        }
        self.renewal.stage = Stage::Updating { valid_for, given: now };
        if let Err(failure) = self.send_secret(secret, &REASON.into(), None, now) {
            self.handle_no_renewal(failure.to_string(), now);
        }
    }

    /// There is no secret, and this is why. It is asked for again.
    pub fn handle_no_secret(&mut self, why: String, now: Instant) {
        if matches!(self.renewal.stage, Stage::Wanted { .. }) {
            self.handle_no_renewal(why, now);
        }
    }

    /// The broker has taken a secret of the schedule's.
    pub(super) fn handle_renewed(&mut self) {
        let Stage::Updating { valid_for, given } = self.renewal.stage else { return };
        self.renewal.stage = Stage::Off;
        if let Some(valid_for) = valid_for {
            self.renewal.valid_for = valid_for;
            self.renewal.stage = self.renewal.after(0.8, given);
        }
    }

    /// The present secret stays for now.
    pub(super) fn handle_no_renewal(&mut self, why: String, now: Instant) {
        if self.check_open().is_err() {
            self.renewal.stage = Stage::Off;
            return;
        }
        self.renewal.stage = self.renewal.after(0.04, now);
        self.tell_connection(&ConnectionNotice::SecretNotUpdated(why));
    }

    /// Does what is due of the schedule at `now`.
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
