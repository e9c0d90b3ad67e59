//! Whether the wall clock is to be believed (G8). A pure value: it is shown both clocks and says
//! what follows; the timekeeper holds it.

use super::clock::Moment;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A clock this far before the last one seen is not believed.
pub const BACKWARD_MAX: SignedDuration = SignedDuration::from_hours(24);

/// A step forward of more than this while running is not believed.
pub const FORWARD_RUNNING_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A start this far after the last clock seen is not believed.
pub const FORWARD_START_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Wall and steady clock may differ by this between two looks without it being called a step.
const STEP_MIN: SignedDuration = SignedDuration::from_millis(500);

/// What is set ahead by less makes nothing old before its time.
const AHEAD_MIN: SignedDuration = SignedDuration::from_hours(1);

/// What makes a clock implausible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoubtKind {
    /// It shows a time more than a day before one that was seen.
    Behind,
    /// It was stepped forward by more than seven days while the daemon ran.
    SteppedAhead,
    /// At the start it showed a time more than thirty days after the last one seen.
    AheadAtStart,
}

/// Why the clock is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockDoubt {
    /// What is wrong with it.
    pub kind: DoubtKind,
    /// The time that would have been right when the doubt arose, as far as is known.
    pub last_seen: Timestamp,
    /// When the doubt arose, by the steady clock.
    since: Duration,
    /// How far ahead of what is expected a clock may be that is plausible again.
    forward_max: SignedDuration,
}

impl ClockDoubt {
    /// What the wall clock should show now, as far as is known. After a start it is behind the
    /// truth by the time for which the daemon did not run.
    fn expected(&self, steady: Duration) -> Timestamp {
        add(self.last_seen, steady.saturating_sub(self.since))
    }

    /// For people: what is wrong.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.kind {
            DoubtKind::Behind => "the clock is more than a day before one that was seen",
            DoubtKind::SteppedAhead => "the clock was stepped forward by more than 7 days",
            DoubtKind::AheadAtStart => {
                "the clock is more than 30 days ahead of the last one seen before the start"
            }
        }
    }

    /// The same in Chinese.
    #[must_use]
    pub fn reason_in_chinese(&self) -> &'static str {
        match self.kind {
            DoubtKind::Behind => "系统时钟比曾经见过的时间早一天以上",
            DoubtKind::SteppedAhead => "系统时钟向前跳了七天以上",
            DoubtKind::AheadAtStart => "系统时钟比启动前最后一次见到的时间晚三十天以上",
        }
    }
}

/// One look at both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// What they showed.
    pub at: Moment,
    /// What may have passed between reading the one and the other.
    pub blur: SignedDuration,
}

/// What a look brought to light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The wall clock was stepped by this since the look before.
    pub step: Option<SignedDuration>,
    /// The wall clock was set back: up to here it has shown instants that it shows again.
    pub set_back_from: Option<Timestamp>,
    /// The wall clock, which is believed, was set ahead by so much that ages by it are not what
    /// they seem: what it would have shown.
    pub set_ahead_from: Option<Timestamp>,
    /// A doubt arose, or one has gone.
    pub turned: bool,
}

/// What was seen of the clocks so far.
#[derive(Clone, Debug, Default)]
pub struct Plausibility {
    /// The latest wall clock that was believed.
    seen: Option<Timestamp>,
    /// What both clocks showed an earlier process, where the steady one has run on since.
    marked: Option<Moment>,
    last: Option<Look>,
    doubt: Option<ClockDoubt>,
    /// What both clocks showed when the wall clock was believed last.
    believed: Option<Moment>,
}

impl Plausibility {
    /// Nothing was looked at yet; `seen` is the last clock that an earlier process believed, and
    /// `marked` what both clocks showed it, where the steady one has run on since.
    #[must_use]
    pub fn after(seen: Option<Timestamp>, marked: Option<Moment>) -> Self {
        Self {
            seen,
            marked,
            believed: marked,
            ..Self::default()
        }
    }

    /// Judges what both clocks show now.
    pub fn look(&mut self, look: Look) -> Findings {
        let Moment { wall, steady } = look.at;
        let mut findings = Findings::default();
        let before = self.doubt;
        match self.last.replace(look) {
            None => {
                let seen = self.seen.unwrap_or(wall);
                findings.set_back_from = (wall < seen).then_some(seen);
                // However long nobody looked: a clock that shows less than it should was set
                // back meanwhile.
                let predicted = self.predicted(steady);
                if let Some(predicted) = predicted
                    && predicted.duration_since(wall) > STEP_MIN + look.blur
                {
                    findings.set_back_from = Some(predicted.max(seen));
                }
                self.doubt = doubt_at_start(seen, predicted, look.at);
            }
            Some(last) => {
                let predicted = add(last.at.wall, steady.saturating_sub(last.at.steady));
                let step = wall.duration_since(predicted);
                if step.abs() > STEP_MIN + last.blur + look.blur {
                    findings.step = Some(step);
                    if step.is_negative() {
                        findings.set_back_from = Some(predicted.max(last.at.wall));
                    }
                }
                if let Some(doubt) = self.doubt {
                    if is_plausible(doubt.expected(steady), wall, doubt.forward_max) {
                        self.doubt = None;
                    }
                } else if step > FORWARD_RUNNING_MAX {
                    self.raise(
                        DoubtKind::SteppedAhead,
                        predicted,
                        steady,
                        FORWARD_RUNNING_MAX,
                    );
                } else if let Some(seen) = self.seen
                    && wall.duration_since(seen) < -BACKWARD_MAX
                {
                    let expected = if findings.step.is_some() {
                        predicted.max(seen)
                    } else {
                        seen
                    };
                    self.raise(DoubtKind::Behind, expected, steady, FORWARD_RUNNING_MAX);
                }
            }
        }
        if self.doubt.is_none() {
            self.seen = Some(self.seen.map_or(wall, |seen| seen.max(wall)));
            let believed = self.believed.replace(look.at);
            findings.set_ahead_from = believed
                .map(|it| add(it.wall, steady.saturating_sub(it.steady)))
                .filter(|expected| wall.duration_since(*expected) >= AHEAD_MIN + look.blur);
        }
        findings.turned = before.is_some() != self.doubt.is_some();
        findings
    }

    /// Somebody who knows says that the clock is right: what it showed last is believed from now
    /// on, and is the last clock seen. False when nothing was in doubt.
    pub fn accept(&mut self) -> bool {
        let held = self.doubt.take().is_some();
        if held && let Some(last) = self.last {
            self.seen = Some(last.at.wall);
        }
        held
    }

    /// Why the clock is not to be believed.
    #[must_use]
    pub fn doubt(&self) -> Option<ClockDoubt> {
        self.doubt
    }

    /// The latest wall clock that was believed.
    #[must_use]
    pub fn seen(&self) -> Option<Timestamp> {
        self.seen
    }

    /// The moment of the last look by the best clock known: the wall clock, or while that is in
    /// doubt what it should show.
    #[must_use]
    pub fn moment(&self) -> Option<Moment> {
        let Moment { wall, steady } = self.last?.at;
        let wall = self.doubt.map_or(wall, |doubt| doubt.expected(steady));
        Some(Moment { wall, steady })
    }

    /// What the wall clock should show after a restart, where the steady clock has run on.
    fn predicted(&self, steady: Duration) -> Option<Timestamp> {
        let marked = self.marked?;
        Some(add(marked.wall, steady.saturating_sub(marked.steady)))
    }

    fn raise(
        &mut self,
        kind: DoubtKind,
        last_seen: Timestamp,
        since: Duration,
        forward_max: SignedDuration,
    ) {
        self.doubt = Some(ClockDoubt {
            kind,
            last_seen,
            since,
            forward_max,
        });
    }
}

/// Why the clock is not to be believed at a start, `seen` being the last one that was believed.
/// A restart makes no clock right: where the steady clock tells what the wall clock should show,
/// what would be held while running is held here too.
fn doubt_at_start(seen: Timestamp, predicted: Option<Timestamp>, at: Moment) -> Option<ClockDoubt> {
    let Moment { wall, steady } = at;
    let doubt = |kind, last_seen, forward_max| {
        Some(ClockDoubt {
            kind,
            last_seen,
            since: steady,
            forward_max,
        })
    };
    let expected = predicted.map_or(seen, |predicted| predicted.max(seen));
    let forward_max = predicted.map_or(FORWARD_START_MAX, |_| FORWARD_RUNNING_MAX);
    if let Some(predicted) = predicted
        && wall.duration_since(predicted) > FORWARD_RUNNING_MAX
    {
        doubt(DoubtKind::SteppedAhead, predicted, forward_max)
    } else if wall.duration_since(expected) < -BACKWARD_MAX {
        doubt(DoubtKind::Behind, expected, forward_max)
    } else if wall.duration_since(seen) > FORWARD_START_MAX {
        doubt(DoubtKind::AheadAtStart, seen, FORWARD_START_MAX)
    } else {
        None
    }
}

/// Whether a clock may show `wall` where `expected` would be right.
fn is_plausible(expected: Timestamp, wall: Timestamp, forward_max: SignedDuration) -> bool {
    let ahead = wall.duration_since(expected);
    ahead >= -BACKWARD_MAX && ahead <= forward_max
}

fn add(wall: Timestamp, gone: Duration) -> Timestamp {
    SignedDuration::try_from(gone)
        .ok()
        .and_then(|gone| wall.checked_add(gone).ok())
        .unwrap_or(wall)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600;
    const DAY: i64 = 24 * HOUR;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_772_409_600 + seconds).unwrap()
    }

    fn look(wall: i64, steady: i64) -> Look {
        Look {
            at: Moment {
                wall: at(wall),
                steady: Duration::from_secs(steady as u64),
            },
            blur: SignedDuration::ZERO,
        }
    }

    /// What comes of looks (wall, steady) after a clock of 0 was seen.
    fn after(looks: &[(i64, i64)]) -> (Option<DoubtKind>, Plausibility) {
        let mut clock = Plausibility::after(Some(at(0)), None);
        for (wall, steady) in looks {
            clock.look(look(*wall, *steady));
        }
        (clock.doubt().map(|doubt| doubt.kind), clock)
    }

    #[test]
    fn what_is_believed_and_what_is_not() {
        use DoubtKind::{AheadAtStart, Behind, SteppedAhead};
        /// What happens, the looks (wall, steady) in seconds, and the doubt at their end.
        type Case = (&'static str, &'static [(i64, i64)], Option<DoubtKind>);
        let cases: &[Case] = &[
            ("a start at once", &[(1, 0)], None),
            ("a start a day back", &[(-DAY, 0)], None),
            (
                "a start more than a day back",
                &[(-DAY - 1, 0)],
                Some(Behind),
            ),
            ("a start 30 days on", &[(30 * DAY, 0)], None),
            (
                "a start more than 30 days on",
                &[(30 * DAY + 1, 0)],
                Some(AheadAtStart),
            ),
            ("a step of 7 days", &[(0, 0), (7 * DAY + 1, 1)], None),
            (
                "a step of more",
                &[(0, 0), (7 * DAY + 2, 1)],
                Some(SteppedAhead),
            ),
            (
                "suspended for a month",
                &[(0, 0), (30 * DAY, 30 * DAY)],
                None,
            ),
            (
                "a day back while running",
                &[(100, 0), (100 - DAY, 1)],
                None,
            ),
            (
                "more than a day back",
                &[(100, 0), (99 - DAY, 1)],
                Some(Behind),
            ),
            (
                "two steps back that are a day together",
                &[(0, 0), (-13 * HOUR, 1), (-26 * HOUR, 2)],
                Some(Behind),
            ),
            (
                "ahead, and back again",
                &[(0, 0), (8 * DAY, 1), (2, 2)],
                None,
            ),
            (
                "ahead for days and then right",
                &[
                    (0, 0),
                    (8 * DAY, 1),
                    (11 * DAY, 3 * DAY),
                    (3 * DAY + HOUR, 3 * DAY + HOUR),
                ],
                None,
            ),
            (
                "time alone does not make it right",
                &[(-DAY - 1, 0), (-1, DAY), (DAY - 1, 2 * DAY)],
                Some(Behind),
            ),
            (
                "nor a clock that was ahead at the start",
                &[(31 * DAY, 0), (40 * DAY, 9 * DAY)],
                Some(AheadAtStart),
            ),
            (
                "set from behind to right",
                &[(-365 * DAY, 0), (60, 60)],
                None,
            ),
            (
                "set from behind to far ahead",
                &[(-365 * DAY, 0), (365 * DAY, 60)],
                Some(Behind),
            ),
            (
                "back at the start and right after days of downtime",
                &[(-2 * DAY, 0), (20 * DAY, 60)],
                None,
            ),
        ];
        for (what, looks, expected) in cases {
            assert_eq!(after(looks).0, *expected, "{what}");
        }
    }

    #[test]
    fn a_clock_that_was_never_seen_has_nothing_to_be_compared_with() {
        let mut clock = Plausibility::after(None, None);
        clock.look(look(-10_000 * DAY, 0));
        assert_eq!(clock.doubt(), None);
    }

    #[test]
    fn a_doubted_clock_is_not_the_last_one_seen_and_an_accepted_one_is() {
        let (kind, mut clock) = after(&[(10, 0), (8 * DAY, 1)]);
        assert_eq!(kind, Some(DoubtKind::SteppedAhead));
        assert_eq!(clock.seen(), Some(at(10)));
        assert_eq!(clock.moment().unwrap().wall, at(11), "what it should show");
        assert!(clock.accept());
        assert!(!clock.accept(), "nothing is in doubt any more");
        assert_eq!(clock.seen(), Some(at(8 * DAY)));
        clock.look(look(8 * DAY + 1, 2));
        assert_eq!(clock.doubt(), None);
        let (_, mut behind) = after(&[(-2 * DAY, 0)]);
        behind.accept();
        behind.look(look(-2 * DAY + 5, 5));
        assert_eq!(
            (behind.doubt(), behind.seen()),
            (None, Some(at(-2 * DAY + 5)))
        );
    }

    #[test]
    fn each_step_is_found_once_with_its_size() {
        let mut clock = Plausibility::after(Some(at(0)), None);
        let mut findings = Vec::new();
        for (wall, steady) in [(0, 0), (1, 1), (3_602, 2), (3_603, 3), (3, 4), (4, 5)] {
            findings.push(clock.look(look(wall, steady)));
        }
        let steps: Vec<_> = findings
            .iter()
            .map(|it| it.step.map(|it| it.as_secs()))
            .collect();
        assert_eq!(steps, [None, None, Some(3_600), None, Some(-3_601), None]);
        let set_back: Vec<_> = findings.iter().map(|it| it.set_back_from).collect();
        assert_eq!(set_back, [None, None, None, None, Some(at(3_604)), None]);
    }

    #[test]
    fn what_a_believed_clock_is_set_ahead_by_is_found_once_also_over_a_doubt_and_a_restart() {
        type Case = (&'static str, &'static [(i64, i64)], &'static [Option<i64>]);
        let cases: &[Case] = &[
            ("time passes", &[(0, 0), (9 * DAY, 9 * DAY)], &[None, None]),
            ("by little", &[(0, 0), (HOUR - 60, 1)], &[None, None]),
            (
                "by six days",
                &[(0, 0), (6 * DAY, 60), (6 * DAY + 60, 120)],
                &[None, Some(60), None],
            ),
            (
                "and back",
                &[(0, 0), (6 * DAY, 60), (120, 120)],
                &[None, Some(60), None],
            ),
            (
                "by more than is believed, and back",
                &[(0, 0), (8 * DAY, 60), (120, 120)],
                &[None, None, None],
            ),
        ];
        for (what, looks, expected) in cases {
            let mut clock = Plausibility::after(Some(at(0)), None);
            let found: Vec<_> = looks
                .iter()
                .map(|(wall, steady)| clock.look(look(*wall, *steady)).set_ahead_from)
                .collect();
            let expected: Vec<_> = expected.iter().map(|it| it.map(at)).collect();
            assert_eq!(found, expected, "{what}");
        }
        let mut accepted = Plausibility::after(Some(at(0)), None);
        accepted.look(look(0, 0));
        accepted.look(look(8 * DAY, 60));
        accepted.accept();
        let findings = accepted.look(look(8 * DAY + 5, 65));
        assert_eq!(findings.set_ahead_from, Some(at(65)), "somebody's word");
        let mut restarted = Plausibility::after(Some(at(0)), Some(look(0, 1_000).at));
        let findings = restarted.look(look(3 * DAY, 1_000 + DAY));
        assert_eq!(findings.set_ahead_from, Some(at(DAY)), "over a restart");
        let mut booted = Plausibility::after(Some(at(0)), None);
        let findings = booted.look(look(3 * DAY, 0));
        assert_eq!(findings.set_ahead_from, None, "nobody knows how long");
    }

    #[test]
    fn a_start_before_the_last_clock_seen_was_set_back() {
        let mut clock = Plausibility::after(Some(at(0)), None);
        assert_eq!(clock.look(look(-5, 0)).set_back_from, Some(at(0)));
    }

    #[test]
    fn over_a_restart_the_steady_clock_tells_that_the_wall_clock_was_set_back() {
        for (wall, set_back_from) in [
            // An hour has passed, and it shows an hour more.
            (HOUR, None),
            (HOUR - 1, Some(HOUR)),
            // Set back by half an hour within it: later than the last one seen all the same.
            (HOUR / 2, Some(HOUR)),
            (-5, Some(HOUR)),
            (2 * HOUR, None),
        ] {
            let marked = look(0, 1_000).at;
            let mut clock = Plausibility::after(Some(at(0)), Some(marked));
            let findings = clock.look(look(wall, 1_000 + HOUR));
            assert_eq!(findings.set_back_from, set_back_from.map(at), "{wall}");
        }
    }

    #[test]
    fn a_restart_of_the_daemon_makes_no_clock_right() {
        use DoubtKind::{AheadAtStart, Behind, SteppedAhead};
        // After a clock of 0 was seen at a steady 1,000: what both show at the start, and later.
        type Case = (&'static str, (i64, i64), (i64, i64), [Option<DoubtKind>; 2]);
        let cases: [Case; 7] = [
            (
                "stepped ahead by 10 days: not believed, though less than 30",
                (10 * DAY, 60),
                (120, 120),
                [Some(SteppedAhead), None],
            ),
            (
                "stepped ahead by 6 days",
                (6 * DAY, 60),
                (6 * DAY + 60, 120),
                [None, None],
            ),
            (
                "30 hours behind, and two days later past the last one seen",
                (2 * DAY - 30 * HOUR, 2 * DAY),
                (2 * DAY + 60, 2 * DAY + 60),
                [Some(Behind), None],
            ),
            (
                "behind by years, and right after more than 7 days",
                (-400 * DAY, 60),
                (12 * DAY, 12 * DAY),
                [Some(Behind), None],
            ),
            (
                "behind by years, and then more than 7 days ahead",
                (-400 * DAY, 60),
                (20 * DAY, 12 * DAY),
                [Some(Behind), Some(Behind)],
            ),
            (
                "stopped for 20 days",
                (20 * DAY, 20 * DAY),
                (20 * DAY + 1, 20 * DAY + 1),
                [None, None],
            ),
            (
                "stopped for more than 30",
                (31 * DAY, 31 * DAY),
                (31 * DAY + 1, 31 * DAY + 1),
                [Some(AheadAtStart), Some(AheadAtStart)],
            ),
        ];
        for (what, start, later, expected) in cases {
            let mut clock = Plausibility::after(Some(at(0)), Some(look(0, 1_000).at));
            let found = [start, later].map(|(wall, gone)| {
                clock.look(look(wall, 1_000 + gone));
                clock.doubt().map(|doubt| doubt.kind)
            });
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn what_passed_between_reading_the_two_clocks_is_no_step() {
        let mut clock = Plausibility::after(None, None);
        clock.look(look(0, 0));
        let blurred = Look {
            blur: SignedDuration::from_secs(3),
            ..look(4, 1)
        };
        assert_eq!(clock.look(blurred).step, None);
    }

    proptest! {
        #[test]
        fn whatever_is_shown_only_plausible_clocks_become_the_last_one_seen(
            walls in proptest::collection::vec(-400 * DAY..400 * DAY, 1..20),
        ) {
            let mut clock = Plausibility::after(Some(at(0)), None);
            let mut seen = at(0);
            for (steady, wall) in walls.iter().enumerate() {
                clock.look(look(*wall, steady as i64));
                let now = clock.seen().unwrap();
                if clock.doubt().is_some() {
                    prop_assert_eq!(now, seen, "a doubted clock is not seen");
                } else {
                    prop_assert!(now >= seen);
                    prop_assert!(at(*wall).duration_since(now) >= -BACKWARD_MAX);
                    prop_assert!(now.duration_since(seen) <= FORWARD_START_MAX + SignedDuration::from_secs(30));
                }
                seen = now;
            }
        }
    }
}
