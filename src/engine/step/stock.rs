//! What is left of a medicine: doses that are said to be taken lower it, and when it lasts for no
//! more days than the plan says, the patient, caregivers and the call list have it, once.

use super::{Turn, after, news::label, repeat::Issue};
use crate::engine::{
    Body, CallReason, Class, Entry, MessageId, News, OpenDose, OutboxRef, Recipient, RefillLine,
    StockState,
};
use crate::plan::{AsNeeded, Medication, ResolvedPlan, Stock, Tell, quantity, same_unit};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

/// A notice that could not be delivered for this long is not delivered any more: the call list has
/// it.
const NOTICE_LASTS: SignedDuration = SignedDuration::from_hours(24);

/// So many days are told apart, for a stock that is stated anew as of a day that is past.
const DAYS_MAX: usize = 62;

/// So many doses are looked at, at most, where a stock was counted before the plan came into force.
const BEFORE_MAX: usize = 5_000;

/// A stock that lasts for so many days more than the plan's limit has been filled up: the next time
/// is told of again.
const FILLED_UP: u32 = 2;

/// Nobody is told of a refill before this hour of the day, nor from the other one on.
const HOURS: std::ops::Range<i8> = 8..20;

const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Turn<'_> {
    /// A dose is taken (`sign` 1), or was not taken after all (-1).
    pub(super) fn lower_stock(&mut self, dose: &OpenDose, sign: i64) {
        let Some((thousandths, unit)) = quantity(&dose.amount) else {
            return;
        };
        self.lower(&dose.medication, dose.due, thousandths * sign, &unit);
    }

    /// A medicine was taken as needed.
    pub(super) fn lower_stock_as_needed(&mut self, medication: &Medication, at: Timestamp) {
        let amount = medication.amounts.first().map_or("", String::as_str);
        if let Some((thousandths, unit)) = quantity(amount) {
            self.lower(&medication.id, at, thousandths, &unit);
        }
    }

    fn lower(&mut self, medication: &str, at: Timestamp, thousandths: i64, unit: &str) {
        let day = self.zone.local(at).date();
        let stocks = &mut self.state.stocks;
        let Some(stock) = stocks.iter_mut().find(|it| it.medication == medication) else {
            return;
        };
        if same_unit(&stock.stock.unit, unit) {
            stock.take(day, thousandths);
        }
    }

    /// The plan that has come into force says what there was: what it says anew is counted down
    /// from its day on, and what it does not speak of any more is forgotten.
    pub(super) fn count_stocks(&mut self, plan: &ResolvedPlan) {
        let mut before = std::mem::take(&mut self.state.stocks);
        let had_told = before.iter().any(|it| it.told);
        let mut waiting: Vec<MessageId> = Vec::new();
        for medication in &plan.medications {
            let Some(stock) = &medication.stock else {
                continue;
            };
            let known = before.iter().position(|it| it.medication == medication.id);
            let known = known.map(|index| before.swap_remove(index));
            if let Some(known) = known.as_ref().filter(|it| it.stock == *stock) {
                self.state.stocks.push(known.clone());
                continue;
            }
            let counted = match known {
                Some(known) => {
                    waiting.extend(known.notice);
                    known.restated(stock)
                }
                None => self.first_counted(plan, medication, stock),
            };
            self.journal.push(Entry::StockCounted {
                medication: medication.id.clone(),
                stock: stock.clone(),
                taken: counted.lowered_by(),
            });
            self.state.stocks.push(counted);
        }
        waiting.extend(before.iter().filter_map(|it| it.notice));
        self.withdraw_messages(&waiting);
        if had_told && !self.state.stocks.iter().any(|it| it.told) {
            self.call_over(CallReason::Refill);
        }
    }

    /// A stock of which nothing was known. What was to be taken since it was counted, and of which
    /// nobody can say that it was not, counts as taken: better told too early than too late.
    fn first_counted(
        &self,
        plan: &ResolvedPlan,
        medication: &Medication,
        stock: &Stock,
    ) -> StockState {
        let mut counted = StockState::new(&medication.id, stock);
        let from = plan.zone.instant(stock.on.at(0, 0, 0, 0));
        let is_open = |due: Timestamp| {
            let mut doses = self.state.doses.iter();
            doses.any(|dose| dose.medication == medication.id && dose.due == due)
        };
        let not_taken = |due: Timestamp| {
            let mut recent = self.state.recent.iter();
            recent.any(|it| {
                it.dose.medication == medication.id
                    && it.dose.due == due
                    && it.state != crate::engine::DoseState::Taken
            })
        };
        let doses = plan.doses_from(medication, from);
        let past = doses.take_while(|dose| dose.due <= self.state.cursor.min(self.now));
        for dose in past.take(BEFORE_MAX) {
            if is_open(dose.due) || not_taken(dose.due) {
                continue;
            }
            if let Some((thousandths, unit)) = quantity(&dose.amount)
                && same_unit(&stock.unit, &unit)
            {
                counted.take(plan.zone.local(dose.due).date(), thousandths);
            }
        }
        let takings = self.state.as_needed.iter();
        for taking in takings.filter(|it| it.medication == medication.id && it.at.0 >= from) {
            let amount = medication.amounts.first().map_or("", String::as_str);
            if let Some((thousandths, unit)) = quantity(amount)
                && same_unit(&stock.unit, &unit)
            {
                counted.take(plan.zone.local(taking.at.0).date(), thousandths);
            }
        }
        counted
    }

    /// Tells of what runs out soon.
    pub(super) fn look_at_stocks(&mut self, plan: &ResolvedPlan) {
        for index in 0..self.state.stocks.len() {
            let stock = &self.state.stocks[index];
            let medication = plan.medications.iter().find(|it| it.id == stock.medication);
            let Some(medication) = medication else {
                continue;
            };
            let Some(limit) = medication.refill_when.map(|it| it.days_left) else {
                continue;
            };
            let left = stock.left();
            let days = self.lasts(plan, medication, stock, limit.saturating_add(FILLED_UP + 1));
            match days {
                Some(days) if days <= limit => {
                    if !stock.told {
                        self.tell_refill(plan, medication, (index, left, days));
                    }
                }
                Some(days) if days <= limit + FILLED_UP => {}
                _ => self.state.stocks[index].told = false,
            }
        }
    }

    /// For how many whole days the stock lasts; `None` for more than `most`, or where nothing more
    /// is taken.
    fn lasts(
        &self,
        plan: &ResolvedPlan,
        medication: &Medication,
        stock: &StockState,
        most: u32,
    ) -> Option<u32> {
        let mut left = stock.left();
        if let Some(guard) = &medication.as_needed {
            let amount = medication.amounts.first()?;
            let (thousandths, unit) = quantity(amount)?;
            if !same_unit(&stock.stock.unit, &unit) {
                return None;
            }
            let daily = thousandths.saturating_mul(most_a_day(guard));
            let days = left.max(0).checked_div(daily)?;
            return u32::try_from(days).ok().filter(|days| *days <= most);
        }
        let needs = |amount: &str| {
            let (thousandths, unit) = quantity(amount)?;
            same_unit(&stock.stock.unit, &unit).then_some(thousandths)
        };
        let open = self.state.doses.iter();
        for dose in open.filter(|it| it.medication == medication.id) {
            left -= needs(&dose.amount)?;
        }
        if left < 0 {
            return Some(0);
        }
        let now = plan.zone.local(self.now);
        for dose in plan.doses_from(medication, after(self.state.cursor)) {
            // A dose that comes a minute short of a whole day later comes that day later.
            let ahead = plan.zone.local(dose.due).duration_since(now);
            let ahead = ahead.saturating_sub(SignedDuration::from_mins(1));
            let days = u32::try_from(ahead.as_secs().max(0) / DAY.as_secs()).unwrap_or(u32::MAX);
            if days > most {
                return None;
            }
            left -= needs(&dose.amount)?;
            if left < 0 {
                return Some(days);
            }
        }
        None
    }

    fn tell_refill(
        &mut self,
        plan: &ResolvedPlan,
        medication: &Medication,
        (index, left, days): (usize, i64, u32),
    ) {
        let stock = &self.state.stocks[index].stock;
        let line = RefillLine {
            label: label(plan, &medication.id).to_owned(),
            left: left.max(0),
            unit: stock.unit.clone(),
            days,
            at: self.now,
        };
        let message = self.context.barred.is_none().then(|| {
            let about = [(medication.id.as_str(), self.now)].into_iter();
            self.message_id(b"refill", 0, about)
        });
        self.journal.push(Entry::RefillDue {
            medication: medication.id.clone(),
            left: left.max(0),
            days,
            message,
        });
        self.state.stocks[index].told = true;
        self.state.stocks[index].notice = message;
        self.call(CallReason::Refill);
        if let Some(id) = message {
            self.issue_refill(plan, id, line.clone());
        }
        let news = News::Refill(line);
        for caregiver in &plan.caregivers {
            let told = match caregiver.tell {
                Tell::Never => false,
                Tell::Critical => medication.critical,
                Tell::Missed | Tell::EveryDose => true,
            };
            if told {
                self.tell_caregiver_of(plan, &caregiver.id, news.clone());
            }
        }
        self.tell_staff(plan, &news, &[]);
    }

    /// The notice to the patient: by day, outside of quiet hours.
    fn issue_refill(&mut self, plan: &ResolvedPlan, id: MessageId, line: RefillLine) {
        let mut not_before = self.now;
        if self.hour_is_full(not_before) {
            not_before = self.hour_ends();
            self.too_many(plan);
        }
        let not_before = by_day(plan, not_before);
        let quiet = plan.quiet_hours;
        let not_before = quiet
            .and_then(|it| it.end_after(not_before, &plan.zone))
            .unwrap_or(not_before);
        let deadline = not_before.saturating_add(NOTICE_LASTS);
        self.issue(
            plan,
            Issue {
                key: OutboxRef {
                    class: Class::Notice,
                    deadline: deadline.unwrap_or(Timestamp::MAX),
                    id,
                },
                not_before,
                due: not_before,
                to: Recipient::Patient,
                language: plan.language,
                body: Body::Refill(line),
            },
        );
    }

    /// It is known what became of a message, or it was taken back.
    pub(super) fn end_notice(&mut self, message: MessageId) {
        for stock in &mut self.state.stocks {
            if stock.notice == Some(message) {
                stock.notice = None;
            }
        }
    }

    /// Notices that wait are taken back: nothing can go to the patient any more.
    pub(super) fn withdraw_notices(&mut self) {
        let stocks = self.state.stocks.iter();
        let waiting: Vec<MessageId> = stocks.filter_map(|it| it.notice).collect();
        self.withdraw_messages(&waiting);
    }

    /// The plan ends.
    pub(super) fn forget_stocks(&mut self) {
        self.withdraw_notices();
        let had_told = self.state.stocks.iter().any(|it| it.told);
        self.state.stocks.clear();
        if had_told {
            self.call_over(CallReason::Refill);
        }
    }
}

impl StockState {
    fn new(medication: &str, stock: &Stock) -> Self {
        Self {
            medication: medication.to_owned(),
            stock: stock.clone(),
            taken: Vec::new(),
            before: 0,
            told: false,
            notice: None,
        }
    }

    /// The same medicine, counted again.
    fn restated(self, stock: &Stock) -> Self {
        // A later count knows of all that was taken before its day.
        let before = if stock.on <= self.stock.on {
            self.before
        } else {
            0
        };
        Self {
            stock: stock.clone(),
            taken: self.taken,
            before,
            told: false,
            notice: None,
            medication: self.medication,
        }
    }

    /// Notes what was taken on a day; less than nothing where it was not taken after all.
    fn take(&mut self, day: Date, thousandths: i64) {
        match self.taken.binary_search_by_key(&day, |(day, _)| *day) {
            Ok(index) => self.taken[index].1 += thousandths,
            Err(index) => self.taken.insert(index, (day, thousandths)),
        }
        let excess = self.taken.len().saturating_sub(DAYS_MAX);
        for (day, thousandths) in self.taken.drain(..excess) {
            if day >= self.stock.on {
                self.before += thousandths;
            }
        }
    }

    /// What was taken since it was counted.
    fn lowered_by(&self) -> i64 {
        let since = self.taken.iter().filter(|(day, _)| *day >= self.stock.on);
        self.before + since.map(|(_, thousandths)| thousandths).sum::<i64>()
    }

    /// What is left; below nothing where more was taken than was there.
    pub(super) fn left(&self) -> i64 {
        self.stock.thousandths.saturating_sub(self.lowered_by())
    }
}

/// How many may be taken on one day at most.
fn most_a_day(guard: &AsNeeded) -> i64 {
    let by_number = guard.at_most.map(|most| {
        let days = most.within.map_or(1, |within| {
            (within.as_secs().max(1) + DAY.as_secs() - 1) / DAY.as_secs()
        });
        let spans = most.within.map_or(1, |within| {
            DAY.as_secs() / within.as_secs().clamp(1, DAY.as_secs())
        });
        (i64::from(most.doses) * spans + days - 1) / days
    });
    let by_distance = guard
        .apart
        .map(|apart| DAY.as_secs() / apart.as_secs().max(1));
    let most = by_number.into_iter().chain(by_distance).min();
    most.unwrap_or(1).max(1)
}

/// The instant, or the next morning.
pub(super) fn by_day(plan: &ResolvedPlan, at: Timestamp) -> Timestamp {
    let local = plan.zone.local(at);
    let morning = |date: Date| plan.zone.instant(date.at(HOURS.start, 0, 0, 0));
    if local.hour() < HOURS.start {
        morning(local.date())
    } else if local.hour() >= HOURS.end {
        local.date().tomorrow().map_or(at, morning)
    } else {
        at
    }
}
