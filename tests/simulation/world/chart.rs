//! Plans of the shapes that the simulation prescribes: made by chance, edited by chance, written
//! as the text that a doctor would write.

use super::dice::Dice;
use jiff::civil::{Date, DateTime};
use std::fmt::Write as _;

/// One patient's plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    pub name: String,
    pub zone: &'static str,
    pub openid: Option<String>,
    pub medications: Vec<Medication>,
    pub check_ins: Vec<CheckIn>,
    /// What the text begins with, as a comment: names the edit.
    pub edit: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Medication {
    pub id: String,
    pub name: String,
    pub amount: &'static str,
    pub schedule: Schedule,
    pub critical: bool,
}

/// A question on a schedule, always for a blood pressure: what answers it answers nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckIn {
    /// Never that of a medication.
    pub id: String,
    pub ask: String,
    pub schedule: Schedule,
}

/// All that decides when something falls, and until when it may be reminded of.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    pub when: When,
    pub start: Option<Date>,
    pub course: Course,
    pub window_minutes: Option<i64>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// Minutes of the local day, ascending.
    Times(Vec<i64>, Days),
    Every {
        hours: i64,
        first: DateTime,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Days {
    All,
    /// Monday first.
    Weekdays([bool; 7]),
    EveryN(i64),
    Cycle {
        on: i64,
        off: i64,
    },
    OfMonth(Vec<i8>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Course {
    Open,
    Days(i64),
    Doses(usize),
    Until(Date),
}

const ZONES: [&str; 8] = [
    "Asia/Shanghai",
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Pacific/Auckland",
];
const AMOUNTS: [&str; 5] = [
    "1 tablet",
    "2 tablets",
    "0.5 tablet",
    "10 units",
    "1-2 puffs",
];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Chart {
    /// A plan for a patient, written on `today`.
    pub fn new(dice: &mut Dice, patient: usize, today: Date, zones: bool) -> Self {
        let count = dice.range(1, 4);
        let medications = (0..count)
            .map(|number| Medication::new(dice, number as u64, today))
            .collect();
        Self {
            name: format!("Patient {patient}"),
            zone: if zones {
                *dice.pick(&ZONES)
            } else {
                "Asia/Shanghai"
            },
            openid: (!dice.chance(50)).then(|| openid(patient, 0)),
            medications,
            check_ins: Vec::new(),
            edit: format!("p{patient} 0"),
        }
    }

    /// The text a doctor would write.
    pub fn text(&self) -> String {
        let mut text = format!("# {}\nname = \"{}\"\n", self.edit, self.name);
        writeln!(text, "timezone = \"{}\"", self.zone).unwrap();
        if let Some(openid) = &self.openid {
            writeln!(text, "wechat = \"{openid}\"").unwrap();
        }
        for medication in &self.medications {
            medication.write(&mut text);
        }
        for check_in in &self.check_ins {
            check_in.write(&mut text);
        }
        text
    }

    /// Asks questions from now on.
    pub fn ask(&mut self, dice: &mut Dice, today: Date) {
        for number in 0..dice.range(0, 3) {
            self.check_ins
                .push(CheckIn::new(dice, number as u64, today));
        }
    }

    /// One edit of what is asked. Returns its name.
    pub fn edit_check_ins(&mut self, dice: &mut Dice, today: Date) -> &'static str {
        let count = self.check_ins.len();
        let chosen = dice.below(count.max(1) as u64) as usize;
        match dice.below(4) {
            0 if count > 0 => {
                self.check_ins.remove(chosen);
                "ask no more"
            }
            1 if count > 0 => {
                self.check_ins[chosen].ask = format!("Pressure {}?", dice.below(90) + 10);
                "ask in other words"
            }
            2 if count > 0 => {
                self.check_ins[chosen].schedule = CheckIn::schedule(dice, today);
                "ask at other times"
            }
            _ if count < 3 => {
                let number = dice.next();
                self.check_ins.push(CheckIn::new(dice, number, today));
                "ask more"
            }
            _ => "comment",
        }
    }

    /// One edit of the kind a doctor makes. Returns its name.
    pub fn edit(
        &mut self,
        dice: &mut Dice,
        patient: usize,
        today: Date,
        zones: bool,
    ) -> &'static str {
        let count = self.medications.len();
        let chosen = dice.below(count as u64) as usize;
        match dice.below(13) {
            0 => "comment",
            1 => {
                self.medications.rotate_left(1);
                "reorder"
            }
            2 => {
                self.medications[chosen].name = format!("Drug {}", dice.below(90) + 10);
                "rename"
            }
            3 if count < 4 => {
                let number = dice.next();
                self.medications.push(Medication::new(dice, number, today));
                "add"
            }
            4 | 5 if count > 1 => {
                self.medications.remove(chosen);
                "remove"
            }
            6 => {
                self.medications[chosen].amount = *dice.pick(&AMOUNTS);
                "amount"
            }
            7 => {
                self.medications[chosen].critical ^= true;
                "critical"
            }
            8 => {
                self.medications[chosen].schedule.window_minutes =
                    *dice.pick(&[None, Some(20), Some(90), Some(600)]);
                "window"
            }
            9 if zones && dice.chance(300) => {
                self.zone = *dice.pick(&ZONES);
                "zone"
            }
            10 => {
                self.openid = (!dice.chance(200)).then(|| openid(patient, dice.below(3)));
                "address"
            }
            _ => {
                let schedule = Schedule::new(dice, today);
                let old = &mut self.medications[chosen].schedule;
                if let (When::Times(times, _), true) = (&mut old.when, dice.chance(700)) {
                    // Moved by some minutes or hours.
                    let by = dice.range(-240, 240);
                    for time in times.iter_mut() {
                        *time = (*time + by).rem_euclid(1_440);
                    }
                    times.sort_unstable();
                } else {
                    *old = schedule;
                }
                "move"
            }
        }
    }

    /// A text with a fault in it.
    pub fn broken(&self, dice: &mut Dice) -> String {
        let text = format!("# broken\n{}", self.text());
        match dice.below(4) {
            0 => text[..text.len() / 2].to_owned() + "\n= ",
            1 => text.replace("take = ", "tkae = "),
            2 => text.replacen("timezone = \"", "timezone = \"Mars/", 1),
            _ => text + "[[medication]]\nname = \"x\"\ntake = \"1\"\nat = \"25:99\"\n",
        }
    }
}

/// The address of a patient; another number is another phone.
pub fn openid(patient: usize, number: u64) -> String {
    format!("o{number}patient{patient:019}")
}

impl CheckIn {
    fn new(dice: &mut Dice, number: u64, today: Date) -> Self {
        Self {
            id: format!("c{}", number % 10_000),
            ask: format!("Pressure {}?", dice.below(90) + 10),
            schedule: Self::schedule(dice, today),
        }
    }

    fn schedule(dice: &mut Dice, today: Date) -> Schedule {
        let mut times: Vec<i64> = (0..dice.range(1, 4))
            .map(|_| dice.range(0, 96) * 15)
            .collect();
        times.sort_unstable();
        times.dedup();
        let on = today.saturating_add(jiff::Span::new().days(dice.range(-3, 4)));
        let (days, start) = match dice.below(4) {
            0 => (Days::EveryN(dice.range(2, 4)), Some(on)),
            1 => (Days::All, Some(on)),
            _ => (Days::All, None),
        };
        let course = match start {
            Some(start) if dice.chance(300) => {
                Course::Until(start.saturating_add(jiff::Span::new().days(dice.range(0, 20))))
            }
            _ => Course::Open,
        };
        Schedule {
            when: When::Times(times, days),
            start,
            course,
            window_minutes: None,
        }
    }

    fn write(&self, text: &mut String) {
        writeln!(text, "[[check_in]]\nid = \"{}\"", self.id).unwrap();
        writeln!(text, "ask = \"{}\"\nanswer = \"blood pressure\"", self.ask).unwrap();
        self.schedule.write(text);
    }
}

impl Medication {
    fn new(dice: &mut Dice, number: u64, today: Date) -> Self {
        Self {
            id: format!("m{}", number % 10_000),
            name: format!("Drug {}", dice.below(90) + 10),
            amount: *dice.pick(&AMOUNTS),
            schedule: Schedule::new(dice, today),
            critical: dice.chance(200),
        }
    }

    fn write(&self, text: &mut String) {
        writeln!(text, "[[medication]]\nid = \"{}\"", self.id).unwrap();
        writeln!(text, "name = \"{}\"\ntake = \"{}\"", self.name, self.amount).unwrap();
        if self.critical {
            writeln!(text, "critical = true").unwrap();
        }
        self.schedule.write(text);
    }
}

fn ordinal(day: i8) -> &'static str {
    match day {
        1 | 21 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    }
}

impl Schedule {
    fn write(&self, text: &mut String) {
        match &self.when {
            When::Times(times, days) => {
                let times: Vec<String> = times
                    .iter()
                    .map(|it| format!("\"{:02}:{:02}\"", it / 60, it % 60))
                    .collect();
                writeln!(text, "at = [{}]", times.join(", ")).unwrap();
                match days {
                    Days::All => {}
                    Days::Weekdays(on) => {
                        let names: Vec<&str> =
                            (0..7).filter(|it| on[*it]).map(|it| WEEKDAYS[it]).collect();
                        writeln!(text, "days = \"{}\"", names.join(", ")).unwrap();
                    }
                    Days::EveryN(n) => writeln!(text, "days = \"every {n} days\"").unwrap(),
                    Days::Cycle { on, off } => {
                        writeln!(text, "days = \"{on} on, {off} off\"").unwrap()
                    }
                    Days::OfMonth(days) => {
                        let names: Vec<String> = days
                            .iter()
                            .map(|day| format!("{day}{}", ordinal(*day)))
                            .collect();
                        writeln!(text, "days = \"{} of the month\"", names.join(", ")).unwrap();
                    }
                }
            }
            When::Every { hours, first } => {
                writeln!(text, "every = \"{hours} hours\"\nfirst = {first}").unwrap();
            }
        }
        if let Some(start) = self.start {
            writeln!(text, "start = {start}").unwrap();
        }
        match self.course {
            Course::Open => {}
            Course::Days(days) => writeln!(text, "for = \"{days} days\"").unwrap(),
            Course::Doses(doses) => writeln!(text, "doses = {doses}").unwrap(),
            Course::Until(date) => writeln!(text, "end = {date}").unwrap(),
        }
        if let Some(minutes) = self.window_minutes {
            writeln!(text, "window = \"{minutes} min\"").unwrap();
        }
    }

    fn new(dice: &mut Dice, today: Date) -> Self {
        let window_minutes = *dice.pick(&[None, None, None, Some(30), Some(240)]);
        let on = today.saturating_add(jiff::Span::new().days(dice.range(-3, 4)));
        if dice.chance(200) {
            let hours = *dice.pick(&[4, 6, 8, 12, 36]);
            let first = on.at(dice.range(0, 24) as i8, 0, 0, 0);
            let course = if dice.chance(300) {
                Course::Doses(dice.range(1, 20) as usize)
            } else {
                Course::Open
            };
            return Self {
                when: When::Every { hours, first },
                start: None,
                course,
                window_minutes,
            };
        }
        let mut times: Vec<i64> = match dice.below(4) {
            // Those of a whole ward.
            0 | 1 => vec![480, 1_200],
            2 => vec![480, 840, 1_200],
            _ => (0..dice.range(1, 5))
                .map(|_| dice.range(0, 96) * 15)
                .collect(),
        };
        times.sort_unstable();
        times.dedup();
        let (days, start) = match dice.below(8) {
            0 => {
                let mut on = [false; 7];
                for _ in 0..3 {
                    on[dice.below(7) as usize] = true;
                }
                (Days::Weekdays(on), None)
            }
            1 => (Days::EveryN(dice.range(2, 5)), Some(on)),
            2 => (
                Days::Cycle {
                    on: dice.range(2, 22),
                    off: dice.range(1, 8),
                },
                Some(on),
            ),
            3 => {
                let mut days: Vec<i8> = (0..4).map(|_| dice.range(1, 29) as i8).collect();
                days.sort_unstable();
                days.dedup();
                (Days::OfMonth(days), None)
            }
            _ => (Days::All, dice.chance(300).then_some(on)),
        };
        let course = match (start, dice.below(4)) {
            (Some(_), 0) => Course::Days(dice.range(1, 15)),
            (Some(_), 1) => Course::Doses(dice.range(1, 20) as usize),
            (Some(start), 2) => {
                Course::Until(start.saturating_add(jiff::Span::new().days(dice.range(0, 20))))
            }
            _ => Course::Open,
        };
        Self {
            when: When::Times(times, days),
            start,
            course,
            window_minutes,
        }
    }
}
