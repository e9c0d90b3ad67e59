//! Which number of an answer crosses the bounds of the plan in force.

use super::view::Asking;
use crate::engine::Value;
use crate::plan::{AlertIf, Reading};

/// Which of the numbers of an answer are to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossed {
    /// None.
    None,
    /// The answer as a whole: it is no blood pressure, or the bounds of today say nothing of it
    /// any more.
    Whole,
    /// Of a blood pressure the upper number, the lower one, or both.
    Of {
        /// The upper one.
        upper: bool,
        /// The lower one.
        lower: bool,
    },
}

impl Crossed {
    /// Of the answer at `index` among all, in the order of time: was it raised when it came, and
    /// which numbers do these conditions speak of?
    #[must_use]
    pub fn of(conditions: &[AlertIf], askings: &[Asking], index: usize) -> Self {
        let Some(asking) = askings.get(index).filter(|it| it.alert) else {
            return Crossed::None;
        };
        if !matches!(asking.value, Some(Value::BloodPressure { .. })) {
            return Crossed::Whole;
        }
        let crosses = |reading: Reading| {
            let crossed = |it: &AlertIf| is_crossed(it, reading, &askings[..index], asking);
            conditions.iter().any(crossed)
        };
        match (crosses(Reading::Upper), crosses(Reading::Lower)) {
            (false, false) => Crossed::Whole,
            (upper, lower) => Crossed::Of { upper, lower },
        }
    }

    /// Whether the upper number, or the only one, is to be looked at.
    #[must_use]
    pub fn upper(self) -> bool {
        matches!(self, Crossed::Whole | Crossed::Of { upper: true, .. })
    }

    /// Whether the lower number is to be looked at.
    #[must_use]
    pub fn lower(self) -> bool {
        matches!(self, Crossed::Whole | Crossed::Of { lower: true, .. })
    }
}

/// Whether a condition speaks of this number, and holds of the answer.
fn is_crossed(condition: &AlertIf, wanted: Reading, before: &[Asking], asking: &Asking) -> bool {
    let Some(number) = number(asking, wanted) else {
        return false;
    };
    let changed = |within, differs: &dyn Fn(i64) -> bool| {
        let since = asking.due.saturating_sub(within);
        let since = since.unwrap_or(jiff::Timestamp::MIN);
        let past = before.iter().filter(|past| past.due >= since);
        past.filter_map(|past| self::number(past, wanted))
            .any(differs)
    };
    match condition {
        AlertIf::Over(reading, limit) => *reading == wanted && number > *limit,
        AlertIf::Under(reading, limit) => *reading == wanted && number < *limit,
        AlertIf::Outside(reading, low, high) => {
            *reading == wanted && (number < *low || number > *high)
        }
        AlertIf::Up(reading, by, within) => {
            *reading == wanted && changed(*within, &|past| number.saturating_sub(past) >= *by)
        }
        AlertIf::Down(reading, by, within) => {
            *reading == wanted && changed(*within, &|past| past.saturating_sub(number) >= *by)
        }
        AlertIf::Yes | AlertIf::No | AlertIf::Is(_) => false,
    }
}

/// One number of a blood pressure, in thousandths.
fn number(asking: &Asking, reading: Reading) -> Option<i64> {
    match (&asking.value, reading) {
        (Some(Value::BloodPressure { upper, .. }), Reading::Upper) => Some(upper),
        (Some(Value::BloodPressure { lower, .. }), Reading::Lower) => Some(lower),
        _ => None,
    }
    .map(|number| i64::from(*number) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{SignedDuration, Timestamp};

    fn asking(hour: i64, upper: u32, lower: u32, alert: bool) -> Asking {
        Asking {
            due: Timestamp::from_second(hour * 3600).unwrap(),
            value: Some(Value::BloodPressure { upper, lower }),
            alert,
            late: false,
        }
    }

    fn of(conditions: &[AlertIf], upper: u32, lower: u32, alert: bool) -> Crossed {
        Crossed::of(conditions, &[asking(9, upper, lower, alert)], 0)
    }

    #[test]
    fn only_the_number_that_is_out_of_bounds_is_to_be_looked_at() {
        let conditions = [
            AlertIf::Over(Reading::Upper, 160_000),
            AlertIf::Under(Reading::Upper, 90_000),
            AlertIf::Outside(Reading::Lower, 50_000, 100_000),
        ];
        for (upper, lower, expected) in [
            (170, 95, (true, false)),
            (85, 55, (true, false)),
            (150, 101, (false, true)),
            (150, 49, (false, true)),
            (161, 101, (true, true)),
        ] {
            let (upper_is, lower_is) = expected;
            let expected = Crossed::Of {
                upper: upper_is,
                lower: lower_is,
            };
            let found = of(&conditions, upper, lower, true);
            assert_eq!(found, expected, "{upper}/{lower}");
            assert_eq!((found.upper(), found.lower()), (upper_is, lower_is));
            // Nobody was told of it then: the bounds are newer than the answer.
            assert_eq!(of(&conditions, upper, lower, false), Crossed::None);
        }
        assert!(!Crossed::None.upper() && !Crossed::None.lower());
    }

    #[test]
    fn where_the_bounds_of_today_do_not_say_which_it_is_the_whole_answer() {
        let conditions = [AlertIf::Over(Reading::Upper, 180_000)];
        assert_eq!(of(&conditions, 170, 95, true), Crossed::Whole);
        assert_eq!(of(&[], 170, 95, true), Crossed::Whole);
        let number = Asking {
            value: Some(Value::Number(39_000)),
            ..asking(9, 0, 0, true)
        };
        let over = [AlertIf::Over(Reading::Value, 38_000)];
        let found = Crossed::of(&over, &[number], 0);
        assert_eq!(found, Crossed::Whole);
        assert!(found.upper() && found.lower());
        assert_eq!(Crossed::of(&over, &[], 0), Crossed::None);
    }

    #[test]
    fn a_change_is_told_of_the_number_that_changed_within_the_time() {
        let day = SignedDuration::from_hours(24);
        let up = [
            AlertIf::Up(Reading::Lower, 20_000, day),
            AlertIf::Down(Reading::Upper, 30_000, day),
        ];
        let found = |before: Asking, now: Asking| Crossed::of(&up, &[before, now], 1);
        let expected = |upper, lower| Crossed::Of { upper, lower };
        let before = || asking(0, 150, 70, false);
        for (upper, lower, crossed) in [
            (150, 90, expected(false, true)),
            (120, 70, expected(true, false)),
            (120, 90, expected(true, true)),
            (121, 89, Crossed::Whole),
        ] {
            let now = asking(24, upper, lower, true);
            assert_eq!(found(before(), now), crossed, "{upper}/{lower}");
        }
        let later = asking(25, 120, 90, true);
        assert_eq!(found(before(), later), Crossed::Whole, "longer ago");
    }
}
