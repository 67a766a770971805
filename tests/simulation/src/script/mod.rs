//! Scripts: the settings of a run and its steps, one per line.

mod generate;
mod step;

use std::fmt;
use std::str::FromStr;

pub use step::{Step, Verb};

/// A run that can be repeated. A setting or a number that is not given is 0, or the default.
///
/// ```text
/// # A comment.
/// settings seed=7 clients=1 heartbeat=4 blocked=0 pipe=4096 recovery=1
/// open client=0
/// rest
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// What holds for the whole run.
    pub settings: Settings,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// What holds for a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The seed of the broker and of the client.
    pub seed: u64,
    /// The number of clients.
    pub clients: u32,
    /// The interval of heartbeats in seconds.
    pub heartbeat: u32,
    /// The timeout of blocked connections in seconds; 0 is none.
    pub blocked: u32,
    /// How many bytes may be on their way to the broker.
    pub pipe: u32,
    /// Whether connections recover: 0 is no, 1 with topology, 2 without it.
    pub recovery: u32,
    /// What publishes do while a connection is down: 0 is wait, 1 fail, 2 are stored.
    pub down: u32,
    /// Which channels are opened again that the broker closes: 0 is none, 1 after an
    /// acknowledgement timeout, 2 all.
    pub channels: u32,
    /// How many entities are recorded at most; 0 is the default limit.
    pub record: u32,
    /// How often a connection is tried after one loss; 0 is without end.
    pub attempts: u32,
    /// Whether a provider gives the credentials.
    pub provider: u32,
}

impl Settings {
    const NONE: Self = Self {
        seed: 0,
        clients: 0,
        heartbeat: 0,
        blocked: 0,
        pipe: 0,
        recovery: 0,
        down: 0,
        channels: 0,
        record: 0,
        attempts: 0,
        provider: 0,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 0, clients: 1, heartbeat: 4, blocked: 0, pipe: 64 * 1024, ..Self::NONE }
    }
}

impl Script {
    /// Returns the script with other steps.
    #[must_use]
    pub fn with_steps(&self, steps: Vec<Step>) -> Self {
        Self { settings: self.settings, steps }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { seed, clients, heartbeat, blocked, pipe, recovery, .. } = self.settings;
        let Settings { down, channels, record, attempts, provider, .. } = self.settings;
        write!(f, "settings seed={seed} clients={clients} heartbeat={heartbeat}")?;
        write!(f, " blocked={blocked} pipe={pipe} recovery={recovery} down={down} channels={channels}")?;
        writeln!(f, " record={record} attempts={attempts} provider={provider}")?;
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl FromStr for Script {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut script = Self { settings: Settings::default(), steps: Vec::new() };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix("settings ") {
                Some(words) => script.settings = words.parse()?,
                None => script.steps.push(line.parse()?),
            }
        }
        Ok(script)
    }
}

impl FromStr for Settings {
    type Err = String;

    fn from_str(words: &str) -> Result<Self, String> {
        let mut settings = Self::default();
        for word in words.split_whitespace() {
            let (name, value) = step::numbered::<u64>(word)?;
            let small = u32::try_from(value).map_err(|_| format!("{value} is too large"));
            match name {
                "seed" => settings.seed = value,
                "clients" => settings.clients = small?,
                "heartbeat" => settings.heartbeat = small?,
                "blocked" => settings.blocked = small?,
                "pipe" => settings.pipe = small?,
                "recovery" => settings.recovery = small?,
                "down" => settings.down = small?,
                "channels" => settings.channels = small?,
                "record" => settings.record = small?,
                "attempts" => settings.attempts = small?,
                "provider" => settings.provider = small?,
                _ => return Err(format!("there is no setting {name:?}")),
            }
        }
        Ok(settings)
    }
}
