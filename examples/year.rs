//! A clinic with a year behind it, for measuring the doctor's page: configuration, plans and a
//! store in a directory, over the console channel.
//!
//! `cargo run --release --example year -- DIRECTORY [--patients N] [--days N]`, then
//! `dosed user add hao --role doctor --config DIRECTORY/config.toml` beside
//! `dosed run --config DIRECTORY/config.toml`; `cargo bench --bench pages` times them.
//!
//! Plans come into force by the daemon's own transaction. The history is written into the journal as
//! the daemon would have written it, without living through it.

use dosed::daemon::config::{Config, Environment};
use dosed::daemon::{plan_changes, plan_files};
use dosed::engine::{
    About, CallReason, ClosedDose, DoseState, Entry, ExpiredReason, GivenAnswer, MessageId, Millis,
    Teller, Unlimited, Value,
};
use dosed::store::{JournalRow, Options, Store, Telemetry};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// The doses of a day: medicine, amount and hour.
const DOSES: [(&str, &str, i8); 3] = [
    ("二甲双胍", "1片", 8),
    ("氨氯地平", "1片", 8),
    ("二甲双胍", "1片", 20),
];
const QUESTION: &str = "今早血压是多少?";

struct Arguments {
    directory: PathBuf,
    patients: usize,
    days: i32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = arguments()?;
    let (patients, days) = (arguments.patients, arguments.days);
    println!("{}", make(&arguments.directory, patients, days)?);
    Ok(())
}

/// Makes such a clinic in a directory that is not there yet; says what was made.
///
/// # Errors
/// A file cannot be written, or the store fails.
pub fn make(directory: &Path, patients: usize, days: i32) -> Result<String, Box<dyn Error>> {
    write_clinic(directory, patients)?;
    let environment = Environment {
        current_directory: directory.to_path_buf(),
        ..Environment::default()
    };
    let config = Config::load(&directory.join("config.toml"), &environment)?;
    let options = Options {
        path: config.store.path.clone(),
        cache_bytes: 256 << 20,
    };
    let store = Store::open(&options, Arc::new(Telemetry::new(|_, _| {})))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let began = Instant::now();
    let rows = runtime.block_on(fill(&store, &config, (patients, days)))?;
    runtime.block_on(store.close());
    Ok(format!(
        "{patients} patients, {days} days, {rows} rows of the journal in {:.1} s: {}",
        began.elapsed().as_secs_f64(),
        options.path.display()
    ))
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let usage = "usage: year DIRECTORY [--patients N] [--days N]";
    let mut all = std::env::args().skip(1);
    let mut arguments = Arguments {
        directory: PathBuf::from(all.next().ok_or(usage)?),
        patients: 1_000,
        days: 365,
    };
    while let Some(name) = all.next() {
        let value = all.next().ok_or(usage)?;
        match name.as_str() {
            "--patients" => arguments.patients = value.parse()?,
            "--days" => arguments.days = value.parse()?,
            _ => return Err(usage.into()),
        }
    }
    Ok(arguments)
}

/// Writes the configuration, with the addresses of the listeners.
///
/// # Errors
/// The file cannot be written.
pub fn write_config(directory: &Path, private: &str, public: Option<&str>) -> std::io::Result<()> {
    let public = public.map_or(String::new(), |public| {
        format!("public = \"{public}\"\npublic_url = \"http://127.0.0.1:8381/\"\n")
    });
    let config = format!(
        "[clinic]\nname = \"郝医生诊所\"\ntimezone = \"Asia/Shanghai\"\n\
         language = \"zh-CN\"\nplans = \"plans.d\"\n[store]\npath = \"dosed.redb\"\n\
         [http]\nprivate = \"{private}\"\n{public}[messaging]\nchannel = \"console\"\n\
         [log]\nlevel = \"warn\"\n"
    );
    std::fs::write(directory.join("config.toml"), config)
}

fn write_clinic(directory: &Path, patients: usize) -> std::io::Result<()> {
    let plans = directory.join("plans.d");
    // A store that is there already is not filled twice.
    std::fs::create_dir_all(directory)?;
    std::fs::create_dir(&plans)?;
    write_config(directory, "127.0.0.1:8380", None)?;
    for number in 0..patients {
        let plan = format!(
            "# 第{number}号患者\nname = \"王秀兰{number}\"\n\n\
             [[medication]]\nname = \"二甲双胍\"\ntake = \"1片\"\nat = \"08:00, 20:00\"\n\n\
             [[medication]]\nname = \"氨氯地平\"\ntake = \"1片\"\nat = \"08:00\"\n\n\
             [[check_in]]\nask = \"{QUESTION}\"\nanswer = \"blood pressure\"\nat = \"09:00\"\n\
             alert_if = \"upper over 160\"\n\n\
             [[caregiver]]\nname = \"小王\"\nrelation = \"女儿\"\n"
        );
        std::fs::write(plans.join(format!("{}.toml", id(number))), plan)?;
    }
    Ok(())
}

fn id(number: usize) -> String {
    format!("p{number:04}")
}

async fn fill(
    store: &Store,
    config: &Config,
    (patients, days): (usize, i32),
) -> Result<usize, Box<dyn Error>> {
    let now = Timestamp::now();
    let loaded = plan_files::load(config, &HashMap::new(), now);
    let changes = plan_changes::changes(config, &loaded, &HashMap::new());
    assert_eq!(changes.len(), patients, "each plan is right");
    let (overdue, fits) = (ExpiredReason::DaemonDown, Arc::new(Unlimited));
    store
        .apply(now, changes, Vec::new(), overdue, fits, 0)
        .await?;
    let today = now
        .to_zoned(config.clinic.defaults.zone.time_zone().clone())
        .start_of_day()?;
    let mut written = 0;
    // Today as far as it has come.
    for day in (0..=days).rev() {
        let midnight = today.checked_sub(day.days())?;
        let mut rows = BTreeMap::new();
        for number in 0..patients {
            let mut of_day = day_of(&midnight, number, day.unsigned_abs() as usize)?;
            of_day.retain(|row| row.at <= now.as_millisecond());
            written += of_day.len();
            rows.insert(id(number), of_day);
        }
        store.write_history(now, rows).await?;
    }
    Ok(written)
}

/// What one day of one patient leaves in the journal.
fn day_of(midnight: &Zoned, patient: usize, day: usize) -> Result<Vec<JournalRow>, jiff::Error> {
    let mut rows = Vec::new();
    for (index, (medication, amount, hour)) in DOSES.into_iter().enumerate() {
        let due = midnight.checked_add(hour.hours())?.timestamp();
        let message = message(patient, day, index);
        let about = vec![About {
            id: medication.to_owned(),
            due: Millis(due),
        }];
        let at = Millis(due + SignedDuration::from_millis(300));
        rows.push(row(due, vec![Entry::Accepted { message, at, about }]));
        // One in eleven is missed, by each patient on other days.
        let missed = (patient + day * 3 + index).is_multiple_of(11);
        let answered = due + SignedDuration::from_mins((patient as i64 * 7 + day as i64) % 40);
        let closed = if missed {
            due + SignedDuration::from_hours(6)
        } else {
            answered
        };
        rows.push(row(
            closed,
            vec![Entry::DoseClosed(ClosedDose {
                medication: medication.to_owned(),
                amount: amount.to_owned(),
                due: Millis(due),
                on_time_until: Millis(due + SignedDuration::from_hours(1)),
                state: if missed {
                    DoseState::Missed
                } else {
                    DoseState::Taken
                },
                reason: None,
                reminded: Some(Millis(due)),
                in_doubt: false,
                messages: vec![message],
                answer: (!missed).then_some(GivenAnswer {
                    said_at: Millis(answered),
                    taken_at: None,
                    by: Teller::Patient,
                    reason: None,
                    late: false,
                }),
                corrects: false,
            })],
        ));
    }
    let asked = midnight.checked_add(9.hours())?.timestamp();
    let wave = (day * 5 + patient) % 50;
    let upper = 118 + wave as u32;
    let entry = if (patient + day).is_multiple_of(13) {
        Entry::CheckInClosed {
            check_in: QUESTION.to_owned(),
            due: Millis(asked),
            asked: Some(Millis(asked)),
            reason: None,
            cancelled: false,
        }
    } else {
        Entry::CheckInAnswered {
            check_in: QUESTION.to_owned(),
            due: Millis(asked),
            value: Value::BloodPressure {
                upper,
                lower: 70 + wave as u32 / 2,
            },
            late: false,
            alert: upper > 160,
            by: Teller::Patient,
        }
    };
    rows.push(row(asked + SignedDuration::from_mins(20), vec![entry]));
    // Each month somebody writes something, and now and then somebody has to be rung.
    if (patient + day).is_multiple_of(30) {
        let red_flag = patient.is_multiple_of(7);
        let wrote = Entry::Wrote {
            text: if red_flag {
                "今天有点胸痛"
            } else {
                "药快吃完了，什么时候来拿？"
            }
            .to_owned(),
            red_flag,
            by: Teller::Patient,
        };
        let wanted = CallReason::ALL[patient % CallReason::ALL.len()];
        let wanted = Entry::CallWanted { reason: wanted };
        let entries = [Some(wrote), (day < 60).then_some(wanted)];
        rows.push(row(asked, entries.into_iter().flatten().collect()));
    }
    Ok(rows)
}

fn row(at: Timestamp, entries: Vec<Entry>) -> JournalRow {
    JournalRow {
        at: at.as_millisecond(),
        entries,
    }
}

fn message(patient: usize, day: usize, index: usize) -> MessageId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(patient as u64).to_le_bytes());
    id[8..].copy_from_slice(&((day * 8 + index) as u64).to_le_bytes());
    MessageId(id)
}
