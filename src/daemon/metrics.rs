//! Metrics: prefix `dosed_`, base units, labels from closed sets only, every series present at
//! zero from the start.

use super::job::Job;
use crate::engine::{Class, DoseState, ExpiredReason, News, Settlement};
use crate::http::Unserved;
use crate::http::page::clinic::Event;
use crate::http::patient_page::PageResult;
use crate::messaging::wechat::callback::{InboundKind, InboundResult};
use crate::messaging::{Outcome, wechat};
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64};

type One = [(&'static str, &'static str); 1];
type Two = [(&'static str, &'static str); 2];
type GaugeF = Gauge<f64, AtomicU64>;
type GaugeI = Gauge<i64, AtomicI64>;

/// Seconds from the instant due to the API's acceptance.
const LATENESS_SECONDS: [f64; 13] = [
    0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0,
];

/// Seconds of a request or a commit.
const DURATION_SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0,
];

/// Outcomes of check-ins, in the order of [`crate::store::Tally`].
const CHECK_IN_OUTCOMES: [&str; 4] = ["no_answer", "expired", "cancelled", "answered"];

/// Why the daemon itself holds messages back.
const HELD_REASONS: [&str; 3] = ["clock", "brake", "quota"];

/// The listeners by which is counted what is not served.
pub const LISTENERS: [&str; 2] = ["private", "public"];

/// All metrics of the daemon.
pub struct Metrics {
    registry: Registry,
    /// Whether the last reload was applied.
    pub config_last_reload_successful: GaugeI,
    /// When a reload was applied last.
    pub config_last_reload_success_timestamp_seconds: GaugeF,
    /// Plans in force.
    pub plans_active: GaugeI,
    /// Plans rejected for errors.
    pub plans_rejected: GaugeI,
    /// Patients with a plan in force.
    pub patients: GaugeI,
    /// Patients stepped because their wake had come.
    pub wakes: Counter,
    doses_settled: Family<One, Counter>,
    doses_expired: Family<One, Counter>,
    reminders: Family<Two, Counter>,
    /// Instant due to acceptance by the API.
    pub reminder_lateness_seconds: Histogram,
    outbox_depth: Family<One, GaugeI>,
    /// Age of the oldest message that could have left.
    pub outbox_oldest_age_seconds: GaugeF,
    send_attempts: Family<One, Counter>,
    /// One request to the API.
    pub send_duration_seconds: Histogram,
    wechat_errcode: Family<One, Counter>,
    token_refreshes: Family<One, Counter>,
    /// Share of the API's quota of the day that is used, as it said last.
    pub messaging_quota_used_ratio: GaugeF,
    check_ins: Family<One, Counter>,
    inbound: Family<Two, Counter>,
    patient_page_requests: Family<One, Counter>,
    http_unserved: Family<Two, Counter>,
    alerts: Family<One, Counter>,
    /// Now minus the oldest wake not yet stepped.
    pub scheduler_lag_seconds: GaugeF,
    clock_steps: Family<One, Counter>,
    sending_held: Family<One, GaugeI>,
    store_commits: Family<One, Counter>,
    job_last_success: Family<One, GaugeF>,
    job_overdue: Family<One, GaugeI>,
    job_runs: Family<Two, Counter>,
    pages: Family<One, Counter>,
    /// One commit of the store.
    pub store_commit_duration_seconds: Histogram,
    /// Size of the store's file.
    pub store_bytes: GaugeI,
    /// Openings of the store after a storage error.
    pub store_reopens: Counter,
}

impl Metrics {
    /// All series, at zero. `started` is the start in seconds since 1970.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a list: one entry a metric")]
    pub fn new(started: f64) -> Self {
        let mut registry = Registry::with_prefix("dosed");
        let build_info: Family<One, GaugeI> = Family::default();
        build_info
            .get_or_create(&[("version", env!("CARGO_PKG_VERSION"))])
            .set(1);
        registry.register("build_info", "The release", build_info);
        let start_time = GaugeF::default();
        start_time.set(started);
        registry.register(
            "start_time_seconds",
            "Start of the daemon since 1970",
            start_time,
        );
        macro_rules! register {
            ($name:ident, $help:literal, $metric:expr) => {{
                let metric = $metric;
                registry.register(stringify!($name), $help, metric.clone());
                metric
            }};
        }
        let metrics = Self {
            config_last_reload_successful: register!(
                config_last_reload_successful,
                "Whether the last reload was applied",
                GaugeI::default()
            ),
            config_last_reload_success_timestamp_seconds: register!(
                config_last_reload_success_timestamp_seconds,
                "When a reload was applied last",
                GaugeF::default()
            ),
            plans_active: register!(plans_active, "Plans in force", GaugeI::default()),
            plans_rejected: register!(
                plans_rejected,
                "Plans rejected for errors",
                GaugeI::default()
            ),
            patients: register!(patients, "Patients with a plan in force", GaugeI::default()),
            wakes: register!(wakes, "Patients stepped at their wake", Counter::default()),
            doses_settled: register!(
                doses_settled,
                "Doses closed, by state",
                Family::<One, Counter>::default()
            ),
            doses_expired: register!(
                doses_expired,
                "Doses expired, by reason",
                Family::<One, Counter>::default()
            ),
            reminders: register!(
                reminders,
                "Messages settled, by class and final outcome",
                Family::<Two, Counter>::default()
            ),
            reminder_lateness_seconds: register!(
                reminder_lateness_seconds,
                "From the instant due to acceptance by the API",
                Histogram::new(LATENESS_SECONDS)
            ),
            outbox_depth: register!(
                outbox_depth,
                "Messages in the outbox, by class",
                Family::<One, GaugeI>::default()
            ),
            outbox_oldest_age_seconds: register!(
                outbox_oldest_age_seconds,
                "Age of the oldest message that could have left",
                GaugeF::default()
            ),
            send_attempts: register!(
                send_attempts,
                "Tries to send, by outcome",
                Family::<One, Counter>::default()
            ),
            send_duration_seconds: register!(
                send_duration_seconds,
                "One try to send",
                Histogram::new(DURATION_SECONDS)
            ),
            wechat_errcode: register!(
                wechat_errcode,
                "Return codes of the WeChat API other than 0",
                Family::<One, Counter>::default()
            ),
            token_refreshes: register!(
                token_refreshes,
                "Access tokens asked for, by result",
                Family::<One, Counter>::default()
            ),
            messaging_quota_used_ratio: register!(
                messaging_quota_used_ratio,
                "Share of the API's quota of the day that is used, as it said last",
                GaugeF::default()
            ),
            check_ins: register!(
                check_ins,
                "Check-ins closed, by outcome",
                Family::<One, Counter>::default()
            ),
            inbound: register!(
                inbound,
                "Messages and events of contacts, by kind and result",
                Family::<Two, Counter>::default()
            ),
            http_unserved: register!(
                http_unserved,
                "Connections cut off and paths that are not there, by listener and reason",
                Family::<Two, Counter>::default()
            ),
            patient_page_requests: register!(
                patient_page_requests,
                "Requests to the patients' page, by result",
                Family::<One, Counter>::default()
            ),
            alerts: register!(
                alerts,
                "Alerts to staff and caregivers, by kind",
                Family::<One, Counter>::default()
            ),
            scheduler_lag_seconds: register!(
                scheduler_lag_seconds,
                "Now minus the oldest wake not yet stepped",
                GaugeF::default()
            ),
            clock_steps: register!(
                clock_steps,
                "Steps of the wall clock against the steady one",
                Family::<One, Counter>::default()
            ),
            sending_held: register!(
                sending_held,
                "Whether sending is held, by reason",
                Family::<One, GaugeI>::default()
            ),
            job_last_success: register!(
                job_last_success_timestamp_seconds,
                "When a job succeeded last; 0 before it ever did",
                Family::<One, GaugeF>::default()
            ),
            job_overdue: register!(
                job_overdue,
                "Whether a job has not succeeded for longer than its period and two hours",
                Family::<One, GaugeI>::default()
            ),
            job_runs: register!(
                job_runs,
                "Runs of jobs, by result",
                Family::<Two, Counter>::default()
            ),
            pages: register!(
                page_events,
                "Sign-ins to the pages, and requests that they refused",
                Family::<One, Counter>::default()
            ),
            store_commits: register!(
                store_commits,
                "Commits of the store, by result",
                Family::<One, Counter>::default()
            ),
            store_commit_duration_seconds: register!(
                store_commit_duration_seconds,
                "One commit of the store",
                Histogram::new(DURATION_SECONDS)
            ),
            store_bytes: register!(store_bytes, "Size of the store's file", GaugeI::default()),
            store_reopens: register!(
                store_reopens,
                "Openings of the store after a storage error",
                Counter::default()
            ),
            registry,
        };
        metrics.touch();
        metrics
    }

    /// Makes every series appear at zero.
    fn touch(&self) {
        for state in DoseState::CLOSING {
            drop(
                self.doses_settled
                    .get_or_create(&[("outcome", state.name())]),
            );
        }
        for reason in ExpiredReason::ALL {
            drop(
                self.doses_expired
                    .get_or_create(&[("reason", reason.name())]),
            );
        }
        for outcome in Outcome::NAMES {
            drop(self.send_attempts.get_or_create(&[("outcome", outcome)]));
            for class in Class::ALL {
                drop(
                    self.reminders
                        .get_or_create(&[("class", class.name()), ("outcome", outcome)]),
                );
            }
        }
        for class in Class::ALL {
            drop(self.outbox_depth.get_or_create(&[("class", class.name())]));
        }
        for label in wechat::errcode::LABELS {
            drop(self.wechat_errcode.get_or_create(&[("errcode", label)]));
        }
        for result in wechat::RefreshResult::ALL {
            drop(
                self.token_refreshes
                    .get_or_create(&[("result", result.name())]),
            );
        }
        for outcome in CHECK_IN_OUTCOMES {
            drop(self.check_ins.get_or_create(&[("outcome", outcome)]));
        }
        for kind in InboundKind::ALL {
            for result in InboundResult::ALL {
                drop(self.inbound_series(kind, result));
            }
        }
        for result in PageResult::ALL {
            drop(
                self.patient_page_requests
                    .get_or_create(&[("result", result.name())]),
            );
        }
        for listener in LISTENERS {
            for reason in Unserved::ALL {
                drop(self.unserved_series(listener, reason));
            }
        }
        for kind in News::NAMES {
            drop(self.alerts.get_or_create(&[("kind", kind)]));
        }
        for direction in ["forward", "backward"] {
            drop(self.clock_steps.get_or_create(&[("direction", direction)]));
        }
        for reason in HELD_REASONS {
            drop(self.sending_held.get_or_create(&[("reason", reason)]));
        }
        for job in Job::ALL {
            self.job_succeeded(job, None);
            self.job_is_overdue(job, false);
            for result in ["ok", "failed"] {
                drop(
                    self.job_runs
                        .get_or_create(&[("job", job.name()), ("result", result)]),
                );
            }
        }
        for event in Event::ALL {
            drop(self.pages.get_or_create(&[("event", event.name())]));
        }
        for result in ["ok", "failed"] {
            drop(self.store_commits.get_or_create(&[("result", result)]));
        }
    }

    /// Counts one request to the patients' page.
    pub fn page_asked(&self, result: PageResult) {
        self.patient_page_requests
            .get_or_create(&[("result", result.name())])
            .inc();
    }

    /// Counts what one of [`LISTENERS`] did not serve.
    pub fn unserved(&self, listener: &'static str, reason: Unserved) {
        self.unserved_series(listener, reason).inc();
    }

    fn unserved_series(&self, listener: &'static str, reason: Unserved) -> Counter {
        let labels = [("listener", listener), ("reason", reason.name())];
        self.http_unserved.get_or_create_owned(&labels)
    }

    /// Counts one push of the platform.
    pub fn came_in(&self, kind: InboundKind, result: InboundResult) {
        self.inbound_series(kind, result).inc();
    }

    fn inbound_series(&self, kind: InboundKind, result: InboundResult) -> Counter {
        let labels = [("kind", kind.name()), ("result", result.name())];
        self.inbound.get_or_create_owned(&labels)
    }

    /// Counts what happened at the pages.
    pub fn paged(&self, event: Event) {
        self.pages.get_or_create(&[("event", event.name())]).inc();
    }

    /// Counts one try to send.
    pub fn tried(&self, outcome: &'static str) {
        self.send_attempts
            .get_or_create(&[("outcome", outcome)])
            .inc();
    }

    /// Counts a message whose outcome is final.
    pub fn settled(&self, class: Class, settlement: Settlement) {
        let outcome = match settlement {
            Settlement::Accepted(_) => "accepted",
            // In doubt: the last word on it is that nothing is known.
            Settlement::InDoubt => "unknown",
            Settlement::Undeliverable(ExpiredReason::Unreachable) => "recipient",
            Settlement::Undeliverable(_) => "message",
            Settlement::NotSent(ExpiredReason::Throttled) => "throttled",
            Settlement::NotSent(_) => "retry_later",
        };
        self.reminders
            .get_or_create(&[("class", class.name()), ("outcome", outcome)])
            .inc();
    }

    /// Counts what a transaction closed.
    pub fn closed(&self, tally: &crate::store::Tally) {
        for (state, count) in DoseState::CLOSING.iter().zip(tally.doses) {
            self.doses_settled
                .get_or_create(&[("outcome", state.name())])
                .inc_by(count);
        }
        for (reason, count) in ExpiredReason::ALL.iter().zip(tally.expired) {
            self.doses_expired
                .get_or_create(&[("reason", reason.name())])
                .inc_by(count);
        }
        for (outcome, count) in CHECK_IN_OUTCOMES.iter().zip(tally.check_ins) {
            self.check_ins
                .get_or_create(&[("outcome", *outcome)])
                .inc_by(count);
        }
        for (kind, count) in News::NAMES.iter().zip(tally.told) {
            self.alerts.get_or_create(&[("kind", *kind)]).inc_by(count);
        }
    }

    /// Counts a commit.
    pub fn committed(&self, ok: bool, seconds: f64) {
        let result = if ok { "ok" } else { "failed" };
        self.store_commits
            .get_or_create(&[("result", result)])
            .inc();
        self.store_commit_duration_seconds.observe(seconds);
    }

    /// Counts a run of a job.
    pub fn job_ran(&self, job: Job, success: bool) {
        let result = if success { "ok" } else { "failed" };
        self.job_runs
            .get_or_create(&[("job", job.name()), ("result", result)])
            .inc();
    }

    /// A job that is switched off has no series: nobody waits for it.
    pub fn job_is_off(&self, job: Job) {
        self.job_last_success.remove(&[("job", job.name())]);
        self.job_overdue.remove(&[("job", job.name())]);
    }

    /// When a job succeeded last.
    pub fn job_succeeded(&self, job: Job, at: Option<Timestamp>) {
        let seconds = at.map_or(0.0, |at| at.as_millisecond() as f64 / 1e3);
        self.job_last_success
            .get_or_create(&[("job", job.name())])
            .set(seconds);
    }

    /// Whether a job is overdue.
    pub fn job_is_overdue(&self, job: Job, overdue: bool) {
        self.job_overdue
            .get_or_create(&[("job", job.name())])
            .set(i64::from(overdue));
    }

    /// Counts a step of the wall clock.
    pub fn clock_stepped(&self, forward: bool) {
        let direction = if forward { "forward" } else { "backward" };
        self.clock_steps
            .get_or_create(&[("direction", direction)])
            .inc();
    }

    /// Sending is, or is not any more, held because the clock is in doubt.
    pub fn held_for_clock(&self, held: bool) {
        self.held("clock", held);
    }

    /// Sending is, or is not any more, held because too much was sent in an hour.
    pub fn held_by_brake(&self, held: bool) {
        self.held("brake", held);
    }

    /// What is left of the day's quota is, or is not any more, kept for critical messages and doses.
    pub fn held_by_quota(&self, held: bool) {
        self.held("quota", held);
    }

    fn held(&self, reason: &'static str, held: bool) {
        self.sending_held
            .get_or_create(&[("reason", reason)])
            .set(i64::from(held));
    }

    /// Sets the depth of the outbox, in the order of [`Class::ALL`].
    pub fn set_outbox_depth(&self, depth: [u64; 5]) {
        for (class, depth) in Class::ALL.iter().zip(depth) {
            let depth = i64::try_from(depth).unwrap_or(i64::MAX);
            self.outbox_depth
                .get_or_create(&[("class", class.name())])
                .set(depth);
        }
    }

    /// The Prometheus text (version 0.0.4), with the process's own figures.
    #[must_use]
    pub fn text(&self) -> String {
        let mut encoded = String::new();
        if encode(&mut encoded, &self.registry).is_err() {
            // Writing into a String cannot fail; an empty answer would be seen by monitoring.
            return String::new();
        }
        let mut text = String::with_capacity(encoded.len() + 1_024);
        // The encoder speaks OpenMetrics, which names a counter's family without `_total`.
        let mut help = "";
        for line in encoded.lines().filter(|line| *line != "# EOF") {
            if line.starts_with("# HELP ") {
                help = line;
            } else if let Some(family) = line
                .strip_prefix("# TYPE ")
                .and_then(|line| line.strip_suffix(" counter"))
            {
                let words = help
                    .split_once(&format!("{family} "))
                    .map_or("", |(_, words)| words);
                let _ = write!(
                    text,
                    "# HELP {family}_total {words}\n# TYPE {family}_total counter\n"
                );
            } else {
                if line.starts_with("# TYPE ") {
                    text.push_str(help);
                    text.push('\n');
                }
                text.push_str(line);
                text.push('\n');
            }
        }
        process(&mut text);
        text
    }
}

impl crate::messaging::Observer for Metrics {
    fn errcode(&self, label: &'static str) {
        self.wechat_errcode
            .get_or_create(&[("errcode", label)])
            .inc();
    }

    fn token_refreshed(&self, result: wechat::RefreshResult) {
        self.token_refreshes
            .get_or_create(&[("result", result.name())])
            .inc();
    }
}

/// The process's own figures, as every Prometheus client gives them; those that the system does
/// not tell are left out.
fn process(text: &mut String) {
    let mut gauge = |name: &str, help: &str, kind: &str, value: f64| {
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "# HELP {name} {help}.\n# TYPE {name} {kind}\n{name} {value}\n"
        );
    };
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let page = rustix::param::page_size() as f64;
    if let Ok(stat) = std::fs::read_to_string("/proc/self/stat")
        && let Some((_, rest)) = stat.rsplit_once(')')
    {
        // Fields from the third on; see proc_pid_stat(5): utime 14, stime 15, vsize 23, rss 24.
        let fields: Vec<f64> = rest
            .split_ascii_whitespace()
            .map(|field| field.parse().unwrap_or(0.0))
            .collect();
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0.0);
        let seconds = (field(14) + field(15)) / ticks;
        gauge(
            "process_cpu_seconds_total",
            "CPU time spent",
            "counter",
            seconds,
        );
        gauge(
            "process_virtual_memory_bytes",
            "Virtual memory",
            "gauge",
            field(23),
        );
        gauge(
            "process_resident_memory_bytes",
            "Resident memory",
            "gauge",
            field(24) * page,
        );
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        // One of them is the listing itself.
        let count = open.count().saturating_sub(1) as f64;
        gauge("process_open_fds", "Open file descriptors", "gauge", count);
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if let Some(limit) = limit.current {
        gauge(
            "process_max_fds",
            "File descriptors at most",
            "gauge",
            limit as f64,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_there_at_zero_and_the_text_ends_properly() {
        let text = Metrics::new(1.0).text();
        for line in [
            "dosed_doses_settled_total{outcome=\"missed\"} 0",
            "dosed_doses_expired_total{reason=\"daemon_down\"} 0",
            "dosed_reminders_total{class=\"critical\",outcome=\"accepted\"} 0",
            "dosed_outbox_depth{class=\"nudge\"} 0",
            "dosed_wechat_errcode_total{errcode=\"other\"} 0",
            "dosed_clock_steps_total{direction=\"backward\"} 0",
            "dosed_store_commits_total{result=\"failed\"} 0",
            "dosed_wakes_total 0",
            "dosed_messaging_quota_used_ratio 0.0",
        ] {
            assert!(
                text.lines().any(|it| it == line),
                "{line} is not in\n{text}"
            );
        }
        assert!(text.contains("# TYPE dosed_wakes_total counter\n"));
        assert!(text.contains("# TYPE dosed_plans_active gauge\n"));
        let families = text
            .lines()
            .filter(|line| line.starts_with("# TYPE "))
            .count();
        let helped = text
            .lines()
            .filter(|line| line.starts_with("# HELP "))
            .count();
        assert_eq!(families, helped);
        assert!(text.contains("\nprocess_resident_memory_bytes "));
    }
}
