//! Which dose is meant: one open reminder, several, the numbered list.

use super::*;

#[test]
fn the_only_open_reminder_is_what_an_answer_means() {
    let rows = [
        ("1", "taken 08:00 A+B", "taken"),
        ("１", "taken 08:00 A+B", "taken"),
        ("吃了", "taken 08:00 A+B", "taken"),
        ("taken", "taken 08:00 A+B", "taken"),
        ("3", "skipped 08:00 A+B", "skipped"),
        ("不吃了", "skipped 08:00 A+B", "skipped"),
    ];
    for (text, told, state) in rows {
        // A reminder that names two medicines is one prompt.
        let mut world = World::taking(&[("A", "08:00"), ("B", "08:00")]);
        assert_eq!(world.run("02 08:05").says(text), [told], "{text}");
        assert_eq!(
            world.closed(0),
            [format!("A 02 08:00 {state}"), format!("B 02 08:00 {state}")],
            "{text}"
        );
        assert_eq!(world.conversation.asked, None);
    }
}

#[test]
fn one_of_two_medicines_of_a_reminder_may_be_named() {
    let mut world = World::taking(&[("Metformin", "08:00"), ("Amlodipine", "08:00")]);
    world.run("02 08:05");
    assert_eq!(world.says("took metformin"), ["taken 08:00 Metformin"]);
    assert_eq!(world.closed(0), ["Metformin 02 08:00 taken"]);
    assert_eq!(world.says("1"), ["taken 08:00 Amlodipine"]);
}

#[test]
fn later_and_not_taken_leave_the_dose_open() {
    let mut world = World::taking(&[("A", "08:00")]);
    world.run("02 08:05");
    assert_eq!(world.says("2"), ["later 08:00 A until 08:35"]);
    assert_eq!(world.says("没吃"), ["not taken 08:00 A"]);
    assert_eq!(world.closed(0), NOTHING);
    assert_eq!(world.run("02 08:40").says("1"), ["taken 08:00 A"]);
}

#[test]
fn of_two_open_reminders_a_bare_answer_asks_which_and_the_number_answers() {
    let mut world = World::taking(&[("A", "08:00"), ("B", "08:30"), ("C", "08:30")]);
    world.run("02 08:40");
    assert_eq!(world.says("1"), ["which? 1) 08:00 A, 2) 08:30 B+C"]);
    assert_eq!(world.closed(0), NOTHING, "nothing is guessed");
    assert_eq!(world.says("2"), ["taken 08:30 B+C"]);
    // Sent twice it means the same, and never the one that is left.
    assert_eq!(world.says("2"), ["taken 08:30 B+C"]);
    assert_eq!(world.closed(0).len(), 2);
    assert_eq!(world.says("1"), ["taken 08:00 A"]);
    assert_eq!(world.says("2"), ["taken 08:30 B+C"]);
    assert_eq!(world.closed(0).len(), 3, "each once");
}

#[test]
fn a_list_that_was_answered_is_over_when_something_new_comes_up_or_time_has_passed() {
    let mut world = World::taking(&[("A", "08:00"), ("B", "08:30"), ("C", "08:45")]);
    world.run("02 08:40");
    world.says("吃了");
    assert_eq!(world.says("2"), ["taken 08:30 B"]);
    // Words are about what is left.
    assert_eq!(world.says("等会"), ["later 08:00 A until 09:10"]);
    assert_eq!(
        world.run("02 08:46").says("2"),
        ["which? 1) 08:00 A, 2) 08:45 C"]
    );
    let mut world = World::taking(&[("A", "08:00"), ("B", "08:30")]);
    world.run("02 08:40");
    world.says("吃了");
    assert_eq!(world.says("2"), ["taken 08:30 B"]);
    assert_eq!(
        world.run("02 08:46").says("2"),
        ["later 08:00 A until 09:16"]
    );
}

#[test]
fn a_number_that_is_said_after_a_nudge_is_not_that_of_a_list_that_was_answered() {
    for (number, told) in [
        ("2", "later 08:30 B until 09:16"),
        ("1", "taken 08:30 B"),
        ("3", "skipped 08:30 B"),
    ] {
        let mut world = World::taking(&[("A", "08:00"), ("B", "08:30")]);
        world.run("02 08:43");
        assert_eq!(world.says("吃了"), ["which? 1) 08:00 A, 2) 08:30 B"]);
        world.run("02 08:44");
        assert_eq!(world.says("1"), ["taken 08:00 A"]);
        // B is nudged at a quarter to nine.
        assert_eq!(world.run("02 08:46").says(number), [told], "{number}");
    }
}

#[test]
fn a_number_of_a_list_that_was_said_after_a_nudge_means_the_same_when_it_is_said_again() {
    for (number, told) in [("1", "taken 08:00 A"), ("2", "taken 08:30 B")] {
        let mut world = World::taking(&[("A", "08:00"), ("B", "08:30")]);
        world.run("02 08:43");
        assert_eq!(world.says("吃了"), ["which? 1) 08:00 A, 2) 08:30 B"]);
        world.run("02 08:46");
        assert_eq!(world.says("1"), ["taken 08:00 A"]);
        assert_eq!(world.says(number), [told], "{number}");
    }
}

#[test]
fn the_same_answer_once_more_is_not_about_an_older_dose() {
    let mut world = World::taking(&[("A", "08:00"), ("Metformin", "20:00")]);
    world.run("03 08:05");
    let missed = world.closed(0);
    assert_eq!(world.says("1"), ["taken 08:00 A"]);
    let once = world.closed(0);
    assert_eq!(once.len(), missed.len() + 1);
    for text in ["1", "吃了", "都吃了"] {
        assert_eq!(world.says(text), ["taken 08:00 A"], "{text}");
        assert_eq!(world.closed(0), once, "{text}");
    }
    // By name it is meant.
    assert_eq!(world.says("took metformin"), ["taken 20:00 Metformin"]);
}

#[test]
fn which_of_two_medicines_as_needed_no_list_of_others_says() {
    let needed =
        |name| format!("[[medication]]\nname = \"{name}\"\ntake = \"1\"\nas_needed = \"pain\"\n");
    let text = med("Warfarin", "08:00") + &needed("Ibuprofen 200 mg") + &needed("Ibuprofen 400 mg");
    let mut world = World::of(&[("W", &text)]);
    world.run("02 08:05");
    assert_eq!(world.says("took ibuprofen"), ["passed on"]);
    assert_eq!(world.closed(0), NOTHING);
}

#[test]
fn the_list_is_answered_with_all_of_it() {
    for text in ["都", "all", "1,2", "1和2"] {
        let mut world = World::taking(&[("A", "08:00"), ("B", "08:30")]);
        world.run("02 08:40");
        assert_eq!(world.says("吃了"), ["which? 1) 08:00 A, 2) 08:30 B"]);
        assert_eq!(world.says(text), ["taken 08:00 A 08:30 B"], "{text}");
    }
}

#[test]
fn the_list_carries_what_was_said_first() {
    let rows = [
        ("3", "2", "skipped 08:30 B"),
        ("2", "1", "later 08:00 A until 09:10"),
        ("没吃", "2", "not taken 08:30 B"),
    ];
    for (first, number, told) in rows {
        let mut world = World::taking(&[("A", "08:00"), ("B", "08:30")]);
        world.run("02 08:40");
        let asked = world.says(first);
        assert_eq!(asked, ["which? 1) 08:00 A, 2) 08:30 B"], "{first}");
        assert_eq!(world.says(number), [told], "{first}");
    }
}

#[test]
fn numbers_stay_right_when_a_reminder_comes_up_after_the_list() {
    let mut world = World::taking(&[("A", "08:00"), ("B", "08:30"), ("C", "09:00")]);
    world.run("02 08:40");
    assert_eq!(world.says("1"), ["which? 1) 08:00 A, 2) 08:30 B"]);
    world.run("02 09:05");
    assert_eq!(world.says("2"), ["taken 08:30 B"]);
    assert_eq!(world.says("1"), ["which? 1) 08:00 A, 2) 09:00 C"]);
}

#[test]
fn numbers_stay_right_when_a_dose_of_the_list_was_missed_meanwhile() {
    let mut world = World::taking(&[
        ("A", "08:00;window = \"50 min\""),
        ("B", "08:30"),
        ("C", "08:40"),
    ]);
    world.run("02 08:45");
    assert_eq!(
        world.says("1"),
        ["which? 1) 08:00 A, 2) 08:30 B, 3) 08:40 C"]
    );
    world.run("02 08:55");
    assert_eq!(world.closed(0), ["A 02 08:00 missed"]);
    assert_eq!(world.says("1"), ["taken 08:00 A"], "late, and corrected");
    assert_eq!(world.closed(0).last().unwrap(), "A 02 08:00 taken");
}

#[test]
fn a_number_of_the_list_is_understood_after_other_words_too() {
    let mut world = World::taking(&[("A", "08:00;window = \"45 min\""), ("B", "08:30")]);
    world.run("02 08:40");
    assert_eq!(world.says("1"), ["which? 1) 08:00 A, 2) 08:30 B"]);
    assert_eq!(world.says("the cat is on the roof"), ["passed on"]);
    world.run("02 08:50");
    assert_eq!(world.closed(0), ["A 02 08:00 missed"]);
    // Only B is open now, and the 1 is not meant for it.
    assert_eq!(world.says("1"), ["taken 08:00 A"]);
}

#[test]
fn a_list_is_forgotten_after_two_hours() {
    let mut world = World::taking(&[("A", "08:00"), ("B", "08:30")]);
    world.run("02 08:40");
    assert_eq!(world.says("1"), ["which? 1) 08:00 A, 2) 08:30 B"]);
    world.run("02 10:40");
    assert_eq!(
        world.says("2"),
        ["which? 1) 08:00 A, 2) 08:30 B"],
        "it is \"later\" by now, of either"
    );
}

#[test]
fn a_name_or_a_time_says_which_without_a_list() {
    let rows = [
        ("took metformin", "taken 08:00 Metformin"),
        ("二甲双胍吃了", "which?"),
        ("8点的吃了", "taken 08:00 Metformin"),
        ("8:30的吃了", "taken 08:30 Aspirin"),
    ];
    for (text, told) in rows {
        let mut world = World::taking(&[("Metformin", "08:00"), ("Aspirin", "08:30")]);
        world.run("02 08:40");
        let heard = world.says(text);
        let fits = heard.first().is_some_and(|it| it.starts_with(told)) || told == "which?";
        assert!(fits, "{text}: {heard:?}");
        if told == "which?" {
            assert_eq!(world.closed(0), NOTHING, "{text}");
        }
    }
}

#[test]
fn a_nudge_is_of_the_same_prompt_and_comes_no_more_after_the_answer() {
    let mut world = World::taking(&[("A", "08:00"), ("B", "08:00")]);
    world.run("02 08:20");
    assert_eq!(world.says("1"), ["taken 08:00 A+B"]);
    let later = world.patients[0].shell.run_accepting(at("02 14:30"));
    assert_eq!(later, [], "quiet after an answer");
}

#[test]
fn a_missed_dose_is_corrected_by_a_late_answer() {
    let mut world = World::taking(&[("A", "08:00")]);
    world.run("02 15:00");
    assert_eq!(world.closed(0), ["A 02 08:00 missed"]);
    let told = world.says("早上的药八点吃了");
    assert_eq!(
        world.closed(0).last().unwrap(),
        "A 02 08:00 taken",
        "{told:?}"
    );
}

#[test]
fn nothing_open_and_a_digit_closes_nothing() {
    let mut world = World::taking(&[("A", "08:00")]);
    world.run("02 07:00");
    world.says("1");
    assert_eq!(world.closed(0), NOTHING);
    world.run("02 08:05");
    assert_eq!(world.says("1"), ["taken 08:00 A"]);
}

#[test]
fn a_reminder_that_is_on_its_way_may_be_the_one_that_is_answered() {
    let mut world = World::taking(&[("A", "08:00"), ("B", "08:30")]);
    world.run("02 08:29");
    // B's reminder is on the phone before its outcome is known here.
    let shell = &mut world.patients[0].shell;
    let now = at("02 08:30:01");
    shell.catch_up(now);
    world.now = now;
    let waiting = |world: &World| {
        let outbox = world.patients[0].shell.outbox.values();
        let of_b = outbox.filter(|message| ids(message) == "B");
        of_b.map(|message| message.key.id).next().unwrap()
    };
    let message = waiting(&world);
    world.patients[0].shell.claim(message);
    assert_eq!(world.says("1"), ["which? 1) 08:00 A, 2) 08:30 B"]);
    assert_eq!(world.says("2"), ["taken 08:30 B"]);
}

#[test]
fn a_reminder_that_has_not_left_is_not_what_an_answer_means() {
    let mut world = World::taking(&[("A", "08:00"), ("B", "08:30")]);
    world.run("02 08:29");
    let now = at("02 08:30:01");
    world.patients[0].shell.catch_up(now);
    world.now = now;
    assert_eq!(world.says("1"), ["taken 08:00 A"]);
}

#[test]
fn what_was_said_before_the_list_is_kept_for_its_answer() {
    // When it was taken, in how long to ask again, why not: of the one that is meant.
    let rows = [
        ("半小时前吃的", "2", "taken 08:30 B at 08:40"),
        ("took it half an hour ago", "1", "taken 08:00 A at 08:40"),
        ("一个小时后再提醒我", "2", "later 08:30 B until 10:12"),
    ];
    for (first, number, told) in rows {
        let mut world = World::taking(&[("A", "08:00"), ("B", "08:30")]);
        world.run("02 09:10");
        let asked = world.says(first);
        assert_eq!(asked, ["which? 1) 08:00 A, 2) 08:30 B"], "{first}");
        // "Half an hour ago" was meant when it was said.
        world.run("02 09:12");
        assert_eq!(world.says(number), [told], "{first}");
    }
}

#[test]
fn words_that_speak_for_themselves_take_nothing_of_those_before_the_list() {
    let mut world = World::taking(&[("Metformin", "08:00"), ("Aspirin", "08:30")]);
    world.run("02 09:10");
    world.says("took it half an hour ago");
    assert_eq!(world.says("took aspirin"), ["taken 08:30 Aspirin"]);
}

#[test]
fn a_picture_in_between_leaves_the_numbers_of_the_list_right() {
    let mut world = World::taking(&[("A", "08:00;window = \"45 min\""), ("B", "08:30")]);
    world.run("02 08:40");
    assert_eq!(world.says("1"), ["which? 1) 08:00 A, 2) 08:30 B"]);
    let image = Heard::Media {
        kind: "image",
        id: "m1",
    };
    world.hear(image);
    world.run("02 08:50");
    assert_eq!(world.closed(0), ["A 02 08:00 missed"]);
    // Only B is open now, and the 1 is not meant for it.
    assert_eq!(world.says("1"), ["taken 08:00 A"]);
}
