//! The figures as a table, and against a slow oracle over random histories.

use super::*;
use crate::engine::{About, CallReason, DoseCalendar, Teller};
use jiff::SignedDuration;
use proptest::prelude::*;

const SHANGHAI: &str = "Asia/Shanghai";

fn zone(name: &str) -> Zone {
    Zone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    zone(SHANGHAI).instant(text.parse().unwrap())
}

fn closed(medication: &str, due: Timestamp, state: DoseState) -> ClosedDose {
    ClosedDose {
        medication: medication.to_owned(),
        amount: "1".to_owned(),
        due: Millis(due),
        on_time_until: Millis(due + SignedDuration::from_hours(1)),
        state,
        reason: (state == DoseState::Expired).then_some(ExpiredReason::ApiDown),
        reminded: None,
        in_doubt: false,
        messages: Vec::new(),
        answer: None,
        corrects: false,
    }
}

fn said(said_at: Timestamp, taken_at: Option<Timestamp>) -> GivenAnswer {
    GivenAnswer {
        said_at: Millis(said_at),
        taken_at: taken_at.map(Millis),
        by: Teller::Patient,
        reason: None,
        late: false,
    }
}

fn taken(medication: &str, due: Timestamp, answer: GivenAnswer) -> Entry {
    Entry::DoseClosed(ClosedDose {
        answer: Some(answer),
        ..closed(medication, due, DoseState::Taken)
    })
}

fn figures(entries: &[Entry]) -> Adherence {
    let mut history = DoseHistory::new(at("2026-03-01T00:00"), at("2026-04-01T00:00"));
    for entry in entries {
        history.note(entry);
    }
    history.adherence(&zone(SHANGHAI))
}

#[test]
fn on_time_is_as_far_before_the_instant_as_behind_it() {
    let due = at("2026-03-02T08:00");
    let minutes = |minutes| due + SignedDuration::from_mins(minutes);
    for (answer, expected, why) in [
        (said(minutes(0), None), 1, "at once"),
        (said(minutes(60), None), 1, "at the edge"),
        (said(minutes(61), None), 0, "a minute late"),
        (
            said(minutes(500), Some(minutes(5))),
            1,
            "said late, taken early",
        ),
        (
            said(minutes(500), None),
            0,
            "said late, and not when it was taken",
        ),
        (said(minutes(10), Some(minutes(-60))), 1, "an hour before"),
        (said(minutes(10), Some(minutes(-61))), 0, "too long before"),
        (said(minutes(10), Some(minutes(61))), 0, "taken late"),
    ] {
        let all = figures(&[taken("A", due, answer)]).all;
        assert_eq!((all.taken, all.on_time), (1, expected), "{why}");
    }
}

#[test]
fn what_is_ours_never_counts_against_the_patient() {
    let mut entries = vec![
        taken(
            "A",
            at("2026-03-02T08:00"),
            said(at("2026-03-02T08:05"), None),
        ),
        Entry::DosesExpired {
            medication: "A".to_owned(),
            amount: "1".to_owned(),
            due: vec![
                Millis(at("2026-03-02T20:00")),
                Millis(at("2026-03-03T08:00")),
            ],
            reason: ExpiredReason::DaemonDown,
        },
        Entry::DoseClosed(closed("A", at("2026-03-03T20:00"), DoseState::Missed)),
        Entry::DoseClosed(closed("A", at("2026-03-04T08:00"), DoseState::Cancelled)),
        Entry::DoseClosed(closed("A", at("2026-03-05T08:00"), DoseState::Missed)),
    ];
    let all = figures(&entries).all;
    assert_eq!(
        all.doses_taken(),
        Share {
            numerator: 1,
            denominator: 3
        }
    );
    assert_eq!(all.not_sent[ExpiredReason::DaemonDown as usize], 2);
    assert_eq!((all.no_answer, all.cancelled), (2, 1));
    // The 2nd and the 3rd had a dose that was not sent; on the 4th nothing was due in the end.
    assert_eq!(
        all.correct_days(),
        Share {
            numerator: 0,
            denominator: 1
        }
    );
    assert_eq!(all.days_not_judged, 2);
    // What the patient says later corrects it.
    let late = said(at("2026-03-06T08:00"), Some(at("2026-03-05T08:10")));
    entries.push(taken("A", at("2026-03-05T08:00"), late));
    let all = figures(&entries).all;
    assert_eq!(
        all.doses_taken(),
        Share {
            numerator: 2,
            denominator: 3
        }
    );
    assert_eq!(
        all.correct_days(),
        Share {
            numerator: 1,
            denominator: 1
        }
    );
}

#[test]
fn no_answer_and_no_are_apart() {
    let due = |hour: i8| at("2026-03-02T00:00") + SignedDuration::from_hours(hour.into());
    let not_taken = |hour| Entry::SaidNotTaken {
        about: vec![About {
            id: "A".to_owned(),
            due: Millis(due(hour)),
        }],
        by: Teller::Patient,
    };
    let missed = |hour| Entry::DoseClosed(closed("A", due(hour), DoseState::Missed));
    let said_so = |hour| {
        Entry::DoseClosed(ClosedDose {
            answer: Some(said(due(hour + 9), None)),
            ..closed("A", due(hour), DoseState::Missed)
        })
    };
    let entries = [
        missed(1),
        not_taken(2),
        missed(2),
        missed(3),
        said_so(3),
        not_taken(4),
    ];
    let all = figures(&entries).all;
    assert_eq!((all.no_answer, all.said_not_taken, all.open), (1, 2, 1));
}

#[test]
fn a_patients_day_is_correct_only_if_each_medication_was_taken() {
    let (morning, evening) = (at("2026-03-02T08:00"), at("2026-03-02T20:00"));
    let entries = [
        taken("A", morning, said(morning, None)),
        Entry::DoseClosed(closed("B", evening, DoseState::Skipped)),
    ];
    let adherence = figures(&entries);
    let correct = |figures: &Figures| (figures.days_correct, figures.days_judged);
    assert_eq!(correct(&adherence.medications["A"]), (1, 1));
    assert_eq!(correct(&adherence.medications["B"]), (0, 1));
    assert_eq!(correct(&adherence.all), (0, 1));
}

#[test]
fn shares_are_rounded_half_up_and_none_of_nothing() {
    let share = |numerator, denominator| {
        Share {
            numerator,
            denominator,
        }
        .per_mille()
    };
    assert_eq!(share(0, 0), None);
    assert_eq!(share(0, 7), Some(0));
    assert_eq!(share(7, 7), Some(1000));
    assert_eq!(share(2, 3), Some(667));
    assert_eq!(share(1, 2_000), Some(1));
    assert_eq!(share(1, 2_001), Some(0));
}

// --- The oracle: it asks of each dose what was written last, and of each day which doses it had.

const MEDICATIONS: [&str; 3] = ["A", "B", "C"];

/// One entry of a random history about the dose `slot` of a medication.
#[derive(Clone, Debug)]
struct Written {
    medication: usize,
    slot: i64,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Taken {
        said: i64,
        taken: Option<i64>,
    },
    Skipped,
    Missed {
        answered: bool,
    },
    Expired(usize),
    /// A run of that many doses, each the slot after the other.
    Run(i64, usize),
    Cancelled,
    Reopened,
    SaidNot,
    Other,
}

fn due(slot: i64) -> Timestamp {
    // Every five hours from some days before the end of March: local days begin in between, and
    // clocks change.
    Timestamp::from_second(1_774_310_400 + slot * 5 * 3600).unwrap()
}

fn written() -> impl Strategy<Value = Written> {
    let minutes = || -200_i64..600;
    let what = prop_oneof![
        4 => (minutes(), prop::option::of(minutes()))
            .prop_map(|(said, taken)| What::Taken { said, taken }),
        1 => Just(What::Skipped),
        2 => any::<bool>().prop_map(|answered| What::Missed { answered }),
        1 => (0..9_usize).prop_map(What::Expired),
        1 => (1..6_i64, 0..9_usize).prop_map(|(count, reason)| What::Run(count, reason)),
        1 => Just(What::Cancelled),
        1 => Just(What::Reopened),
        1 => Just(What::SaidNot),
        1 => Just(What::Other),
    ];
    (0..MEDICATIONS.len(), 0..40_i64, what).prop_map(|(medication, slot, what)| Written {
        medication,
        slot,
        what,
    })
}

impl Written {
    fn entry(&self) -> Entry {
        let id = MEDICATIONS[self.medication];
        let due = due(self.slot);
        let about = || About {
            id: id.to_owned(),
            due: Millis(due),
        };
        let minutes = |minutes: i64| due + SignedDuration::from_mins(minutes);
        let by = Teller::Patient;
        match self.what {
            What::Taken {
                said: at,
                taken: when,
            } => taken(id, due, said(minutes(at), when.map(minutes))),
            What::Skipped => Entry::DoseClosed(closed(id, due, DoseState::Skipped)),
            What::Missed { answered } => Entry::DoseClosed(ClosedDose {
                answer: answered.then(|| said(minutes(999), None)),
                ..closed(id, due, DoseState::Missed)
            }),
            What::Expired(reason) => Entry::DoseClosed(ClosedDose {
                reason: Some(ExpiredReason::ALL[reason]),
                ..closed(id, due, DoseState::Expired)
            }),
            What::Run(count, reason) => Entry::DosesExpired {
                medication: id.to_owned(),
                amount: "1".to_owned(),
                due: (self.slot..self.slot + count)
                    .map(|it| Millis(self::due(it)))
                    .collect(),
                reason: ExpiredReason::ALL[reason],
            },
            What::Cancelled => Entry::DoseClosed(closed(id, due, DoseState::Cancelled)),
            What::Reopened => Entry::DoseReopened { about: about(), by },
            What::SaidNot => Entry::SaidNotTaken {
                about: vec![about()],
                by,
            },
            What::Other => Entry::CallWanted {
                reason: CallReason::InDoubt,
            },
        }
    }

    /// Whether the entry names the dose.
    fn names(&self, medication: usize, slot: i64) -> bool {
        let slots = match self.what {
            What::Run(count, _) => self.slot..self.slot + count,
            What::Other => 0..0,
            _ => self.slot..self.slot + 1,
        };
        self.medication == medication && slots.contains(&slot)
    }
}

/// What became of a dose in the words of the documentation; `None` when nothing is written of it.
fn became(history: &[Written], medication: usize, slot: i64) -> Option<String> {
    let about: Vec<&Written> = history
        .iter()
        .filter(|it| it.names(medication, slot))
        .collect();
    if about.is_empty() {
        return None;
    }
    let last = about
        .iter()
        .rev()
        .find(|it| !matches!(it.what, What::SaidNot));
    let said_not = about.iter().any(|it| matches!(it.what, What::SaidNot));
    Some(match last.map(|it| &it.what) {
        None | Some(What::Reopened) => "open".to_owned(),
        Some(What::Taken { said, taken }) => {
            let minutes = match taken {
                Some(taken) => *taken,
                None => *said,
            };
            if (-60..=60).contains(&minutes) {
                "taken on time".to_owned()
            } else {
                "taken".to_owned()
            }
        }
        Some(What::Skipped) => "skipped".to_owned(),
        Some(What::Missed { answered }) if *answered || said_not => "no".to_owned(),
        Some(What::Missed { .. }) => "silence".to_owned(),
        Some(What::Expired(reason) | What::Run(_, reason)) => {
            format!("not sent: {}", ExpiredReason::ALL[*reason].name())
        }
        Some(What::Cancelled) => "cancelled".to_owned(),
        Some(What::SaidNot | What::Other) => unreachable!("left out above"),
    })
}

fn oracle(
    history: &[Written],
    medications: &[usize],
    range: (Timestamp, Timestamp),
    zone: &Zone,
) -> Figures {
    let mut fates = Vec::new();
    for medication in medications {
        for slot in 0..50 {
            let within = range.0 <= due(slot) && due(slot) < range.1;
            if let Some(fate) = became(history, *medication, slot).filter(|_| within) {
                let local = due(slot).to_zoned(zone.time_zone().clone());
                fates.push((local.strftime("%Y-%m-%d").to_string(), fate));
            }
        }
    }
    let count = |word: &str| fates.iter().filter(|(_, fate)| fate == word).count() as u64;
    let mut figures = Figures {
        taken: count("taken") + count("taken on time"),
        on_time: count("taken on time"),
        skipped: count("skipped"),
        said_not_taken: count("no"),
        no_answer: count("silence"),
        cancelled: count("cancelled"),
        open: count("open"),
        ..Figures::default()
    };
    for (sum, reason) in figures.not_sent.iter_mut().zip(ExpiredReason::ALL) {
        *sum = count(&format!("not sent: {}", reason.name()));
    }
    let mut days: Vec<&String> = fates.iter().map(|(day, _)| day).collect();
    days.sort();
    days.dedup();
    for day in days {
        let of_day = || {
            fates
                .iter()
                .filter(|(it, fate)| it == day && fate != "cancelled")
                .map(|(_, fate)| fate.as_str())
        };
        if of_day().count() == 0 {
            continue;
        }
        if of_day().any(|fate| fate == "open" || fate.starts_with("not sent")) {
            figures.days_not_judged += 1;
        } else {
            figures.days_judged += 1;
            figures.days_correct += u64::from(of_day().all(|fate| fate.starts_with("taken")));
        }
    }
    figures
}

proptest! {
    #[test]
    fn figures_are_those_of_a_slow_oracle(
        history in prop::collection::vec(written(), 0..120),
        range in (0..30_i64, 0..250_i64),
        zone_name in prop::sample::select(vec![
            SHANGHAI, "Europe/Berlin", "America/New_York", "Pacific/Apia",
        ]),
    ) {
        let zone = zone(zone_name);
        let from = due(0) + SignedDuration::from_hours(range.0 * 7 - 24);
        let until = from + SignedDuration::from_hours(range.1);
        let mut doses = DoseHistory::new(from, until);
        for it in &history {
            doses.note(&it.entry());
        }
        let adherence = doses.adherence(&zone);
        let whole = oracle(&history, &[0, 1, 2], (from, until), &zone);
        prop_assert_eq!(adherence.all, whole);
        for (index, id) in MEDICATIONS.iter().enumerate() {
            let of_one = oracle(&history, &[index], (from, until), &zone);
            let figures = adherence.medications.get(*id).copied().unwrap_or_default();
            prop_assert_eq!(figures, of_one, "{}", id);
        }
    }

    #[test]
    fn two_halves_hold_what_the_whole_holds(
        history in prop::collection::vec(written(), 0..120),
        cut in 0..45_i64,
    ) {
        let zone = zone(SHANGHAI);
        let figures = |from, until| {
            let mut doses = DoseHistory::new(from, until);
            for it in &history {
                doses.note(&it.entry());
            }
            doses.adherence(&zone).all
        };
        let (begin, end) = (due(-1), due(60));
        let mut sum = figures(begin, due(cut));
        sum.add(&figures(due(cut), end));
        let whole = figures(begin, end);
        prop_assert_eq!(
            (sum.known(), sum.on_time, sum.not_sent, sum.cancelled, sum.open),
            (whole.known(), whole.on_time, whole.not_sent, whole.cancelled, whole.open)
        );
    }

    #[test]
    fn the_calendar_shows_dose_by_dose_what_the_figures_count(
        history in prop::collection::vec(written(), 0..120),
        range in (0..30_i64, 0..250_i64),
    ) {
        let from = due(0) + SignedDuration::from_hours(range.0 * 7 - 24);
        let until = from + SignedDuration::from_hours(range.1);
        let mut doses = DoseHistory::new(from, until);
        let mut calendar = DoseCalendar::new(from, until);
        for it in &history {
            doses.note(&it.entry());
            calendar.note(&it.entry());
        }
        let mut counted: BTreeMap<String, Figures> = BTreeMap::new();
        for (medication, _, mark) in calendar.doses() {
            let figures = counted.entry(medication.to_owned()).or_default();
            let said = mark.answer.is_some() || mark.said_not_taken;
            match mark.state {
                Some(DoseState::Open) => figures.open += 1,
                Some(DoseState::Taken) => figures.taken += 1,
                Some(DoseState::Skipped) => figures.skipped += 1,
                Some(DoseState::Missed) if said => figures.said_not_taken += 1,
                Some(DoseState::Missed) => figures.no_answer += 1,
                Some(DoseState::Expired) => {
                    let reason = mark.reason.unwrap_or(ExpiredReason::DaemonDown);
                    figures.not_sent[reason as usize] += 1;
                }
                Some(DoseState::Cancelled) => figures.cancelled += 1,
                None => prop_assert!(false, "nothing was planned"),
            }
            figures.on_time += u64::from(mark.on_time);
        }
        let zone = zone(SHANGHAI);
        for (medication, figures) in doses.adherence(&zone).medications {
            let of_doses = Figures {
                days_correct: 0,
                days_judged: 0,
                days_not_judged: 0,
                ..figures
            };
            prop_assert_eq!(counted.remove(&medication), Some(of_doses), "{}", medication);
        }
        prop_assert!(counted.is_empty());
    }
}
